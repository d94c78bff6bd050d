"""What the curves of a run say that should not be: a rule each, silent where there is too little to tell.

Each rule is a function of the rows of ``metrics.jsonl``, whose values are means of some 20 steps. What the
discriminator and the gradients do is read off the last fifth of the run: long enough to average, short enough to be
the end. Rules on scores are in `fmcgan.analysis.alarms.scores`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.alarms.scores import collapse, history, label_ignored, over_the_top, still_improving
from fmcgan.analysis.percent import percent
from fmcgan.analysis.section import Alarm

Rows = Sequence[Mapping[str, float | None]]

PLAYERS = ("generator", "discriminator")

FEWEST_ROWS = 10
"""With fewer rows, a fifth of them is one: nothing is said."""

SURE = 0.98
"""A discriminator that is right so often leaves the generator little to learn from (Goodfellow et al. 2014, section 3);
those of sound runs are right in 60 to 90 % of the cases."""

ALIKE = 0.02
"""Shares judged real that differ by less are one share: the last fifth even of a short run holds some 10,000 images of
each kind, whose shares scatter by 0.005."""

IMPROVEMENT = 0.05
"""Share by which a distance must have fallen for a generator to be learning."""

NEAR_FLOOR = 3.0
"""Times the distance of real images, within which a discriminator has nothing left to find."""

GROWTH = 100.0
"""Factor by which gradient norms explode; over sound runs they change by less than 10."""

VANISHED = 1e-6
"""Of a network of a million weights this is 1e-9 a weight, which Adam's epsilon of 1e-8 swallows."""

ALWAYS = 0.9
"""Share of the rows above the clip at which little more than directions is left of the gradients."""

NEARLY_DONE = 0.95
"""Share of the planned epochs from which a run counts as done."""


class Facts(NamedTuple):
    """What is known of a run beside its rows."""

    generator_clip: float | None = None
    """The norm to which gradients were clipped; None if they were not."""
    discriminator_clip: float | None = None
    has_decision_boundary: bool = True
    """Whether a positive logit means "real": not with Wasserstein and relativistic losses."""
    planned_epochs: float | None = None
    """None if nobody knows."""
    finished: bool = True


def curve_alarms(rows: Rows, facts: Facts) -> list[Alarm]:
    """All alarms that these rows raise."""
    found = [
        unfinished(rows, facts.finished, facts.planned_epochs),
        discriminator_wins(rows, facts.has_decision_boundary),
        discriminator_learns_nothing(rows, facts.has_decision_boundary),
        collapse(rows),
        label_ignored(rows),
        exploding_gradients(rows),
        vanishing_gradients(rows),
        clipping_always_active(rows, facts.generator_clip, facts.discriminator_clip),
        still_improving(rows) if facts.finished else None,  # else the first alarm says so
        over_the_top(rows),
    ]
    return [alarm for alarm in found if alarm is not None]


def unfinished(rows: Rows, finished: bool, planned_epochs: float | None) -> Alarm | None:
    """The run has not come to the end that its configuration set."""
    done = max((epoch for row in rows if (epoch := row.get("epoch")) is not None), default=0.0)
    if finished or (planned_epochs is not None and done >= NEARLY_DONE * planned_epochs):
        return None
    planned = "" if planned_epochs is None else f" of {planned_epochs:g} planned ones"
    return Alarm(
        "the training is not finished",
        f"The run has recorded {done:.3g} epochs{planned} and no result: it is still running or was stopped.",
        f"no finished result, and fewer than {percent(NEARLY_DONE)} of the planned epochs",
    )


def discriminator_wins(rows: Rows, has_decision_boundary: bool = True) -> Alarm | None:
    """The discriminator tells nearly all images apart; nothing is said of losses whose zero does not divide."""
    shares = _shares_judged_real(rows) if has_decision_boundary else None
    if shares is None or shares[0] <= SURE or shares[1] >= 1 - SURE:
        return None
    return Alarm(
        "the discriminator wins",
        f"In the last fifth of the run it took {percent(shares[0], 1)} of the real and {percent(shares[1], 1)} of the "
        "generated images for real: the generator has little left to learn from.",
        f"over the last fifth of the run, more than {percent(SURE)} of the real and fewer than {percent(1 - SURE)} of "
        "the generated images judged real",
    )


