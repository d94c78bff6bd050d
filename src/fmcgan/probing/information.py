"""How the information in a verdict divides among class, attribute and the rest."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.effect import Difference, Z

Whole = NDArray[np.int64]

SMALL = Difference(0.2, 0.0, 1.0)
"""Cohen's small effect (1988), by which good classifiers differ from each other: the floor of comparisons of two."""


@dataclass(frozen=True)
class Share:
    """A share in 0..1 with its standard error."""

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval, within 0..1."""
        return max(self.value - Z * self.error, 0.0), min(self.value + Z * self.error, 1.0)

    @property
    def angle(self) -> Difference:
        """The share on the scale of Cohen's h, ``2 asin √share``."""
        low, high = (_angle(self.value + sign * self.error) for sign in (-1, 1))
        return Difference(_angle(self.value), max((high - low) / 2, 1e-9), 1.0)

    def in_words(self) -> str:
        """Formats value and interval: ``47 % [45, 49]``."""
        low, high = (100 * end for end in self.interval)
        digits = 1 if self.value < 0.1 else 0
        return f"{100 * self.value:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"


def difference_of(first: Share, second: Share) -> Difference:
    """Compares two shares by Cohen's h, with a normal test; errors are taken as independent."""
    ours, theirs = first.angle, second.angle
    error = math.hypot(ours.error, theirs.error)
    size = ours.size - theirs.size
    return Difference(size, error, math.erfc(abs(size) / error / math.sqrt(2)))


def entropy(counts: NDArray[np.float64]) -> float:
    """Returns the entropy in nats of the distribution of counts, of any shape."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def label_share(verdicts: Whole, labels: Whole, num_classes: int) -> Share:
    """Returns the share ``I(V; Y) / H(V)`` of the information in verdicts V that the labels Y explain.

    1: the verdict is a function of the label; 0: it does not depend on it, or it is always the same.
    """
    return _explained(verdicts, labels, np.zeros_like(labels), num_classes)


def attribute_share(verdicts: Whole, labels: Whole, bins: Whole, num_classes: int) -> Share:
    """Returns the share ``I(V; A | Y) / H(V)`` that bins A of an attribute explain within the classes Y.

    So label, attribute and the rest add up to 1: ``H(V) = I(V; Y) + I(V; A | Y) + H(V | A, Y)``.
    """
    return _explained(verdicts, bins, labels, num_classes)


def _explained(verdicts: Whole, explaining: Whole, given: Whole, num_classes: int) -> Share:
    """Returns ``I(V; E | G) / H(V)``, with Miller and Madow's (1955) correction of the bias of the information.

    The error is that of the mean of the pointwise information; H(V) is taken as known.
    """
    total = entropy(np.bincount(verdicts, minlength=num_classes).astype(np.float64))
    if total == 0 or len(verdicts) < 2:
        return Share(0.0, 0.0)
    pointwise = np.zeros(len(verdicts))
    bias = 0.0
    for group in np.unique(given):
        members = np.flatnonzero(given == group)
        table = np.zeros((explaining.max() + 1, num_classes))
        np.add.at(table, (explaining[members], verdicts[members]), 1.0)
        rows, columns, n = table.sum(axis=1), table.sum(axis=0), len(members)
        joint = table[explaining[members], verdicts[members]]
        pointwise[members] = np.log(joint * n / (rows[explaining[members]] * columns[verdicts[members]]))
        bias += (np.count_nonzero(table) - np.count_nonzero(rows) - np.count_nonzero(columns) + 1) / 2
    information = max(float(pointwise.mean()) - bias / len(verdicts), 0.0)
    error = float(pointwise.std(ddof=1)) / math.sqrt(len(verdicts))
    return Share(min(information / total, 1.0), error / total)


def _angle(share: float) -> float:
    return 2 * math.asin(math.sqrt(min(max(share, 0.0), 1.0)))
