"""Alarms on the training curves of a run.

Each rule is a function of the rows of ``metrics.jsonl``, whose values are means of about 20 steps, and returns None if
there are too few. Rules on the discriminator and on gradients average over the last fifth of the run.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.alarms.metrics import history, labels_ignored, mode_collapse, not_the_best, still_improving
from fmcgan.analysis.section import Alarm
from fmcgan.app.formatting import percent

Rows = Sequence[Mapping[str, float | None]]

NETWORKS = ("generator", "discriminator")

FEWEST_ROWS = 10
"""Least number of rows; a fifth of them are two."""
SATURATED = 0.98
"""Accuracy of the discriminator above which the generator gets little gradient (Goodfellow et al. 2014, section 3).
Typical runs have 60 to 90 %."""
ALIKE = 0.02
"""Difference below which the shares classified as real count as equal. Their standard error is about 0.005: the last
fifth of a short run has 10,000 images of either origin."""
IMPROVEMENT = 0.05
"""Smallest relative decrease of the Fréchet distance that counts as an improvement."""
NEAR_FLOOR = 3.0
"""Largest ratio of the Fréchet distances of a good generator and of real images."""
GROWTH = 100.0
"""Growth factor of exploding gradient norms; typical runs stay below 10."""
VANISHED = 1e-6
"""Upper bound of a vanishing gradient norm: 1e-9 per weight for a million weights, below Adam's epsilon of 1e-8."""
ALWAYS = 0.9
"""Share of clipped rows above which clipping determines the step size."""
NEARLY_DONE = 0.95
"""Share of the planned epochs above which a run counts as finished."""


class Facts(NamedTuple):
    """Properties of a run that are not in its rows."""

    generator_clip: float | None = None
    """Maximum gradient norm; None: no clipping."""
    discriminator_clip: float | None = None
    has_decision_boundary: bool = True
    """Whether positive logits mean "real"; False for Wasserstein and relativistic losses."""
    planned_epochs: float | None = None
    """None if unknown."""
    finished: bool = True


def curve_alarms(rows: Rows, facts: Facts) -> list[Alarm]:
    """Returns all alarms that the rows raise."""
    found = [
        unfinished(rows, facts.finished, facts.planned_epochs),
        discriminator_saturated(rows, facts.has_decision_boundary),
        discriminator_stuck(rows, facts.has_decision_boundary),
        mode_collapse(rows),
        labels_ignored(rows),
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
    shares = _shares_classified_real(rows) if has_decision_boundary else None
    if shares is None or shares[0] <= SATURATED or shares[1] >= 1 - SATURATED:
        return None
    return Alarm(
        "the discriminator is saturated",
        f"In the last fifth of the run it classified {percent(shares[0], 1)} of the real and {percent(shares[1], 1)} "
        "of the generated images as real. The generator gets little gradient.",
        f"over the last fifth of the run, more than {percent(SATURATED)} of the real and less than "
        f"{percent(1 - SATURATED)} of the generated images are classified as real",
    )


def discriminator_stuck(rows: Rows, has_decision_boundary: bool = True) -> Alarm | None:
    """Raises an alarm if the discriminator does not separate the images although the samples are poor."""
    shares = _shares_classified_real(rows) if has_decision_boundary else None
    if shares is None or abs(shares[0] - shares[1]) >= ALIKE or _good_or_improving(rows):
        return None
    return Alarm(
        "the discriminator does not learn",
        f"In the last fifth of the run it classified {percent(shares[0], 1)} of the real and {percent(shares[1], 1)} "
        "of the generated images as real, and the samples did not improve.",
        f"over the last fifth of the run, the shares classified as real differ by less than {ALIKE:g}, and the "
        f"Fréchet distance did not fall by {percent(IMPROVEMENT)} and is more than {NEAR_FLOOR:g} times that of real "
        "images",
    )


def exploding_gradients(rows: Rows) -> Alarm | None:
    """Raises an alarm if gradient norms explode."""
    grown = []
    for network in NETWORKS:
        first, last = _median_ends(rows, f"gradient_norm/{network}")
        if last > GROWTH * max(first, VANISHED):
            grown.append(f"the {network}'s from {first:.3g} to {last:.3g}")
    if not grown:
        return None
    return Alarm(
        "exploding gradients",
        f"Gradient norms grew between the first and the last fifth of the run: {' and '.join(grown)} (medians).",
        f"a median norm in the last fifth of the run is more than {GROWTH:g} times that in the first fifth",
    )


def vanishing_gradients(rows: Rows) -> Alarm | None:
    """Raises an alarm if gradient norms vanish."""
    ends = {network: _median_ends(rows, f"gradient_norm/{network}")[1] for network in NETWORKS}
    gone = [f"the {network}'s {last:.1g}" for network, last in ends.items() if last < VANISHED]
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


def _good_or_improving(rows: Rows) -> bool:
    known = history(rows, "fd")
    if not known:
        return False
    good = known[-1].floor is not None and known[-1].value <= NEAR_FLOOR * known[-1].floor
    return good or (len(known) > 1 and known[-1].value < (1 - IMPROVEMENT) * known[-2].value)


def _shares_classified_real(rows: Rows) -> tuple[float, float] | None:
    """Averages the shares of real and of generated images classified as real over the last fifth."""
    real, fake = (_values(rows, f"judged_real/{kind}") for kind in ("real", "fake"))
    if min(len(real), len(fake)) < FEWEST_ROWS:
        return None
    return float(_last_fifth(real).mean()), float(_last_fifth(fake).mean())


def _median_ends(rows: Rows, key: str) -> tuple[float, float]:
    """Computes the medians of the first and of the last fifth; nan for few rows, which raises no alarm."""
    values = _values(rows, key)
    if len(values) < FEWEST_ROWS:
        return float("nan"), float("nan")
    return float(np.median(_last_fifth(values[::-1]))), float(np.median(_last_fifth(values)))


def _last_fifth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[-(len(values) // 5) :]


def _values(rows: Rows, key: str) -> NDArray[np.float64]:
    """Returns the finite values of a key."""
    known = np.array([value for row in rows if (value := row.get(key)) is not None], dtype=np.float64)
    return known[np.isfinite(known)]