def discriminator_learns_nothing(rows: Rows, has_decision_boundary: bool = True) -> Alarm | None:
    """It judges real and generated images alike, although the generator is neither good nor getting better."""
    shares = _shares_judged_real(rows) if has_decision_boundary else None
    if shares is None or abs(shares[0] - shares[1]) >= ALIKE or _good_or_improving(rows):
        return None
    return Alarm(
        "the discriminator learns nothing",
        f"In the last fifth of the run it took {percent(shares[0], 1)} of the real and {percent(shares[1], 1)} of the "
        "generated images for real, and the samples did not get better.",
        f"over the last fifth of the run, shares judged real within {ALIKE:g} of each other, and a Fréchet distance "
        f"that has not fallen by {percent(IMPROVEMENT)} and is beyond {NEAR_FLOOR:g} times that of real images",
    )


def exploding_gradients(rows: Rows) -> Alarm | None:
    """Gradient norms grow without bound."""
    grown = []
    for player in PLAYERS:
        first, last = _median_ends(rows, f"gradient_norm/{player}")
        if last > GROWTH * max(first, VANISHED):
            grown.append(f"the {player}'s from {first:.3g} to {last:.3g}")
    if not grown:
        return None
    return Alarm(
        "exploding gradients",
        f"Gradient norms grew between the first and the last fifth of the run: {' and '.join(grown)} (medians).",
        f"a median norm in the last fifth of the run more than {GROWTH:g} times that in the first",
    )


def vanishing_gradients(rows: Rows) -> Alarm | None:
    """Gradient norms are as good as zero."""
    ends = {player: _median_ends(rows, f"gradient_norm/{player}")[1] for player in PLAYERS}
    gone = [f"the {player}'s {last:.1g}" for player, last in ends.items() if last < VANISHED]
    if not gone:
        return None
    return Alarm(
        "vanishing gradients",
        f"Gradient norms in the last fifth of the run are next to nothing: {' and '.join(gone)} (medians).",
        f"a median norm in the last fifth of the run below {VANISHED:g}",
    )


def clipping_always_active(
    rows: Rows, generator_clip: float | None = None, discriminator_clip: float | None = None
) -> Alarm | None:
    """Gradients are clipped so often that the clip is the learning rate."""
    always = []
    for player, clip in zip(PLAYERS, (generator_clip, discriminator_clip), strict=True):
        norms = _values(rows, f"gradient_norm/{player}")
        if clip is not None and len(norms) >= FEWEST_ROWS and (share := float(np.mean(norms > clip))) > ALWAYS:
            always.append(f"the {player}'s above its clip of {clip:g} in {percent(share)} of the rows")
    if not always:
        return None
    return Alarm(
        "clipping is always active",
        f"Gradient norms were nearly always clipped: {' and '.join(always)}. The clip then sets the size of the steps.",
        f"more than {percent(ALWAYS)} of the rows with a norm above the clip",
    )


def _good_or_improving(rows: Rows) -> bool:
    known = history(rows, "fd")
    if not known:
        return False
    good = known[-1].floor is not None and known[-1].value <= NEAR_FLOOR * known[-1].floor
    return good or (len(known) > 1 and known[-1].value < (1 - IMPROVEMENT) * known[-2].value)


def _shares_judged_real(rows: Rows) -> tuple[float, float] | None:
    """Of real and of generated images, means over the last fifth."""
    real, fake = (_values(rows, f"judged_real/{kind}") for kind in ("real", "fake"))
    if min(len(real), len(fake)) < FEWEST_ROWS:
        return None
    return float(_last_fifth(real).mean()), float(_last_fifth(fake).mean())


def _median_ends(rows: Rows, key: str) -> tuple[float, float]:
    """Medians of the first and of the last fifth; of few rows nan, which no rule takes for too large or small."""
    values = _values(rows, key)
    if len(values) < FEWEST_ROWS:
        return float("nan"), float("nan")
    return float(np.median(_last_fifth(values[::-1]))), float(np.median(_last_fifth(values)))


def _last_fifth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[-(len(values) // 5) :]


def _values(rows: Rows, key: str) -> NDArray[np.float64]:
    """The finite values of a key."""
    known = np.array([value for row in rows if (value := row.get(key)) is not None], dtype=np.float64)
    return known[np.isfinite(known)]
