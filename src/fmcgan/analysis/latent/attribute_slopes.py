"""Changes of attributes along latent directions."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fmcgan.analysis.attributes import ATTRIBUTES
from fmcgan.analysis.effect import Z
from fmcgan.analysis.latent.space import set_coordinate
from fmcgan.training.sampling import render

Numbers = NDArray[np.float64]
Measure = Callable[[NDArray[np.uint8]], Mapping[str, Numbers]]
"""From uint8 [N, C, H, W] to one number per image, [N], by name; nan where it is undefined."""
REACH = 2.0  # slopes are measured between -`REACH` and +`REACH` standard deviations
LEAST_SLOPE = 0.1  # smallest slope that is mentioned: half of Cohen's "small"
MOST_WORDS = 3


class Slopes(NamedTuple):
    """Slopes of attributes along directions: standard deviations of the class per standard deviation of the latent."""

    names: tuple[str, ...]  # of A attributes
    mean: Numbers  # over all classes and latent vectors, [D, A]
    half: Numbers  # half the width of its 95 % interval over latent vectors, [D, A]
    by_class: Numbers  # of each class, [D, K, A]
    half_by_class: Numbers  # half the width of its interval, [D, K, A]

    def oriented(self) -> tuple["Slopes", Numbers]:
        """Orients directions so that their strongest attributes rise; also returns the signs, +1 or -1, [D]."""
        strongest = np.nan_to_num(np.abs(self.mean)).argmax(axis=1)
        signs = np.where(self.mean[np.arange(len(self.mean)), strongest] < 0, -1.0, 1.0)
        mean, by_class = self.mean * signs[:, None], self.by_class * signs[:, None, None]
        return self._replace(mean=mean, by_class=by_class), signs

    def in_words(self, direction: int) -> str:
        """Describes the changes along a direction: ``are brighter and have fewer edges``."""
        mean, half = self.mean[direction], self.half[direction]
        order = np.argsort(-np.nan_to_num(np.abs(mean)), kind="stable")[:MOST_WORDS]
        named = [at for at in order if abs(mean[at]) >= LEAST_SLOPE and abs(mean[at]) > half[at]]
        verbs = {each.name: (each.more, each.less) for each in ATTRIBUTES}
        words = [
            verbs.get(name, (f"have more {name}", f"have less {name}"))[bool(mean[at] < 0)]
            for at, name in ((at, self.names[at]) for at in named)
        ]
        *first, last = words or ["hardly change in these attributes"]
        return f"{', '.join(first)} and {last}" if first else last


def class_spreads(measured: Mapping[str, Numbers], labels: Tensor, num_classes: int) -> Numbers:
    """Computes the standard deviation of attributes [N] within K classes, [K, A]; nan if 0 or unknown."""
    spreads = np.full((num_classes, len(measured)), np.nan)
    for at, values in enumerate(measured.values()):
        for label in range(num_classes):
            own = values[(labels == label).numpy() & np.isfinite(values)]
            if len(own) > 1 and np.ptp(own) > 0:
                spreads[label, at] = own.std(ddof=1)
    return spreads


def attribute_slopes(
    generator: nn.Module,
    directions: Tensor,
    latents: Tensor,
    labels: Tensor,
    spreads: Numbers,
    measure: Measure,
) -> Slopes:
    """Measures the slope of each attribute along each direction.

    Args:
        generator: as for `render`.
        directions: unit vectors, [D, Z].
        latents: standard normal, [N, Z].
        labels: the class of each, int64 [N].
        spreads: as `class_spreads` returns them, in the order of ``measure``, [K, A].
        measure: computes the attributes.
    """

    def measured(direction: Tensor, position: float) -> Mapping[str, Numbers]:
        return measure(render(generator, set_coordinate(latents, direction, position), labels).numpy())

    of_each: list[Numbers] = []
    names: tuple[str, ...] = ()
    for direction in directions:
        low, high = measured(direction, -REACH), measured(direction, REACH)
        names = tuple(low)
        rise = np.stack([high[name] - low[name] for name in names], axis=1)
        of_each.append(rise / (2 * REACH) / spreads[labels.numpy()])
    slopes = np.stack(of_each)  # [D, N, A]
    mean, half = _mean(slopes)
    of_classes = [_mean(slopes[:, (labels == label).numpy()]) for label in range(len(spreads))]
    by_class, half_by_class = (np.stack(each, axis=1) for each in zip(*of_classes, strict=True))
    return Slopes(names, mean, half, by_class, half_by_class)


def _mean(values: Numbers) -> tuple[Numbers, Numbers]:
    """Averages the finite values of axis 1; also returns half the width of the interval; nan and inf for too few."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=1) / count
        squares = np.where(known, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
        half = Z * np.sqrt(squares / (count - 1) / count)
    return mean, np.where(count > 1, half, np.inf)
