"""Three ways to lay out images on a plane: each is fitted to some images, and others are placed on it afterwards."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.app.user_dirs import set_numba_cache_dir
from fmcgan.metric.results_store import Arrays

Array = NDArray[np.float64]
Keep = Callable[[str, Callable[[], Arrays]], Arrays]

NEAREST = 5
"""Fitted images by whose places t-SNE places another one."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A map.

    Args:
        name: lower case.
        title: as it is written.
        remark: what it can show and what not.
        fitted: places of the images that it was fitted to, [F, 2].
        others: of the images that were placed afterwards, [N, 2].
    """

    name: str
    title: str
    remark: str
    fitted: Array
    others: Array


def principal_components(fitted: Array, others: Array, components: int) -> tuple[Array, Array, float]:
    """Standardises features and turns them to their principal components, both by the fitted images alone.

    Args:
        fitted: [F, D].
        others: [N, D].
        components: how many at most.

    Returns:
        The components of both, [F, C] and [N, C], and the share of the variance that the first two have.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(fitted)
    fit = PCA(min(components, *fitted.shape), svd_solver="full").fit(scaler.transform(fitted))
    explained = float(fit.explained_variance_ratio_[:2].sum())
    return fit.transform(scaler.transform(fitted)), fit.transform(scaler.transform(others)), explained


def pca(fitted: Array, others: Array) -> Plane:
    """The first two principal components.

    Args:
        fitted: principal components [F, C].
        others: likewise, [N, C].
    """
    remark = "Principal components are linear: samples that are unlike all real images can lie beside them."
    return Plane("pca", "PCA", remark, fitted[:, :2], others[:, :2])


def umap(fitted: Array, others: Array, neighbours: int, seed: int) -> Plane:
    """Fits UMAP (McInnes et al. 2018), from the first two principal components, and transforms the others.

    Args:
        fitted: principal components [F, C].
        others: likewise, [N, C].
        neighbours: that each image is tied to.
        seed: of its random choices.
    """
    set_numba_cache_dir()
    from umap import UMAP

    # min_dist: with 0.1, the default, the islands are so dense that garments lie upon each other.
    options = {"init": "pca", "min_dist": 0.5, "random_state": seed, "transform_seed": seed}
    fit = UMAP(n_neighbors=neighbours, n_jobs=1, **options)  # several jobs would not give the same map again
    own = fit.fit_transform(fitted)
    remark = (
        "UMAP places samples among the real images most like them: look for holes, not for samples beside the data."
    )
    return Plane("umap", "UMAP", remark, own.astype(np.float64), fit.transform(others).astype(np.float64))


def tsne(fitted: Array, others: Array, perplexity: float, seed: int, keep: Keep, fitted_to: str) -> Plane:
    """Fits t-SNE (van der Maaten and Hinton 2008), from the first two principal components.

    It has no rule for further images: they are placed at the mean of the nearest fitted ones.

    Args:
        fitted: principal components [F, C].
        others: likewise, [N, C].
        perplexity: about how many neighbours each image keeps close.
        seed: of its random choices.
        keep: gives the places kept under a key, or else computes them.
        fitted_to: says in full what the fitted images and their components are.
    """
    import sklearn
    from sklearn.manifold import TSNE
    from sklearn.neighbors import KNeighborsRegressor

    def compute() -> dict[str, Tensor]:
        fit = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
        return {"positions": torch.from_numpy(fit.fit_transform(fitted))}

    key = f"t-SNE (scikit-learn {sklearn.__version__}) of {fitted_to}, perplexity {perplexity:g}, seed {seed}"
    own = keep(key, compute)["positions"].double().numpy()
    placing = KNeighborsRegressor(min(NEAREST, len(fitted)), weights="distance").fit(fitted, own)
    remark = (
        f"t-SNE has no rule for further images: samples and test images are placed at the mean of their {NEAREST} "
        "nearest training images, weighted by 1 / distance. Look for holes, not for samples beside the data."
    )
    return Plane("tsne", "t-SNE", remark, own, placing.predict(others))
