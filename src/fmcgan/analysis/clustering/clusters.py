"""Styles within a class: clusters of its real images, to which any other image is assigned, and words for each."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.metric.results_store import Arrays

REVISION = 1
"""Raise it when a change here changes styles: those that were kept are then found anew."""
AXES = 20
"""Principal axes of a class that are kept: in the many others distances are noise."""
REACH = 0.95
"""Share of a cluster of HDBSCAN that lies nearer to its mean than the distance up to which images are counted to it."""
OUTLINE = 14 * 14
"""The first columns of the vectors."""
INK_LEVEL = 13
"""Grey levels above it, 5 % of white, are garment and not background."""
TRAITS = (
    ("darker", "brighter"),
    ("shorter", "taller"),
    ("narrower", "wider"),
    ("more open", "more solid"),
    ("less symmetric", "more symmetric"),
    ("plainer", "more patterned"),
    ("fuller below", "fuller above"),
)
"""What a style is called that has less, or more, than its class of what `traits` measures."""
WORTH_A_WORD = 0.3
"""Standard deviations of its class from which a style differs in a trait."""


@dataclass(frozen=True)
class Styles:
    """The styles of a class, the most frequent first: a function of real images alone.

    Args:
        offset: middle of the vectors of the class, [V].
        axes: principal axes, [P, V].
        centres: one a style, [K, P]; none if no clusters were found.
        reaches: distance from its centre up to which an image is counted to a style, [K]; infinite for k-means.
        traits: of the mean image of each style beyond that of the class, in standard deviations of it, [K, T].
    """

    offset: NDArray[np.float64]
    axes: NDArray[np.float64]
    centres: NDArray[np.float64]
    reaches: NDArray[np.float64]
    traits: NDArray[np.float64]

    @property
    def number(self) -> int:
        """How many styles."""
        return len(self.centres)

    def assign(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The style of each image.

        Args:
            vectors: [N, V].

        Returns:
            The index of the nearest centre, [N] in 0..K-1, or K where that is out of reach, and the distance to it.
        """
        from sklearn.metrics import pairwise_distances_argmin_min

        points = (vectors - self.offset) @ self.axes.T
        nearest, distances = pairwise_distances_argmin_min(points, self.centres)
        return np.where(distances <= self.reaches[nearest], nearest, self.number), distances

    def description(self, style: int) -> str:
        """The traits, at most two, in which a style differs most from its class: ``darker, taller``."""
        amounts = self.traits[style]
        told = [trait for trait in np.argsort(-abs(amounts))[:2] if abs(amounts[trait]) >= WORTH_A_WORD]
        return ", ".join(TRAITS[trait][int(amounts[trait] > 0)] for trait in told) or "near the mean of the class"

    def as_arrays(self) -> Arrays:
        """As the store keeps them; ``Styles`` takes them back from `from_arrays`."""
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Styles":
        """The styles that were kept."""
        return cls(**{name: value.numpy() for name, value in arrays.items()})


def find_styles(
    vectors: NDArray[np.float32],
    images: NDArray[np.uint8],
    weight: float,
    method: str,
    number: int,
    least_share: float,
    seed: int,
) -> Styles:
    """Clusters the real images of a class.

    Args:
        vectors: as `vectors_of` gives them, [N, V].
        images: uint8 [N, 28, 28], for the words.
        weight: total variance of the features beside that of the outline, which is 1.
        method: ``k_means``, or ``hdbscan``, which finds their number itself.
        number: of styles, of k-means.
        least_share: of a cluster of HDBSCAN among the N.
        seed: of k-means.
    """
    from sklearn.cluster import HDBSCAN, KMeans
    from sklearn.decomposition import PCA

    scales = _scales(vectors, weight)
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
    return Styles(offset, axes, centres, reaches, np.array(amounts).reshape(len(members), len(TRAITS)))


def traits(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measures of how garments look, in the order of `TRAITS`: float64 [N, 7].

    They are the mean grey level of the garment; the rows and columns it spans; the share of its bounding box that it
    fills; how little it differs from its mirror image; the mean difference of neighbouring pixels within it relative to
    its grey level; and the share of its pixels in the upper half of its bounding box.

    Args:
        images: uint8 [N, 28, 28].
    """
    grey = images.astype(np.float32)
    garment = images > INK_LEVEL
    rows, columns = (np.asarray(garment.any(axis=axis)) for axis in (2, 1))
    height, width = _span(rows), _span(columns)
    area = np.maximum(garment.sum(axis=(1, 2)), 1)
    brightness = (grey * garment).sum(axis=(1, 2)) / area
    unlike = np.abs(grey - grey[:, :, ::-1]).mean(axis=(1, 2)) / np.maximum(grey.mean(axis=(1, 2)), 1)
    across = np.abs(np.diff(grey, axis=2)) * (garment[:, :, 1:] & garment[:, :, :-1])
    down = np.abs(np.diff(grey, axis=1)) * (garment[:, 1:] & garment[:, :-1])
    pattern = (across.sum(axis=(1, 2)) + down.sum(axis=(1, 2))) / (area * np.maximum(brightness, 1))
    middle = rows.argmax(axis=1) + height / 2
    above = (garment.sum(axis=2) * (np.arange(28) < middle[:, None])).sum(axis=1) / area
    found = [brightness, height, width, area / np.maximum(height * width, 1), -unlike, pattern, above]
    return np.stack(found, axis=1).astype(np.float64)


def _span(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From the first to the last row or column with garment, [N]; 0 of an empty image."""
    last = lines.shape[1] - lines[:, ::-1].argmax(axis=1)
    return np.where(lines.any(axis=1), last - lines.argmax(axis=1), 0)


def vectors_of(images: Tensor, features: Tensor) -> NDArray[np.float32]:
    """What is clustered: the outline, as the share of garment among each 2 by 2 pixels, and features beside it.

    Args:
        images: uint8 [N, 1, 28, 28].
        features: float32 [N, F].

    Returns:
        float32 [N, 196 + F].
    """
    outline = F.avg_pool2d((images > INK_LEVEL).float(), 2).flatten(1)
    return torch.cat([outline, features], dim=1).numpy()


def _scales(vectors: NDArray[np.float32], weight: float) -> NDArray[np.float64]:
    """Factors, one a column, that give the outline a total variance of 1 and the features one of ``weight``."""
    parts = np.split(vectors.astype(np.float64), [OUTLINE], axis=1)
    spreads = [part.var(axis=0).sum() for part in parts]
    factors = [np.sqrt(part / spread) if spread > 0 else 0.0 for part, spread in zip((1, weight), spreads, strict=True)]
    return np.repeat(factors, [part.shape[1] for part in parts])
