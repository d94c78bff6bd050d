"""How sure a score is: intervals from resampling the samples it was measured on (Efron 1979)."""

import math
from statistics import NormalDist

import torch
from torch import Tensor

COVERAGE = 0.95
"""Share of repeated draws whose score an interval is meant to hold."""

Interval = tuple[float, float]


def resample_counts(labels: Tensor, bootstrap_samples: int, seed: int = 0) -> Tensor:
    """Draws as many images as there are of each class, with replacement, so many times.

    Classes keep their sizes because samples are asked for by class.

    Args:
        labels: int64 [N].
        bootstrap_samples: how many resamples, at least 0.
        seed: of the draws; the global random state is neither read nor changed.

    Returns:
        How often each image was drawn, float32 [bootstrap_samples, N].
    """
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(bootstrap_samples, len(labels))
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        drawn = torch.randint(len(members), (bootstrap_samples, len(members)), generator=generator)
        counts.scatter_add_(1, members[drawn], torch.ones_like(drawn, dtype=torch.float32))
    return counts


def interval(
    value: float, bootstrap_samples: Tensor, lowest: float = -math.inf, highest: float = math.inf
) -> Interval | None:
    """The interval of a score from its values on the resamples.

    A resample holds repeats, so its score is biased (a Fréchet distance is larger); the spread of the
    resamples is therefore laid around the score itself.

    Args:
        value: the score of the samples.
        bootstrap_samples: the score of each resample, [B].
        lowest: what the score cannot be below.
        highest: what it cannot be above.

    Returns:
        Its lower and upper end, or ``None`` if there are fewer than two bootstrap_samples.
    """
    if len(bootstrap_samples) < 2:
        return None
    bootstrap_samples = bootstrap_samples.double()
    tail = (1 - COVERAGE) / 2
    low, middle, high = bootstrap_samples.quantile(torch.tensor([tail, 0.5, 1 - tail], dtype=torch.float64)).tolist()
    low, high = value + low - middle, value + high - middle
    return max(low, lowest), min(high, highest)


def share_interval(hits: Tensor, counts: Tensor) -> Interval | None:
    """Wilson's interval of a share (1927): resamples of no hit at all would say that there can be none.

    Args:
        hits: 0 or 1 of each image, [N].
        counts: only asked whether an interval is wanted: fewer than two resamples give none.
    """
    if len(counts) < 2:
        return None
    share, n = hits.double().mean().item(), len(hits)
    z = NormalDist().inv_cdf((1 + COVERAGE) / 2)
    centre, scale = share + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (centre - half) / scale, (centre + half) / scale
    return 0.0 if share == 0 else low, 1.0 if share == 1 else high  # exactly, not to rounding


def mean_interval(values: Tensor, counts: Tensor) -> Interval | None:
    """The interval of the mean of one value an image.

    Args:
        values: [N].
        counts: as `resample_counts` gives them, [B, N]; B of 0 gives no interval.
    """
    values = values.double()
    bootstrap_samples = (counts.double() @ values) / len(values)
    return interval(values.mean().item(), bootstrap_samples, values.min().item(), values.max().item())
