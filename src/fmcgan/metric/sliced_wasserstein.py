"""The Wasserstein distance between two sets of images, seen along many random directions."""

import torch
from torch import Tensor

from fmcgan.app.checks import seed_number, whole_number
from fmcgan.metric.base import Measurement, Metric, RealImages
from fmcgan.metric.bootstrap import interval
from fmcgan.metric.image_set import ImageSet, count_name

_ROWS_AT_ONCE = 10_000  # float64 copies of this many rows at a time


def sliced_wasserstein(a: Tensor, b: Tensor, directions: Tensor) -> Tensor:
    """The 2-Wasserstein distance of the projections of two sets, exactly, along each direction.

    In one dimension it is the root mean square difference of the quantile functions (Rabin et al. 2011), which for
    sets of different sizes are step functions with different steps.

    Args:
        a: [N, D], N at least 1.
        b: [M, D], M at least 1.
        directions: [S, D].

    Returns:
        float64 [S], in units of the sets for directions of length 1; never negative.
    """
    quantiles = QuantileSteps(_project(b, directions).sort(dim=1).values, len(a))
    return quantiles.squared_distance(_project(a, directions).sort(dim=1).values).sqrt()


class QuantileSteps:
    """The quantile functions of one set, reduced to what a set of ``n`` has to know of them.

    The quantile function of a set of ``n`` is constant on each of ``n`` equal steps. Its squared distance to another
    on a step is that to the other's mean there, plus the other's variance there, which is the same for every set of
    ``n`` and is therefore computed once, also for all bootstrap resamples.

    Args:
        values: [S, M], sorted along M.
        n: size of the sets to compare with.
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
        """Squared 2-Wasserstein distance of [S, n], sorted along n, to the set: [S]."""
        return (values - self.means).square().mean(dim=1) + self.variance

    def resampled(self, values: Tensor, order: Tensor, counts: Tensor) -> Tensor:
        """The squared distance of each resample, averaged over the directions.

        Args:
            values: [S, n], sorted along n.
            order: int64 [S, n], which image each value is of.
            counts: whole numbers [B, n], how often each image was drawn; n in each resample.

        Returns:
            [B].
        """
        counts, total = counts.int(), values.new_zeros(len(counts))
        for line, images, means in zip(values, order, self.means, strict=True):
            # Repeating sorted values gives sorted values: no resample has to be sorted.
            drawn = line.repeat(len(counts)).repeat_interleave(counts[:, images].flatten()).view(counts.shape)
            total += (drawn - means).square().mean(dim=1)
        return total / len(values) + self.variance.mean()


class SlicedWasserstein(Metric):
    """``sliced_wasserstein_pixels_{n}_{split}``: the sliced 2-Wasserstein distance on grey levels.

    The root of the mean of the squared distances over directions that are uniform on the sphere in 784 dimensions
    (Bonneel et al. 2015), in grey levels of 0..255. A translation by v gives on average |v| / sqrt(784), the
    root mean square of v over the pixels: the unit is that of a difference at each pixel.

    It needs no network and sees all that moves mass between grey levels, but not what an image shows. Finite sets of
    the same distribution are at a distance too, which falls with the number: compare equal ``n`` only.
    """

    begins = ("sliced_wasserstein_pixels",)

    def __init__(self, n_directions: int = 128, seed: int = 0) -> None:
        """Checks the parameters.

        Args:
            n_directions: number of directions.
            seed: of the directions.

        Raises:
            InvalidValueError: n_directions is no whole number of at least 1, or seed no seed.
        """
        whole_number(maximum=10_000, n_directions=n_directions)
        seed_number(seed=seed)
        self.n_directions = n_directions
        self.seed = seed

    @property
    def protocol(self) -> str:
        """Number and seed of the directions."""
        return f"sliced 2-Wasserstein on grey levels, {self.n_directions} directions of seed {self.seed}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Measures the distance, with a bootstrap interval over the samples along all directions."""
        reference = real.reference
        kept = reference.derived(self.protocol, lambda: {"projections": self.sorted_projections(reference)[0]})
        quantiles = QuantileSteps(kept["projections"], len(samples))
        values, order = self.sorted_projections(samples)
        distance = quantiles.squared_distance(values).mean().sqrt().item()
        bootstrap_samples = quantiles.resampled(values, order, samples.resamples).sqrt()
        name = f"sliced_wasserstein_pixels_{count_name(len(samples))}_{real.reference_split}"
        return {name: Measurement(distance, "lower", interval(distance, bootstrap_samples, lowest=0.0))}

    def sorted_projections(self, images: ImageSet) -> tuple[Tensor, Tensor]:
        """The projections in rising order, float64 [S, N], and the image each is of, int64 [S, N]."""
        generator = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.n_directions, 784, dtype=torch.float64, generator=generator)
        directions /= directions.norm(dim=1, keepdim=True)
        values, order = _project(images.images.flatten(1), directions).sort(dim=1)
        return values, order


def _project(points: Tensor, directions: Tensor) -> Tensor:
    """Maps [N, D] and [S, D] to float64 [S, N]."""
    directions = directions.double()
    return torch.cat([directions @ some.double().T for some in points.split(_ROWS_AT_ONCE)], dim=1)
