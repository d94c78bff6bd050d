"""Top of an analysis page: metrics as cards, and effect sizes of the findings on one scale."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fmcgan.analysis.effect import Effect
from fmcgan.analysis.findings import AdjustedEffect

_PREFERRED = "classifier"
"""Preferred feature network for the card of a metric."""


@dataclass(frozen=True)
class Card:
    """A metric at the top of the page, with its 95 % interval and the value of real images; a share lies in 0..1."""

    title: str
    summary: str
    name: str
    value: float
    interval: tuple[float, ...]
    floor: float | None
    is_share: bool

    @property
    def times(self) -> str:
        """Ratio to the floor in words; empty for shares and without a positive floor."""
        if self.is_share or not self.floor or self.floor < 0:
            return ""
        times = self.value / self.floor
        return f"{times:,.0f} times that of real images" if times >= 9.95 else f"{times:.1f} times that of real images"


def cards(results: Mapping[str, object]) -> list[Card]:
    """Makes a card for each title of the metrics that have a summary, by the preferred feature network.

    Args:
        results: as `fmcgan.metric.results.Results`; entries of other kinds are skipped.
    """
    shown = {name: each for name, each in results.items() if isinstance(each, Mapping) and each.get("summary")}
    chosen = []
    for title in dict.fromkeys(each["title"] for each in shown.values()):
        names = [name for name, each in shown.items() if each["title"] == title]
        name = min(names, key=lambda each: (_PREFERRED not in each, each))
        result = shown[name]
        interval = tuple(map(float, result.get("interval") or ()))
        is_share = result["range"] == [0, 1]
        chosen.append(Card(title, result["summary"], name, result["value"], interval, result.get("floor"), is_share))
    return chosen


@dataclass(frozen=True)
class Bar:
    """An effect on the scale, in percent of its length, and in words for screen readers.

    ``low`` and ``high`` are the ends of the interval; ``floor`` is the upper end of the interval of the floor.
    """

    size: float
    low: float
    high: float
    floor: float
    words: str


@dataclass(frozen=True)
class Scale:
    """Common scale of all findings, from 0: bars by the key of the effect, and grid lines (size, percent)."""

    bars: Mapping[str, Bar]
    marks: Sequence[tuple[float, float]]


def scale(findings: Sequence[AdjustedEffect]) -> Scale:
    """Scales absolute sizes, intervals and floors to a common length of at least 1, a large effect."""
    effects = [each.effect for each in findings]
    ends = [each.at_most for effect in effects for each in (effect.difference, effect.floor)]
    length = max([1.0, *(end for end in ends if math.isfinite(end))])
    step = next(step for step in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, math.inf) if length / step <= 6)
    marks = [] if math.isinf(step) else [round(step * count, 1) for count in range(1, int(length / step) + 1)]
    return Scale({each.key: _bar(each, length) for each in effects}, [(size, 100 * size / length) for size in marks])


def _bar(effect: Effect, length: float) -> Bar:
    difference, floor = effect.difference, effect.floor
    return Bar(
        size=100 * min(abs(difference.size) / length, 1),
        low=100 * min(difference.at_least / length, 1),
        high=100 * min(difference.at_most / length, 1),
        floor=100 * min(floor.at_most / length, 1),
        words=f"size {abs(difference.size):.2f} [{difference.at_least:.2f}, {difference.at_most:.2f}], "
        f"floor at most {floor.at_most:.2f}",
    )
