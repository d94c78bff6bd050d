"""Alarms on the training curves and metrics of a run.

Each rule is a function of the rows of ``metrics.jsonl``, whose values are means of about 20 steps, and returns None if
there are too few rows. Rules on the discriminator use means over the last fifth of the run, rules on gradients medians.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.section import Alarm
from fmcgan.app.formatting import percent

Rows = Sequence[Mapping[str, float | None]]

NETWORKS = ("generator", "discriminator")

FEWEST_ROWS = 10  # least number of rows; a fifth of them are two
SATURATED = 0.98
"""Accuracy of the discriminator above which the generator gets little gradient (Goodfellow et al. 2014, section 3).
Typical runs have 60 to 90 %."""
ALIKE = 0.02
"""Difference below which the shares classified as real count as equal. Their standard error is about 0.005: the last
fifth of a short run has 10,000 images of either origin."""
IMPROVEMENT = 0.05
"""Smallest relative decrease of the Fréchet distance between two evaluations that counts as an improvement."""
NEAR_FLOOR = 3.0  # largest ratio of the Fréchet distances of a good generator and of real images
WORSE = 0.1
"""Relative increase of the Fréchet distance that counts as worse. It exceeds the difference between two evaluations
of a generator, and is twice `IMPROVEMENT`, because the lowest of many values is low by chance."""
ANNEALED = 0.1
"""Learning rate, relative to its maximum, below which it was annealed. An annealed run improves most at its end and
cannot simply be continued."""
LOST = 0.5  # recall or coverage, relative to the best of the run, below which variety was lost
ALMOST_NONE = 0.1  # recall or coverage, relative to that of real images, below which there is almost no variety
IGNORED = 0.5  # label agreement, relative to that of real images, below which labels are ignored
GROWTH = 100.0  # growth factor of exploding gradient norms; typical runs stay below 10
VANISHED = 1e-6
"""Upper bound of a vanishing gradient norm: 1e-9 per weight for a million weights, below Adam's epsilon of 1e-8."""
ALWAYS = 0.9  # share of clipped rows above which clipping determines the step size
NEARLY_DONE = 0.95  # share of the planned epochs above which a run counts as finished
_CLASSIFIED = "In the last fifth of the run it classified {} of the real and {} of the generated images as real"


class Facts(NamedTuple):
    """Properties of a run that are not in its rows."""

    generator_clip: float | None = None  # maximum gradient norm; None: no clipping
    discriminator_clip: float | None = None
    has_decision_boundary: bool = True
    """Whether positive logits mean "real"; False for Wasserstein and relativistic losses."""
    planned_epochs: float | None = None  # None if unknown
    finished: bool = True
    chance: float = 0.0  # label agreement of a generator that ignores labels; 0 if unknown


class Evaluated(NamedTuple):
    """A metric at one evaluation; the floor is its value for real images."""

    epoch: float
    value: float
    floor: float | None


def curve_alarms(rows: Rows, facts: Facts) -> list[Alarm]:
    """Returns all alarms that the rows raise."""
    found = [
        unfinished(rows, facts.finished, facts.planned_epochs),
        discriminator_saturated(rows, facts.has_decision_boundary),
        discriminator_stuck(rows, facts.has_decision_boundary),
        mode_collapse(rows),
        labels_ignored(rows, facts.chance),
        exploding_gradients(rows),
        vanishing_gradients(rows),
        clipping_always_active(rows, facts.generator_clip, facts.discriminator_clip),
        still_improving(rows) if facts.finished else None,  # an unfinished run has the first alarm
        not_the_best(rows),
    ]
    return [alarm for alarm in found if alarm is not None]


def unfinished(rows: Rows, finished: bool, planned_epochs: float | None) -> Alarm | None:
    """Raises an alarm if the run has not reached its configured end."""
    done = max((epoch for row in rows if (epoch := row.get("epoch")) is not None), default=0.0)
    if finished or (planned_epochs is not None and done >= NEARLY_DONE * planned_epochs):
        return None
    planned = "" if planned_epochs is None else f" of {planned_epochs:g}"
    return Alarm(
        "the training is not finished",
        f"The run has recorded {done:.3g} epochs{planned} and no result: it is running or was stopped.",
        f"there is no finished result, and less than {percent(NEARLY_DONE)} of the planned epochs are recorded",
    )


def discriminator_saturated(rows: Rows, has_decision_boundary: bool = True) -> Alarm | None:
    """Raises an alarm if the discriminator classifies nearly all images correctly."""
    real, fake = _shares_classified_real(rows, has_decision_boundary)
    if not (real > SATURATED and fake < 1 - SATURATED):
        return None
    return Alarm(
        "the discriminator is saturated",
        f"{_CLASSIFIED.format(percent(real, 1), percent(fake, 1))}. The generator gets little gradient.",
        f"over the last fifth of the run, more than {percent(SATURATED)} of the real and less than "
        f"{percent(1 - SATURATED)} of the generated images are classified as real",
    )


