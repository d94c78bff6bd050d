"""Alarms on the metrics of a run.

Each rule is a function of the rows of ``metrics.jsonl``, of which those of an evaluation hold metrics, and returns None
if there are too few of them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fmcgan.analysis.section import Alarm
from fmcgan.app.formatting import percent

Rows = Sequence[Mapping[str, float | None]]

IMPROVEMENT = 0.05
"""Smallest relative decrease of the Fréchet distance between two evaluations that counts as an improvement."""
WORSE = 0.1
"""Relative increase of the Fréchet distance that counts as worse. It exceeds the difference between two evaluations
of a generator, and is twice `IMPROVEMENT`, because the lowest of many values is low by chance."""
ANNEALED = 0.1
"""Learning rate, relative to its maximum, below which it was annealed. An annealed run improves most at its end and
cannot simply be continued."""
LOST = 0.5  # recall or coverage, relative to the best of the run, below which variety was lost
ALMOST_NONE = 0.1  # recall or coverage, relative to that of real images, below which there is almost no variety
IGNORED = 0.5  # label agreement, relative to that of real images, below which labels are ignored


class Evaluated(NamedTuple):
    """A metric at one evaluation; the floor is its value for real images."""

    epoch: float
    value: float
    floor: float | None
    name: str  # with its protocol: feature network, number of samples and split


def mode_collapse(rows: Rows) -> Alarm | None:
    """Raises an alarm if the samples have little variety."""
    found = [text for metric in ("recall", "coverage") if (text := _lost(metric, history(rows, metric)))]
    if not found:
        return None
    return Alarm(
        "mode collapse",
        f"At the last evaluation, {' and '.join(found)}: the samples cover little of the data.",
        f"recall or coverage is below {percent(LOST)} of its best value of the run, or below {percent(ALMOST_NONE)} of "
        "that of real images",
    )


def labels_ignored(rows: Rows, chance: float) -> Alarm | None:
    """Raises an alarm if few samples are classified as their conditioned class."""
    known = history(rows, "label_agreement")
    if not known:
        return None
    last, floor = known[-1].value, known[-1].floor
    if last >= ignored_below(floor, chance):
        return None
    real = "" if floor is None else f" (real images: {percent(floor, 1)})"
    return Alarm(
        "labels are ignored",
        f"At the last evaluation, {percent(last, 1)} of the samples were classified as their conditioned class{real}; "
        f"chance is {100 * chance:.2g} %.",
        f"label agreement is below {percent(IGNORED)} of that of real images, or below "
        f"{percent(ignored_below(None, chance))} if that is unknown{few_classes(chance)}",
    )


def ignored_below(real: float | None, chance: float) -> float:
    """Returns the label agreement below which labels are ignored.

    It is a share of that of real images; with so few classes that chance is as good, the mean of chance and real
    images. If the agreement of real images is unknown, it is twice chance, or the mean of chance and 1.
    """
    if real is None:
        return min(2 * chance, (1 + chance) / 2)
    return IGNORED * real if IGNORED * real > chance else (real + chance) / 2


def few_classes(chance: float) -> str:
    """Returns an addition to the rule for few classes."""
    return " (half-way between chance and that of real images, where chance is higher)" if chance > 0.2 else ""


def still_improving(rows: Rows) -> Alarm | None:
    """Raises an alarm if the run was still improving at its end, without an annealed learning rate."""
    known = history(rows, "fd")
    rates = [rate for row in rows if (rate := row.get("learning_rate/generator")) is not None]
    is_annealed = bool(rates) and rates[-1] < ANNEALED * max(rates)
    if is_annealed or not is_improving(known):
        return None
    before, last = known[-2:]
    return Alarm(
        "still improving",
        f"The Fréchet distance fell by {percent(1 - last.value / before.value)} between the last two evaluations, from "
        f"{before.value:.3g} after epoch {before.epoch:g} to {last.value:.3g} after epoch {last.epoch:g}: train "
        "longer.",
        f"the last Fréchet distance is more than {percent(IMPROVEMENT)} below the one before, and the learning rate is "
        f"not below {percent(ANNEALED)} of its largest value",
    )


def not_the_best(rows: Rows) -> Alarm | None:
    """Raises an alarm if the last generator is much worse than the best one."""
    known = history(rows, "fd")
    if len(known) < 2:
        return None
    best, last = min(known, key=lambda each: each.value), known[-1]
    if last.value <= (1 + WORSE) * best.value:
        return None
    return Alarm(
        "the last generator is not the best",
        f"The Fréchet distance was best after epoch {best.epoch:g} ({best.value:.3g}) and is {last.value:.3g} after "
        f"epoch {last.epoch:g}: best.ckpt holds a better generator than last.ckpt.",
        f"the last Fréchet distance is more than {percent(WORSE)} above the lowest of the run",
    )


def history(rows: Rows, metric: str) -> list[Evaluated]:
    """Returns a metric, such as ``fd``, at each evaluation; of several feature networks, that of the classifier."""
    names = list(dict.fromkeys(key for row in rows for key in row if key.startswith(f"score/{metric}_")))
    if not names:
        return []
    name = min(names, key=lambda each: "_classifier" not in each).removeprefix("score/")
    known = ((row, row.get(f"score/{name}")) for row in rows)
    return [
        Evaluated(row.get("epoch") or 0.0, value, row.get(f"floor/{name}"), name)
        for row, value in known
        if value is not None and math.isfinite(value)
    ]


def is_improving(known: Sequence[Evaluated]) -> bool:
    """Whether the last value is more than `IMPROVEMENT` below the one before."""
    return len(known) > 1 and known[-1].value < (1 - IMPROVEMENT) * known[-2].value


def _lost(metric: str, known: Sequence[Evaluated]) -> str | None:
    """Describes a metric that is too low; None if it is not."""
    if not known:
        return None
    last, best = known[-1], max(known, key=lambda each: each.value)
    if last.floor is not None and last.value < ALMOST_NONE * last.floor:
        return f"{metric} is {last.value:.3g} (real images: {last.floor:.3g})"
    if last.value < LOST * best.value:
        return f"{metric} is {last.value:.3g} (epoch {best.epoch:g}: {best.value:.3g})"
    return None
