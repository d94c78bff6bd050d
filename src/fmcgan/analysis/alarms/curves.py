"""Alarms on the training curves of a run.

Each rule is a function of the rows of ``metrics.jsonl``, whose values are means of about 20 steps, and returns None if
there are too few rows. Rules on the discriminator use means over the last fifth of the run, rules on gradients medians.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.alarms.metrics import (
    IMPROVEMENT,
    Rows,
    history,
    is_improving,
    labels_ignored,
    mode_collapse,
    not_the_best,
    still_improving,
)
from fmcgan.analysis.section import Alarm
from fmcgan.app.formatting import percent

NETWORKS = ("generator", "discriminator")

FEWEST_ROWS = 10  # least number of rows; a fifth of them are two
SATURATED = 0.98
"""Accuracy of the discriminator above which the generator gets little gradient (Goodfellow et al. 2014, section 3).
Typical runs have 60 to 90 %."""
ALIKE = 0.02
"""Difference below which the shares classified as real count as equal. Their standard error is about 0.005: the last
fifth of a short run has 10,000 images of either origin."""
NEAR_REAL = 0.5
"""Largest excess of a good generator's Fréchet distance over that of as many real images, by the classifier. Unlike a
ratio it hardly depends on n; `experiment=quick` has 0.21 (n = 10,000)."""
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


def curve_alarms(rows: Rows, facts: Facts) -> list[Alarm]:
    """Returns all alarms that the rows raise, also those on metrics (`fmcgan.analysis.alarms.metrics`)."""
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
    excess = known[-1].value - known[-1].floor if known and known[-1].floor is not None else math.inf
    if not abs(real - fake) < ALIKE or excess <= NEAR_REAL or is_improving(known):
        return None
    above = f" ({known[-1].name} is {excess:.3g} above that of real images)" if math.isfinite(excess) else ""
    return Alarm(
        "the discriminator does not learn",
        f"{_CLASSIFIED.format(percent(real, 1), percent(fake, 1))}, and the samples did not improve{above}.",
        f"over the last fifth of the run, the shares classified as real differ by less than {ALIKE:g}, and the Fréchet "
        f"distance did not fall by {percent(IMPROVEMENT)} and is more than {NEAR_REAL:g} above that of as many real "
        "images",
    )


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
