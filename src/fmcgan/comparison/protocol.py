"""What the scores of a comparison are: which way is better, from how many images, what real data reach."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fmcgan.comparison.run import Run


@dataclass(frozen=True)
class Protocol:
    """How a score was measured, as all runs say that have it.

    Args:
        better: ``lower``, ``higher`` or ``real`` (the nearer to real data, the better); empty if the runs do not
            agree.
        n: numbers of images it was measured from; more than one if the runs do not agree.
        floors: what real data reach by the same protocol; several if the runs do not agree, none if unknown.
    """

    better: str
    n: tuple[int, ...]
    floors: tuple[float, ...]

    @property
    def floor(self) -> float:
        """The middle of the floors, nan if there is none."""
        return sum(self.floors) / len(self.floors) if self.floors else math.nan

    @property
    def direction(self) -> str:
        """By what groups can be judged: ``better``, but empty if that is ``real`` and no floor is known."""
        return "" if self.better == "real" and not self.floors else self.better

    @property
    def in_words(self) -> str:
        """``better`` as a phrase, empty if it is."""
        return {"real": "nearer to real data is better", "": ""}.get(self.better, f"{self.better} is better")


UNKNOWN = Protocol(better="", n=(), floors=())
"""Of a score that stands in no ``result.json``."""


def protocols(runs: Iterable[Run]) -> dict[str, Protocol]:
    """Protocol of each score that a ``result.json`` of the runs holds, by the name of the score."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for name, score in (run.result or {"scores": {}})["scores"].items():
            found.setdefault(name, []).append(score)
    return {name: _protocol(scores) for name, scores in sorted(found.items())}


def _protocol(scores: list[dict[str, Any]]) -> Protocol:
    directions = {str(score["better"]) for score in scores}
    floors = {float(score["floor"]) for score in scores if score.get("floor") is not None}
    return Protocol(
        better=directions.pop() if len(directions) == 1 else "",
        n=tuple(sorted({int(score["n"]) for score in scores})),
        floors=tuple(sorted(floors)),
    )
