"""Accuracy and calibration of every arm, and paired differences between arms, with 95 % intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmcgan.downstream.arms import NOTHING, Arm, reference_of
from fmcgan.downstream.crossed import Estimate, crossed_mean
from fmcgan.downstream.measurement import Measured, Predictions
from fmcgan.downstream.protocol import RealSize

VERDICTS = {1: ("helps", "better"), 0: ("nothing can be said",) * 2, -1: ("hurts", "worse")}
"""Words for the sign of an interval (above 0, with 0 in it, below 0), against nothing added and against another arm."""


@dataclass(frozen=True)
class ArmResult:
    """Values of one arm; shares in 0..1."""

    size: RealSize
    arm: Arm
    accuracy: Estimate
    calibration_error: Estimate
    by_class: Sequence[float | None]  # accuracy by label; ``None`` for a class without test images


@dataclass(frozen=True)
class Comparison:
    """Differences of an arm to another one with the same real images, seeds and test images."""

    size: RealSize
    arm: Arm
    against: Arm
    accuracy: Estimate
    calibration_error: Estimate  # negative: better calibrated
    by_class: Sequence[Estimate | None]  # of the accuracy
    rare: Estimate | None  # of the accuracy on classes with fewer real images than the mean; None without such

    @property
    def verdict(self) -> str:
        """``helps`` or ``hurts`` (``better`` or ``worse`` than another arm), or ``nothing can be said``."""
        return VERDICTS[self.accuracy.sign][self.against != NOTHING]


@dataclass(frozen=True)
class Results:
    """All arms and comparisons, in the order measured."""

    arms: Sequence[ArmResult]
    comparisons: Sequence[Comparison]
    n_seeds: int
    n_test: int

    def against(self, arm: Arm, size: RealSize | None = None) -> list[Comparison]:
        """Selects the comparisons with an arm, of one set or of all."""
        return [each for each in self.comparisons if each.against == arm and size in (None, each.size)]

    @property
    def sizes(self) -> list[RealSize]:
        """The sets of real images."""
        return list(dict.fromkeys(each.size for each in self.arms))

    def arm(self, size: RealSize, arm: Arm) -> ArmResult:
        """Returns the values of an arm."""
        return next(each for each in self.arms if (each.size, each.arm) == (size, arm))

    def equal_size(self, result: ArmResult) -> float | None:
        """Returns how many real images, and nothing else, give this accuracy, interpolated over log n.

        0 and infinity: fewer and more than were measured. ``None``: fewer than two sizes were measured, or the set is
        long-tailed.
        """
        curve = [each for each in self.arms if each.arm == NOTHING and each.size.long_tail is None]
        if len(curve) < 2 or result.size.long_tail is not None:
            return None
        curve.sort(key=lambda each: each.size.n)
        accuracies = np.maximum.accumulate([each.accuracy.mean for each in curve])
        logs = np.log([each.size.n for each in curve])
        found = np.interp(result.accuracy.mean, accuracies, logs, left=-np.inf, right=np.inf)
        return float(np.exp(found))


def summarize(measured: Measured, num_classes: int) -> Results:
    """Computes all values and differences from the predictions."""
    arms, comparisons = [], []
    classes = [np.flatnonzero(measured.labels == label) for label in range(num_classes)]
    for size, by_arm in measured.predictions.items():
        counts = np.array(measured.real_counts[size])
        is_rare = np.isin(measured.labels, np.flatnonzero(counts < counts.mean()))
        rare = is_rare if size.long_tail is not None else np.zeros_like(is_rare)
        for arm, predictions in by_arm.items():
            terms = predictions.accuracy_terms
            means = [float(terms[:, members].mean()) if len(members) else None for members in classes]
            calibration = crossed_mean(predictions.calibration_terms, 0, 1)
            arms.append(ArmResult(size, arm, crossed_mean(terms, 0, 1), calibration, means))
            references = [each for each in (NOTHING, reference_of(arm)) if each in by_arm and each != arm]
            comparisons += [
                _compare(size, arm, other, predictions, by_arm[other], classes, rare)
                for other in references
                if other is not None
            ]
    n_seeds = len(next(iter(next(iter(measured.predictions.values())).values())).hits)
    return Results(arms, comparisons, n_seeds, len(measured.labels))


def _compare(
    size: RealSize,
    arm: Arm,
    against: Arm,
    ours: Predictions,
    theirs: Predictions,
    classes: Sequence[NDArray[np.int64]],
    rare: NDArray[np.bool_],
) -> Comparison:
    difference = ours.accuracy_terms - theirs.accuracy_terms
    by_class = [crossed_mean(difference[:, members], -1, 1) if len(members) else None for members in classes]
    return Comparison(
        size,
        arm,
        against,
        crossed_mean(difference, -1, 1),
        crossed_mean(ours.calibration_terms - theirs.calibration_terms, -1, 1),
        by_class,
        crossed_mean(difference[:, rare], -1, 1) if rare.any() else None,
    )
