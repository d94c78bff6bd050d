"""The kernel distance: two sets of features compared pair by pair, without bias for independent images."""

import torch
from torch import Tensor

from fmcgan.metric.base import Measurement, RealImages
from fmcgan.metric.bootstrap import mean_interval
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.feature_metric import FeatureMetric
from fmcgan.metric.image_set import ImageSet, count_name

BLOCK = 1000
"""Rows and columns of the kernel matrix at once: 8 MB, near enough to the processor."""


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel ``k(x, y) = (x·y / F + 1)³``.

    ``mean k(a_i, a_j) over i ≠ j + mean k(b_i, b_j) over i ≠ j - 2 mean k(a_i, b_j)`` (Gretton et al. 2012, eq. 3, with
    the kernel of Bińkowski et al. 2018, "Demystifying MMD GANs"), over all pairs: the KID is usually the
    mean of the same over random subsets, which has the same expectation and more noise.

    Args:
        a: features [N, F], N at least 2.
        b: features [M, F], M at least 2.

    Returns:
        The distance. Without bias it scatters around 0 for independent draws of one distribution, so it may be below 0.

    Raises:
        ValueError: the shapes are others.
    """
    return (within_means(a).mean() + within_means(b).mean() - 2 * kernel_means(a, b).mean()).item()


def kernel_means(a: Tensor, b: Tensor) -> Tensor:
    """The mean of the kernel of each feature of one set with all of another.

    Args:
        a: features [N, F].
        b: features [M, F], M at least 1.

    Returns:
        float64 [N] on the CPU.

    Raises:
        ValueError: the shapes are others.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be [N, F] and [M, F], got {list(a.shape)} and {list(b.shape)}")
    sums = torch.zeros(len(a), dtype=torch.float64)
    for some, rows in zip(sums.split(BLOCK), a.split(BLOCK), strict=True):
        _add_kernel(some, rows.cpu().double(), b)
    return sums / len(b)


def within_means(features: Tensor) -> Tensor:
    """The mean of the kernel of each feature of a set with all others of it, itself left out.

    Args:
        features: [N, F], N at least 2.

    Returns:
        float64 [N] on the CPU.

    Raises:
        ValueError: the shape is another one or there are fewer than two.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be [N, F] with N of at least 2, got {list(features.shape)}")
    n, width = features.shape
    squares = torch.linalg.vector_norm(features.cpu(), dim=1, dtype=torch.float64).square()  # without a float64 copy
    with_itself = (squares / width + 1) ** 3
    return (kernel_means(features, features) * n - with_itself) / (n - 1)


def _add_kernel(sums: Tensor, rows: Tensor, columns: Tensor) -> None:
    """Adds to each of the sums [R] the kernel of its row [R, F] with every column [M, F]."""
    one = rows.new_ones(())
    for some in columns.split(BLOCK):
        kernel = torch.addmm(one, rows, some.cpu().double().T, alpha=1 / rows.shape[1]).pow_(3)
        sums += kernel.sum(dim=1)


class KernelDistance(FeatureMetric):
    """``kd_{network}_{n}_{split}``: `kernel_distance` of the samples to the reference images, on each network.

    The lower the better; on Inception's features it is the KID. Unlike a Fréchet distance it does not assume
    Gaussians, and it has no bias for independent images. It is not clamped: samples that cannot be told from real
    images get values slightly below 0.

    Sets with equally many of each class, as both sides here are, are more even than independent draws. That lowers it
    by ``0.9 (same - other) (1 / (N - 1) + 1 / (M - 1))``, with the mean kernel of two images of the same class and of
    different ones: on real images by the classifier 0.0007 for 10,000 samples, 0.004 for 1,000. The real-data value of
    as many images is lowered by about as much.

    The bootstrap interval is of the samples, the reference being fixed, by the first-order term of each sample in the
    Hoeffding decomposition (Hoeffding 1948): the second order makes it too wide by up to a factor of √2 where samples
    and reference hardly differ, and is negligible elsewhere.
    """

    @property
    def begins(self) -> list[str]:  # type: ignore[override]
        """On each network."""
        return [f"{network.abbreviations['kernel']}_{network.name}" for network in self.networks]

    @property
    def protocol(self) -> str:
        """Which distance, on which networks."""
        return f"unbiased cubic kernel distance on {self.versions}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """The distance on each network; at least two samples."""
        measured = {}
        for network in self.networks:
            name = f"{network.abbreviations['kernel']}_{network.name}_{count_name(len(samples))}_{real.reference_split}"
            measured[name] = self._measure_on(network, samples, real.reference)
        return measured

    def _measure_on(self, network: FeatureNetwork, samples: ImageSet, reference: ImageSet) -> Measurement:
        features = network.features(samples)
        within, across = within_means(features), kernel_means(features, network.features(reference))
        within_reference = reference_term(network, reference)
        # The derivative of the distance by the weight of a sample, moved so that its mean is the distance itself.
        influence = 2 * (within - across) + within_reference - within.mean()
        return Measurement(influence.mean().item(), "lower", mean_interval(influence, samples.resamples))


def reference_term(network: FeatureNetwork, reference: ImageSet) -> float:
    """The mean kernel of a set with itself, which depends on no samples: the set keeps it."""

    def compute() -> dict[str, Tensor]:
        return {"mean": within_means(network.features(reference)).mean()}

    return reference.derived(f"mean cubic kernel of {network.name} {network.version}", compute)["mean"].item()
