"""Kernel distance: the unbiased squared maximum mean discrepancy of features."""

from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.metric.base import FeatureDistance
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, mean_interval

BLOCK = 1000  # rows and columns of the kernel matrix computed at once: 8 MB


class KernelDistance(FeatureDistance):
    """``kd_{network}_{n}_{split}``: kernel distance of the samples to the reference images, on each network.

    The unbiased squared maximum mean discrepancy with the kernel ``k(x, y) = (x·y / F + 1)³``, over all pairs:
    ``mean k(a_i, a_j) over i ≠ j + mean k(b_i, b_j) over i ≠ j - 2 mean k(a_i, b_j)`` (Gretton et al. 2012, eq. 3;
    kernel of Bińkowski et al. 2018, "Demystifying MMD GANs"). On Inception features it is the KID.

    Unlike a Fréchet distance it assumes no Gaussians and has no bias for independent images. It is not clamped: samples
    that are indistinguishable from real images get values around 0. Equal class sizes lower it slightly, by 0.0007 for
    10,000 images on the classifier, for samples and for real images alike.

    The bootstrap interval covers the samples, with the reference fixed. It uses the first-order term of each sample in
    the Hoeffding decomposition (Hoeffding 1948), and is up to √2 times too wide where samples and reference hardly
    differ.
    """

    kinds: ClassVar = {"kd": Quantity("Kernel distance", "lower"), "kid": Quantity("KID", "lower")}
    abbreviation = "kernel"
    distance = "unbiased cubic kernel distance"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the distance on each network."""
        return {
            name: self._distance(network, samples, real.reference)
            for name, network in zip(self.names, self.networks, strict=True)
        }

    def _distance(self, network: FeatureNetwork, samples: ImageSet, reference: ImageSet) -> MetricValue:
        features = network.features(samples)
        within, across = within_means(features), kernel_means(features, network.features(reference))
        within_reference = reference_term(network, reference)
        # The derivative of the distance with respect to the weight of a sample, shifted to have the distance as mean.
        influence = 2 * (within - across) + within_reference - within.mean()
        return MetricValue(influence.mean().item(), mean_interval(influence, samples.resamples))


def reference_term(network: FeatureNetwork, reference: ImageSet) -> float:
    """Computes the mean kernel of the pairs within a set, once per set."""
    protocol = f"mean cubic kernel of {network.name_and_version}"
    found = reference.derived(protocol, lambda: {"mean": within_means(network.features(reference)).mean()})
    return found["mean"].item()


def kernel_means(a: Tensor, b: Tensor) -> Tensor:
    """Computes the mean kernel of each feature of ``a`` [N, F] with all of ``b`` [M, F]: float64 [N] on the CPU.

    Raises `ValueError` for other shapes, as `within_means` does.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be [N, F] and [M, F], got {list(a.shape)} and {list(b.shape)}")
    sums = torch.zeros(len(a), dtype=torch.float64)
    for some, rows in zip(sums.split(BLOCK), a.split(BLOCK), strict=True):
        rows = rows.cpu().double()
        for columns in b.split(BLOCK):
            products = torch.addmm(rows.new_ones(()), rows, columns.cpu().double().T, alpha=1 / rows.shape[1])
            some += products.pow_(3).sum(dim=1)
    return sums / len(b)


def within_means(features: Tensor) -> Tensor:
    """Computes the mean kernel of each feature of a set [N, F], N at least 2, with all others: float64 [N]."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features must be [N, F] with N of at least 2, got {list(features.shape)}")
    n, width = features.shape
    squares = torch.linalg.vector_norm(features.cpu(), dim=1, dtype=torch.float64).square()  # without a float64 copy
    with_itself = (squares / width + 1) ** 3
    return (kernel_means(features, features) * n - with_itself) / (n - 1)
