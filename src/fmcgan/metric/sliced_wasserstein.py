"""Sliced Wasserstein distance of grey levels."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.app.checks import seed_number, whole_number
from fmcgan.metric.base import Metric, pixel_unit
from fmcgan.metric.image_set import ImageSet, RealImages, interval
from fmcgan.metric.value import MetricValue, Quantity

_PIXELS_AT_ONCE = 7_840_000  # as float64: 63 MB


class QuantileSteps:
    """Quantile functions of one set, prepared for comparisons with sets of size ``n``.

    In one dimension, the 2-Wasserstein distance is the root mean square difference of the quantile functions (Rabin et
    al. 2011), step functions whose steps depend on the size of the set.

    The quantile function of a set of size ``n`` is constant on ``n`` equal steps. On a step, its squared distance to
    another function is that to the other's mean, plus the other's variance. Means and variance are the same for every
    set of size ``n``, so they are computed once from the values of this set, [S, M], sorted along M.
    """

    def __init__(self, values: Tensor, n: int) -> None:
        m = values.shape[1]
        # Ends of the pieces on which both functions are constant: i / n and j / m, as exact multiples of 1 / (n m).
        ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()
        share = ends.diff(prepend=ends.new_zeros(1)).double() / m  # of a step
        step, pieces = (ends - 1) // m, values[:, (ends - 1) // n]
        self.means = values.new_zeros(len(values), n).index_add_(1, step, pieces * share)  # [S, n]
        self.variance = ((pieces - self.means[:, step]).square() * share).sum(dim=1) / n  # [S]

    def squared_distance(self, values: Tensor) -> Tensor:
        """Computes the squared 2-Wasserstein distance, [S], of values [S, n] that are sorted along n."""
        return (values - self.means).square().mean(dim=1) + self.variance

    def resampled(self, values: Tensor, order: Tensor, counts: Tensor) -> Tensor:
        """Computes the squared distance of each resample, averaged over directions: [B].

        Values, [S, n], are sorted along n, and ``order`` has the image of each. Counts, whole numbers [B, n] with row
        sums of n, say how often each resample contains each image.
        """
        counts, total = counts.int(), values.new_zeros(len(counts))
        for line, images, means in zip(values, order, self.means, strict=True):
            # Repeating sorted values keeps them sorted.
            drawn = line.repeat(len(counts)).repeat_interleave(counts[:, images].flatten()).view(counts.shape)
            total += (drawn - means).square().mean(dim=1)
        return total / len(values) + self.variance.mean()


class SlicedWasserstein(Metric):
    """``sliced_wasserstein_pixels_{n}_{split}``: sliced 2-Wasserstein distance of grey levels.

    The root mean square distance over directions that are uniform on the sphere in as many dimensions as an image has
    pixels and channels (Bonneel et al. 2015), in levels of 0..255. A translation by v of D dimensions gives on average
    |v| / sqrt(D), the root mean square of v, so the unit is that of a difference per pixel.

    It needs no network, and depends on grey levels only, not on content. Two finite sets of the same distribution have
    a positive distance that falls with their size: compare equal ``n`` only.
    """

    kinds: ClassVar = {"sliced_wasserstein": Quantity("Sliced Wasserstein distance", "lower", "grey levels", lowest=0)}
    suffix = "_pixels"

    def __init__(self, n_directions: int = 128, seed: int = 0) -> None:
        """Sets the number of directions, at least 1, and their seed."""
        whole_number(maximum=10_000, n_directions=n_directions)
        seed_number(seed=seed)
        self.n_directions = n_directions
        self.seed = seed
        self.protocol = f"sliced 2-Wasserstein on grey levels, {n_directions} directions of seed {seed}"

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """The distance, in levels of the data set's images."""
        return {name: each._replace(unit=pixel_unit(self.info)) for name, each in super().quantities.items()}

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the distance."""
        reference = real.reference
        stored = reference.derived(self.protocol, lambda: {"projections": self.sorted_projections(reference)[0]})
        quantiles = QuantileSteps(stored["projections"], len(samples))
        values, order = self.sorted_projections(samples)
        distance = quantiles.squared_distance(values).mean().sqrt().item()
        resampled = quantiles.resampled(values, order, samples.resamples).sqrt()
        return {"sliced_wasserstein_pixels": MetricValue(distance, interval(distance, resampled, lowest=0.0))}

    def sorted_projections(self, images: ImageSet) -> tuple[Tensor, Tensor]:
        """Projects images: returns sorted projections, float64 [S, N], and the image of each, int64 [S, N]."""
        generator = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.n_directions, images.info.pixels, dtype=torch.float64, generator=generator)
        directions /= directions.norm(dim=1, keepdim=True)
        batches = images.images.flatten(1).split(_PIXELS_AT_ONCE // images.info.pixels)
        values, order = torch.cat([directions @ some.double().T for some in batches], dim=1).sort(dim=1)
        return values, order
