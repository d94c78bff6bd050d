"""What the scores of a run say that should not be: a rule each, silent where there is too little to tell."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fmcgan.analysis.percent import percent
from fmcgan.analysis.section import Alarm

Rows = Sequence[Mapping[str, float | None]]

LOST = 0.5
"""Share of the best recall or coverage of the run below which variety was lost on the way."""

NOWHERE = 0.1
"""Share of what real images get below which recall or coverage is next to nothing."""

IGNORED = 0.5
"""Share of real images' label agreement below which the label is not obeyed."""

UNHEARD = 0.2
"""The same where that of real images is not known: twice the chance of one in ten classes."""

IMPROVEMENT = 0.05
"""Share by which a distance must have fallen between the last two evaluations for more training to pay."""

WORSE = 0.1
"""Share by which a distance must have risen above its lowest: more than two evaluations of one generator differ by, and
twice `IMPROVEMENT`, because the lowest of many is low by luck too."""

ANNEALED = 0.1
"""Share of its largest value below which the learning rate has been taken back: such a run ends where it was meant to,
gains most at its end, and cannot simply be continued."""


class Evaluated(NamedTuple):
    """A score at one time."""

    epoch: float
    value: float
    floor: float | None


def history(rows: Rows, score: str) -> list[Evaluated]:
    """One score over time: the first whose name begins so, on our own classifier if there is one.

    Args:
        rows: of a ``metrics.jsonl``.
        score: how its name begins: ``fd``, ``recall``.
    """
    names = list(dict.fromkeys(key for row in rows for key in row if key.startswith(f"score/{score}_")))
    if not names:
        return []
    name = min(names, key=lambda each: "_classifier" not in each).removeprefix("score/")
    known = ((row, row.get(f"score/{name}")) for row in rows)
    return [
        Evaluated(row.get("epoch") or 0.0, value, row.get(f"floor/{name}"))
        for row, value in known
        if value is not None and math.isfinite(value)
    ]


def collapse(rows: Rows) -> Alarm | None:
    """The samples have lost variety, or never had any."""
    found = [text for score in ("recall", "coverage") if (text := _lost(score, history(rows, score)))]
    if not found:
        return None
    return Alarm(
        "collapse",
        f"At the last evaluation, {' and '.join(found)}: the samples show little of what real images show.",
        f"recall or coverage below {percent(LOST)} of its best during the run, or below {percent(NOWHERE)} of what "
        "real images get",
    )


def label_ignored(rows: Rows) -> Alarm | None:
    """The samples are not of the classes that were asked for."""
    known = history(rows, "label_agreement")
    if not known:
        return None
    last, floor = known[-1].value, known[-1].floor
    if last >= (UNHEARD if floor is None else IGNORED * floor):
        return None
    real = "" if floor is None else f" (of real images {percent(floor, 1)})"
    return Alarm(
        "the label is ignored",
        f"At the last evaluation {percent(last, 1)} of the samples were read as the class asked for{real}; chance is "
        "10 %.",
        f"label agreement below {percent(IGNORED)} of that of real images, or below {percent(UNHEARD)} if that is not "
        "known",
    )


def still_improving(rows: Rows) -> Alarm | None:
    """The run ended while it was still getting better, although nothing had slowed it down."""
    known = history(rows, "fd")
    if len(known) < 2 or _annealed(rows) or known[-1].value >= (1 - IMPROVEMENT) * known[-2].value:
        return None
    before, last = known[-2:]
    return Alarm(
        "still improving",
        f"The Fréchet distance fell by {percent(1 - last.value / before.value)} between the last two evaluations, from "
        f"{before.value:.3g} after epoch {before.epoch:g} to {last.value:.3g} after epoch {last.epoch:g}: longer "
        "training would probably pay.",
        f"a Fréchet distance more than {percent(IMPROVEMENT)} below that of the evaluation before, and a learning rate "
        f"that was not taken back below {percent(ANNEALED)}",
    )


def over_the_top(rows: Rows) -> Alarm | None:
    """The best generator of the run is not the last."""
    known = history(rows, "fd")
    if len(known) < 2:
        return None
    best, last = min(known, key=lambda each: each.value), known[-1]
    if last.value <= (1 + WORSE) * best.value:
        return None
    return Alarm(
        "over the top",
        f"The Fréchet distance was best after epoch {best.epoch:g} ({best.value:.3g}) and is {last.value:.3g} after "
        f"epoch {last.epoch:g}: best.ckpt holds a better generator than last.ckpt.",
        f"a last Fréchet distance more than {percent(WORSE)} above the lowest of the run",
    )


def _lost(score: str, known: Sequence[Evaluated]) -> str | None:
    """In words, what became of a score that should be high; None if nothing is wrong with it."""
    if not known:
        return None
    last, best = known[-1], max(known, key=lambda each: each.value)
    if last.floor is not None and last.value < NOWHERE * last.floor:
        return f"{score} is {last.value:.3g} where real images get {last.floor:.3g}"
    if last.value < LOST * best.value:
        return f"{score} is {last.value:.3g} after {best.value:.3g} at epoch {best.epoch:g}"
    return None


def _annealed(rows: Rows) -> bool:
    rates = [rate for row in rows if (rate := row.get("learning_rate/generator")) is not None]
    return bool(rates) and rates[-1] < ANNEALED * max(rates)
