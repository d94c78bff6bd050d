"""Embeddings of images in the plane: PCA, UMAP and t-SNE, fitted to some images and applied to others."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.app.user_dirs import set_numba_cache_dir
from fmcgan.metric.results_store import Arrays

Array = NDArray[np.float64]
Cache = Callable[[str, Callable[[], Arrays]], Arrays]

NEAREST = 5  # number of fitted images that determine the position of another image in t-SNE


class Plane(NamedTuple):
    """An embedding in the plane."""

    name: str  # lower case
    title: str  # usual spelling of the name
    remark: str  # what it can and cannot show
    fitted: Array  # positions of the images that it was fitted to, [F, 2]
    others: Array  # positions of other images, [N, 2]


def principal_components(fitted: Array, others: Array, components: int) -> tuple[Array, Array, float]:
    """Standardises features and projects them to principal components, both fitted to the fitted images.

    Features are [F, D] and [N, D]; ``components`` is the maximum number of components.

    Returns:
        The components of both, [F, C] and [N, C], and the share of the variance explained by the first two.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(fitted)
    fit = PCA(min(components, *fitted.shape), svd_solver="full").fit(scaler.transform(fitted))
    explained = float(fit.explained_variance_ratio_[:2].sum())
    return fit.transform(scaler.transform(fitted)), fit.transform(scaler.transform(others)), explained


def pca(fitted: Array, others: Array) -> Plane:
    """Takes the first two of the principal components [F, C] and [N, C]."""
    remark = "PCA is linear: samples unlike all real images may lie outside them."
    return Plane("pca", "PCA", remark, fitted[:, :2], others[:, :2])


def umap(fitted: Array, others: Array, neighbours: int, seed: int) -> Plane:
    """Fits UMAP (McInnes et al. 2018), initialised by two principal components, and transforms the other images.

    Both are given as principal components, [F, C] and [N, C]; ``neighbours`` is the number per image.
    """
    set_numba_cache_dir()
    from umap import UMAP

    # With the default min_dist of 0.1, thumbnails overlap. Several jobs would not be reproducible.
    seeds = {"random_state": seed, "transform_seed": seed}
    fit = UMAP(n_neighbors=neighbours, init="pca", min_dist=0.5, n_jobs=1, **seeds)
    threads = torch.get_num_threads()
    try:
        own, placed = fit.fit_transform(fitted), fit.transform(others)
    finally:
        torch.set_num_threads(threads)  # numba has set it to the number of cores, whatever OMP_NUM_THREADS says
    remark = "UMAP positions samples among the most similar real images: it shows holes, but not outliers."
    return Plane("umap", "UMAP", remark, own.astype(np.float64), placed.astype(np.float64))


def tsne(fitted: Array, others: Array, perplexity: float, seed: int, cache: Cache, fitted_to: str) -> Plane:
    """Fits t-SNE (van der Maaten and Hinton 2008), initialised by two principal components.

    t-SNE cannot transform other images: their position is the weighted mean of the nearest fitted ones.

    Args:
        fitted: principal components [F, C].
        others: principal components [N, C].
        perplexity: roughly the number of neighbours of each image.
        seed: of the fit.
        cache: returns the positions stored under a key, or computes them.
        fitted_to: identifier of the fitted images and their components, for the key.
    """
    import sklearn
    from sklearn.manifold import TSNE
    from sklearn.neighbors import KNeighborsRegressor

    def compute() -> dict[str, Tensor]:
        fit = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
        return {"positions": torch.from_numpy(fit.fit_transform(fitted))}

    key = f"t-SNE (scikit-learn {sklearn.__version__}) of {fitted_to}, perplexity {perplexity:g}, seed {seed}"
    own = cache(key, compute)["positions"].double().numpy()
    placing = KNeighborsRegressor(min(NEAREST, len(fitted)), weights="distance").fit(fitted, own)
    remark = (
        f"t-SNE cannot transform other images: samples and test images lie at the mean of their {NEAREST} "
        "nearest training images, weighted by 1 / distance. It shows holes, but not outliers."
    )
    return Plane("tsne", "t-SNE", remark, own, placing.predict(others))
