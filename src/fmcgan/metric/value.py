"""Values of metrics, their 95 % intervals and the quantities that they measure."""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

from torch import Tensor

from fmcgan.metric.image_set import COVERAGE, ImageSet, Interval, interval

Direction = Literal["lower", "higher", "real"]
"""Which values are better; ``real``: those closer to the value of real images."""


class Quantity(NamedTuple):
    """Description of a measured quantity, for tables, figures and pages."""

    title: str
    better: Direction
    unit: str = ""  # empty for shares, scores and squared units of features
    lowest: float = -math.inf
    highest: float = math.inf
    summary: str = ""  # one sentence for the head of a report; empty: the quantity is not shown there
    plain: str = ""  # name for readers who do not know the title, in the head of a report

    @property
    def is_share(self) -> bool:
        """Whether values lie in 0..1."""
        return (self.lowest, self.highest) == (0, 1)


class MetricValue(NamedTuple):
    """A number measured on a set of images."""

    value: float
    interval: Interval | None = None  # 95 %, over the samples
    by_class: Sequence[float | None] | None = None  # by label; ``None`` for a class without samples


def by_class(values: Tensor, labels: Tensor, num_classes: int) -> Sequence[float | None]:
    """Averages one value per image, [N], over each class, [K]; ``None`` for a class without images."""
    means = [values[labels == label].double().mean().item() for label in range(num_classes)]
    return tuple(None if math.isnan(mean) else mean for mean in means)


def mean_interval(values: Tensor, counts: Tensor) -> Interval | None:
    """Computes the bootstrap interval of the mean of values, [N], from the counts of each resample, [B, N]."""
    values = values.double()
    resampled = (counts.double() @ values) / len(values)
    return interval(values.mean().item(), resampled, values.min().item(), values.max().item())


def share_interval(hits: Tensor, counts: Tensor) -> Interval | None:
    """Computes `wilson_interval` of hits, 0 or 1 in [N]; ``None`` if counts, [B, N], have fewer than two resamples.

    A bootstrap interval of a share of 0 or 1 would have zero width.
    """
    return None if len(counts) < 2 else wilson_interval(int(hits.sum().item()), len(hits))


def wilson_interval(count: int, n: int) -> Interval:
    """Computes Wilson's 95 % interval (1927) of the share ``count / n``; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share, z = count / n, NormalDist().inv_cdf((1 + COVERAGE) / 2)
    centre, scale = share + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (centre - half) / scale, (centre + half) / scale
    return 0.0 if count == 0 else low, 1.0 if count == n else high  # exact, without rounding


def mean_value(
    values: Tensor, images: ImageSet, interval_of: Callable[[Tensor, Tensor], Interval | None] | None = mean_interval
) -> MetricValue:
    """Averages one value per image, [N], over the set and each class.

    ``interval_of`` maps values and counts of resamples to the interval: for hits, 0 or 1, it is `share_interval`.
    """
    values = values.double()
    bounds = interval_of(values, images.resamples) if interval_of else None
    return MetricValue(values.mean().item(), bounds, by_class(values, images.labels, images.info.num_classes))
