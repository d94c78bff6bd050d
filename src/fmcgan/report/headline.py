"""The head of an analysis' page: a few scores as cards, and the sizes of the findings on one ruler."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmcgan.analysis.effect import Effect
from fmcgan.analysis.findings import Judged


@dataclass(frozen=True)
class Card:
    """A score at the head of the page.

    Args:
        title: in words.
        meaning: one or two short sentences.
        name: of the score.
        value: of the samples.
        interval: 95 %, or None.
        floor: of real images, or None.
        share: whether it lies in 0..1, so that it can be shown as a part of a bar.
    """

    title: str
    meaning: str
    name: str
    value: float
    interval: tuple[float, float] | None
    floor: float | None
    share: bool

    @property
    def times(self) -> str:
        """How many times the floor a distance is, in words; empty where that means nothing."""
        if self.share or not self.floor or self.floor < 0:
            return ""
        times = self.value / self.floor
        return f"{times:,.0f} times the floor" if times >= 9.95 else f"{times:.1f} times the floor"


def cards(results: Mapping[str, Any]) -> list[Card]:
    """Chooses the scores with a summary, of each title the first one: that on the first feature network.

    Args:
        results: as of `fmcgan.metric.results.Results`; other entries are ignored.
    """
    chosen: dict[str, Card] = {}
    for name, result in results.items():
        if isinstance(result, Mapping) and result.get("summary") and result["title"] not in chosen:
            title, summary, value, floor = (result[key] for key in ("title", "summary", "value", "floor"))
            interval = None if result["interval"] is None else (result["interval"][0], result["interval"][1])
            chosen[title] = Card(title, summary, name, value, interval, floor, list(result["range"]) == [0, 1])
    return list(chosen.values())


@dataclass(frozen=True)
class Bar:
    """An effect on the ruler, in percent of its length.

    Args:
        size: end of the bar.
        low: lower end of the interval.
        high: upper end of the interval.
        floor: up to where real images differ among themselves.
        words: the same, to be read aloud.
    """

    size: float
    low: float
    high: float
    floor: float
    words: str


@dataclass(frozen=True)
class Ruler:
    """All findings on one scale from 0.

    Args:
        bars: by the key of the effect.
        marks: (size, percent) of lines that help to read it.
    """

    bars: Mapping[str, Bar]
    marks: Sequence[tuple[float, float]]


def ruler(findings: Sequence[Judged]) -> Ruler:
    """Puts absolute sizes, their intervals and their floors on one ruler; it is at least 1 long, a large effect.

    Args:
        findings: those shown.
    """
    effects = [each.effect for each in findings]
    ends = [each.at_most for effect in effects for each in (effect.difference, effect.floor)]
    length = max([1.0, *(end for end in ends if math.isfinite(end))])
    step = next(step for step in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, math.inf) if length / step <= 6)
    marks = [] if math.isinf(step) else [round(step * count, 1) for count in range(1, int(length / step) + 1)]
    return Ruler({each.key: _bar(each, length) for each in effects}, [(size, 100 * size / length) for size in marks])


def _bar(effect: Effect, length: float) -> Bar:
    difference, floor = effect.difference, effect.floor
    return Bar(
        size=100 * min(abs(difference.size) / length, 1),
        low=100 * min(difference.at_least / length, 1),
        high=100 * min(difference.at_most / length, 1),
        floor=100 * min(floor.at_most / length, 1),
        words=f"size {abs(difference.size):.2f} [{difference.at_least:.2f}, {difference.at_most:.2f}], "
        f"among real images at most {floor.at_most:.2f}",
    )
