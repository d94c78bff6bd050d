"""Clusters of the real images of a class, assignment of other images, and descriptions."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.metric.results_store import Arrays

REVISION = 1  # version of stored clusters; increase it when the code changes them
AXES = 20  # number of principal axes of a class; distances along the others are noise
REACH = 0.95  # quantile of the distances within an HDBSCAN cluster that limits the assignment of other images
INK_LEVEL = 13  # grey level, 5 % of white, above which a pixel belongs to the shape, on a dark background
TRAITS = (
    ("darker", "brighter"),
    ("shorter", "taller"),
    ("narrower", "wider"),
    ("more open", "more solid"),
    ("less symmetric", "more symmetric"),
    ("plainer", "more patterned"),
    ("fuller below", "fuller above"),
)
"""Words for `traits` of a cluster below and above the mean of its class."""
MIN_TRAIT_DIFFERENCE = 0.3  # smallest difference in a trait that is mentioned, in standard deviations of the class


@dataclass(frozen=True)
class ClassClusters:
    """Clusters of a class, the most frequent first; they depend on real images only."""

    offset: NDArray[np.float64]  # mean of the vectors of the class, [V]
    axes: NDArray[np.float64]  # principal axes, [P, V]
    centres: NDArray[np.float64]  # one per cluster, [K, P]; none if no clusters were found
    reaches: NDArray[np.float64]  # largest distance from the centre of assigned images, [K]; infinite for k-means
    traits: NDArray[np.float64]
    """Mean of each cluster minus that of the class, in standard deviations of the class, [K, T]."""

    @property
    def number(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    def assign(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Assigns vectors [N, V] to the nearest centres: their indices (K: too far) and distances, [N] each."""
        from sklearn.metrics import pairwise_distances_argmin_min

        points = (vectors - self.offset) @ self.axes.T
        nearest, distances = pairwise_distances_argmin_min(points, self.centres)
        return np.where(distances <= self.reaches[nearest], nearest, self.number), distances

    def description(self, cluster: int) -> str:
        """Describes a cluster by at most two traits that differ most from its class: ``darker, taller``."""
        amounts = self.traits[cluster]
        named = [trait for trait in np.argsort(-abs(amounts))[:2] if abs(amounts[trait]) >= MIN_TRAIT_DIFFERENCE]
        return ", ".join(TRAITS[trait][int(amounts[trait] > 0)] for trait in named) or "near the mean of the class"

    def as_arrays(self) -> Arrays:
        """Returns the fields as arrays for the store."""
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "ClassClusters":
        """Rebuilds clusters from the arrays of `as_arrays`."""
        return cls(**{name: value.numpy() for name, value in arrays.items()})


