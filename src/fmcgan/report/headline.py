"""The head of an analysis' page: a few scores as cards, and the sizes of the findings on one ruler."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmcgan.analysis.effect import Effect
from fmcgan.analysis.findings import Judged

_SCORES = (
    ("fd_", "Fréchet distance", "How far their features lie apart; lower is better."),
    ("label_agreement_", "Label agreement", "Share of samples read as the class asked for."),
    ("precision_", "Precision", "Share of samples that lie among real images."),
    ("recall_", "Recall", "Share of real images that lie among samples."),
    ("coverage_", "Coverage", "Share of real images that have a sample nearby."),
)
"""Beginning of the name, title and meaning of the scores that are shown at the head, in that order."""

_PREFERRED = "classifier"
"""Of a score through several networks, the one through this is shown."""


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
    """The scores to show at the head, as far as they were measured.

    Args:
        results: as of `fmcgan.metric.evaluation.Results`; entries of another kind are passed over.
    """
    measured = {name: each for name, each in results.items() if isinstance(each, Mapping) and "better" in each}
    chosen = []
    for beginning, title, meaning in _SCORES:
        names = sorted((name for name in measured if name.startswith(beginning)), key=_preference)
        if names:
            result = measured[names[0]]
            interval = result.get("interval")
            sure = None if interval is None else (float(interval[0]), float(interval[1]))
            share = result["better"] == "higher"
            chosen.append(Card(title, meaning, names[0], result["value"], sure, result.get("floor"), share))
    return chosen


def _preference(name: str) -> tuple[bool, str]:
    return _PREFERRED not in name, name


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