def discriminator_stuck(rows: Rows, has_decision_boundary: bool = True) -> Alarm | None:
    """Raises an alarm if the discriminator does not separate the images although the samples are poor."""
    real, fake = _shares_classified_real(rows, has_decision_boundary)
    known = history(rows, "fd")
    is_good = bool(known) and known[-1].floor is not None and known[-1].value <= NEAR_FLOOR * known[-1].floor
    if not abs(real - fake) < ALIKE or is_good or _is_improving(known):
        return None
    return Alarm(
        "the discriminator does not learn",
        f"{_CLASSIFIED.format(percent(real, 1), percent(fake, 1))}, and the samples did not improve.",
        f"over the last fifth of the run, the shares classified as real differ by less than {ALIKE:g}, and the Fréchet "
        f"distance did not fall by {percent(IMPROVEMENT)} and is more than {NEAR_FLOOR:g} times that of real images",
    )


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


def exploding_gradients(rows: Rows) -> Alarm | None:
    """Raises an alarm if gradient norms explode."""
    grown = [
        f"the {network}'s from {first:.3g} to {last:.3g}"
        for network, first, last in _median_norms(rows)
        if last > GROWTH * max(first, VANISHED)
    ]
    if not grown:
        return None
    return Alarm(
        "exploding gradients",
        f"Gradient norms grew between the first and the last fifth of the run: {' and '.join(grown)} (medians).",
        f"a median norm in the last fifth of the run is more than {GROWTH:g} times that in the first fifth",
    )


def vanishing_gradients(rows: Rows) -> Alarm | None:
    """Raises an alarm if gradient norms vanish."""
    gone = [f"the {network}'s {last:.1g}" for network, _, last in _median_norms(rows) if last < VANISHED]
    if not gone:
        return None
    return Alarm(
        "vanishing gradients",
        f"Gradient norms in the last fifth of the run are almost zero: {' and '.join(gone)} (medians).",
        f"a median norm in the last fifth of the run is below {VANISHED:g}",
    )


def clipping_always_active(
    rows: Rows, generator_clip: float | None = None, discriminator_clip: float | None = None
) -> Alarm | None:
    """Raises an alarm if gradients are nearly always clipped."""
    always = []
    for network, clip in zip(NETWORKS, (generator_clip, discriminator_clip), strict=True):
        norms = _values(rows, f"gradient_norm/{network}")
        if clip is not None and len(norms) >= FEWEST_ROWS and (share := float(np.mean(norms > clip))) > ALWAYS:
            always.append(f"the {network}'s above its limit of {clip:g} in {percent(share)} of the rows")
    if not always:
        return None
    return Alarm(
        "clipping is always active",
        f"Gradients were nearly always clipped: {' and '.join(always)}. The limit then determines the step size.",
        f"the norm exceeds its limit in more than {percent(ALWAYS)} of the rows",
    )


def still_improving(rows: Rows) -> Alarm | None:
    """Raises an alarm if the run was still improving at its end, without an annealed learning rate."""
    known = history(rows, "fd")
    rates = [rate for row in rows if (rate := row.get("learning_rate/generator")) is not None]
    is_annealed = bool(rates) and rates[-1] < ANNEALED * max(rates)
    if is_annealed or not _is_improving(known):
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
        Evaluated(row.get("epoch") or 0.0, value, row.get(f"floor/{name}"))
        for row, value in known
        if value is not None and math.isfinite(value)
    ]


def _is_improving(known: Sequence[Evaluated]) -> bool:
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


def _shares_classified_real(rows: Rows, has_decision_boundary: bool) -> tuple[float, float]:
    """Averages the shares of real and of generated images classified as real over the last fifth; nan if unknown."""
    real, fake = (_values(rows, f"judged_real/{kind}") for kind in ("real", "fake"))
    if not has_decision_boundary or min(len(real), len(fake)) < FEWEST_ROWS:
        return math.nan, math.nan
    return float(_last_fifth(real).mean()), float(_last_fifth(fake).mean())


def _median_norms(rows: Rows) -> Iterator[tuple[str, float, float]]:
    """Yields the networks with enough rows and the medians of their gradient norms in the first and the last fifth."""
    for network in NETWORKS:
        norms = _values(rows, f"gradient_norm/{network}")
        if len(norms) >= FEWEST_ROWS:
            yield network, float(np.median(_last_fifth(norms[::-1]))), float(np.median(_last_fifth(norms)))


def _last_fifth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[-(len(values) // 5) :]


def _values(rows: Rows, key: str) -> NDArray[np.float64]:
    known = np.array([row.get(key) for row in rows], dtype=np.float64)  # None becomes nan
    return known[np.isfinite(known)]