def find_clusters(
    vectors: NDArray[np.float32],
    images: NDArray[np.uint8],
    weight: float,
    method: str,
    number: int,
    least_share: float,
    seed: int,
) -> ClassClusters:
    """Clusters the real images of a class.

    Args:
        vectors: as returned by `vectors_of`, [N, V].
        images: uint8 [N, H, W] or [N, H, W, 3], for the descriptions.
        weight: total variance of the features, relative to that of the outline.
        method: ``k_means`` or ``hdbscan``.
        number: clusters of k-means; HDBSCAN finds their number.
        least_share: smallest cluster of HDBSCAN, as a share of the images.
        seed: of k-means.
    """
    from sklearn.cluster import HDBSCAN, KMeans
    from sklearn.decomposition import PCA

    height, width = images.shape[1:3]
    scales = _scales(vectors, (height // 2) * (width // 2), weight)
    pca = PCA(min(AXES, *vectors.shape), svd_solver="covariance_eigh").fit(vectors * scales)
    axes, offset = pca.components_ * scales, vectors.mean(axis=0, dtype=np.float64)
    points = (vectors - offset) @ axes.T
    if method == "k_means":
        fitted = KMeans(number, n_init=10, random_state=seed).fit(points)
        labels, means = fitted.labels_, fitted.cluster_centers_
    else:
        labels = HDBSCAN(min_cluster_size=max(2, round(least_share * len(points))), copy=True).fit(points).labels_
        means = [points[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)]
    order = np.argsort(-np.bincount(labels[labels >= 0]), kind="stable")
    members = [labels == cluster for cluster in order]
    centres = np.array([means[cluster] for cluster in order]).reshape(len(order), points.shape[1])
    reaches = np.full(len(members), np.inf)
    if method == "hdbscan":
        away = [np.linalg.norm(points[each] - centre, axis=1) for each, centre in zip(members, centres, strict=True)]
        reaches = np.array([np.quantile(each, REACH) for each in away])
    measured = traits(images)
    spread = np.maximum(measured.std(axis=0), 1e-9)
    amounts = [(measured[each].mean(axis=0) - measured.mean(axis=0)) / spread for each in members]
    return ClassClusters(offset, axes, centres, reaches, np.array(amounts).reshape(len(members), len(TRAITS)))


def traits(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measures the `TRAITS` of shapes, float64 [N, 7], on images uint8 [N, H, W] or [N, H, W, 3].

    The shape is what is brighter than `INK_LEVEL`; colours are averaged. The traits are the mean grey level; height and
    width; the filled share of the bounding box; minus the difference from the mirror image; the mean difference of
    neighbouring pixels relative to the grey level; and the share of pixels in the upper half of the bounding box.
    """
    grey = images.astype(np.float32)
    grey = grey if grey.ndim == 3 else grey.mean(axis=3)
    shape = grey > INK_LEVEL
    rows, columns = (np.asarray(shape.any(axis=axis)) for axis in (2, 1))
    height, width = _span(rows), _span(columns)
    area = np.maximum(shape.sum(axis=(1, 2)), 1)
    brightness = (grey * shape).sum(axis=(1, 2)) / area
    unlike = np.abs(grey - grey[:, :, ::-1]).mean(axis=(1, 2)) / np.maximum(grey.mean(axis=(1, 2)), 1)
    across = np.abs(np.diff(grey, axis=2)) * (shape[:, :, 1:] & shape[:, :, :-1])
    down = np.abs(np.diff(grey, axis=1)) * (shape[:, 1:] & shape[:, :-1])
    pattern = (across.sum(axis=(1, 2)) + down.sum(axis=(1, 2))) / (area * np.maximum(brightness, 1))
    middle = rows.argmax(axis=1) + height / 2
    above = (shape.sum(axis=2) * (np.arange(grey.shape[1]) < middle[:, None])).sum(axis=1) / area
    found = [brightness, height, width, area / np.maximum(height * width, 1), -unlike, pattern, above]
    return np.stack(found, axis=1).astype(np.float64)


def _span(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Computes the distance from the first to the last true element of each row, [N]; 0 if there is none."""
    last = lines.shape[1] - lines[:, ::-1].argmax(axis=1)
    return np.where(lines.any(axis=1), last - lines.argmax(axis=1), 0)


def vectors_of(images: Tensor, features: Tensor) -> NDArray[np.float32]:
    """Makes the vectors to cluster, float32 [N, H W / 4 + F], of images uint8 [N, C, H, W] and features [N, F].

    The first H W / 4 columns are the outline: the share of the shape (see `traits`) in each 2 by 2 pixels.
    """
    shape = images.float().mean(dim=1, keepdim=True) > INK_LEVEL
    outline = F.avg_pool2d(shape.float(), 2).flatten(1)
    return torch.cat([outline, features], dim=1).numpy()


def _scales(vectors: NDArray[np.float32], outline: int, weight: float) -> NDArray[np.float64]:
    """Computes factors per column: ``outline`` columns of total variance 1, features of total variance ``weight``."""
    parts = np.split(vectors.astype(np.float64), [outline], axis=1)
    spreads = [part.var(axis=0).sum() for part in parts]
    factors = [np.sqrt(part / spread) if spread > 0 else 0.0 for part, spread in zip((1, weight), spreads, strict=True)]
    return np.repeat(factors, [part.shape[1] for part in parts])
