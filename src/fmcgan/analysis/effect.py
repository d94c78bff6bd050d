"""Effect sizes: differences between samples and real images on one scale.

Shares, means, standard deviations and AUCs become comparable by the Fisher-Rao distance of two distributions of one
family (Rao 1945): a share p lies at ``2 asin √p``, which gives Cohen's h (1988, section 6.2); the means of two normal
distributions of equal standard deviation are ``(μ₁ - μ₂) / σ`` apart (Cohen's d), and two standard deviations
``√2 ln(σ₁ / σ₂)``. Two normal distributions with a given AUC are ``√2 Φ⁻¹(AUC)`` apart. By Cohen's convention 0.2 is
small, 0.5 medium and 0.8 large.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from torch import Tensor

from fmcgan.metric.image_set import COVERAGE as LEVEL
from fmcgan.metric.value import wilson_interval

_NORMAL = NormalDist()
Z = _NORMAL.inv_cdf((1 + LEVEL) / 2)  # half the width of a 95 % interval, in standard deviations


@dataclass(frozen=True)
class Difference:
    """The difference between two sets in one quantity."""

    size: float  # positive if the first set has more
    error: float  # standard error of the size; infinite if it is unknown
    p_value: float  # of the test that there is no difference

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the size."""
        return self.size - Z * self.error, self.size + Z * self.error

    @property
    def at_least(self) -> float:
        """The smallest absolute size in the interval; 0 if the interval contains 0."""
        low, high = self.interval
        return max(low, -high, 0.0)

    @property
    def at_most(self) -> float:
        """The largest absolute size in the interval."""
        return max(map(abs, self.interval))

    @property
    def one_sided(self) -> "Difference":
        """The same difference, with a p-value of 1 if the first set does not have more."""
        return self if self.size > 0 else replace(self, p_value=1.0)

    def with_variance(self, variance: float) -> "Difference":
        """Returns the same difference for at least this variance of its size: error and p-value never decrease."""
        error = max(self.error, math.sqrt(variance))
        return Difference(self.size, error, max(self.p_value, 2 * _NORMAL.cdf(-abs(self.size) / error)))


UNKNOWN = Difference(0.0, math.inf, 1.0)  # between sets that are too small to compare


@dataclass(frozen=True, eq=False)
class Examples:
    """Images that show an effect: generated ones beside real ones."""

    generated: NDArray[np.uint8]  # [N, H, W] or [N, H, W, 3]; may be empty
    real: NDArray[np.uint8]  # the same
    generated_title: str  # what they are, such as ``shirts, from the least to the most symmetric``
    real_title: str


@dataclass(frozen=True)
class Words:
    """Words of an effect of one class, for a finding that holds for several classes."""

    noun: str  # the class, such as ``shirts``
    shared: str  # verb phrase, the same for all classes of the finding: ``are less symmetric than real ones``
    numbers: str  # both values of this class: ``mean symmetry 0.831 [0.825, 0.837] against 0.888 [0.886, 0.890]``


@dataclass(frozen=True)
class Effect:
    """A difference between samples and real images that may become a finding."""

    key: str  # unique among all effects, with slashes: ``clusters/bag/3``
    statement: str  # one sentence with both numbers and their intervals
    difference: Difference  # between samples and real images
    floor: Difference  # the same between two sets of real images, which is due to chance
    classes: tuple[int, ...] = ()  # labels it refers to; empty for all
    figure: str | None = None  # name of a picture of the section that shows it
    meaning: str = ""  # one or two sentences: what it means, with the terms of the statement defined
    words: Words | None = None
    """Effects of a section with the same shared words are one finding; ``None``: a finding of its own."""
    examples: Callable[[], Examples] | None = field(default=None, compare=False, repr=False)
    predicted: int | None = None  # class that a classifier predicts for images of the first class, for a confusion

    @property
    def beyond_floor(self) -> bool:
        """Whether the whole interval of the difference exceeds that of the floor."""
        return self.difference.at_least > self.floor.at_most


def difference_of_shares(count: int, n: int, real_count: int, real_n: int) -> Difference:
    """Compares two shares by Cohen's h and Fisher's exact test; `UNKNOWN` if a set is empty.

    The shares are ``count`` of ``n`` samples and ``real_count`` of ``real_n`` real images.
    """
    if min(n, real_n) < 1:
        return UNKNOWN
    angle, real_angle = (2 * math.asin(math.sqrt(k / m)) for k, m in ((count, n), (real_count, real_n)))
    error = math.sqrt(1 / n + 1 / real_n)
    p_value = stats.fisher_exact([[count, n - count], [real_count, real_n - real_count]]).pvalue
    return Difference(angle - real_angle, error, float(p_value))


def difference_of_means(values: ArrayLike, real_values: ArrayLike, least_spread: float = 0.0) -> Difference:
    """Compares the means of two sets in standard deviations of the real images (Glass 1976) by Welch's test.

    Values that are not finite are left out; the difference is `UNKNOWN` for fewer than two, or equal real values. The
    standard deviation counts as at least ``least_spread``. Otherwise, a tenth of a pixel would be a large effect if
    nearly all real images had the same width.
    """
    first, second = _finite(values), _finite(real_values)
    if min(len(first), len(second)) < 2 or np.ptp(second) == 0:
        return UNKNOWN
    spread = max(second.std(ddof=1), least_spread)
    size = (first.mean() - second.mean()) / spread
    ratio = first.var(ddof=1) / spread**2
    # Error of the estimated spread (Hedges 1981, for the standard deviation of the reference group).
    spread_unknown = size**2 / (2 * len(second))
    error = math.sqrt(ratio / len(first) + 1 / len(second) + spread_unknown)
    with _of_equal_values():
        p_value = float(stats.ttest_ind(first, second, equal_var=False).pvalue)
    found = Difference(float(size), error, p_value)
    # A few samples may lack the extreme values of real images by chance; their variance alone is too small.
    return found.with_variance(1 / len(first) + 1 / len(second) + spread_unknown)


def difference_of_spreads(values: ArrayLike, real_values: ArrayLike, least_spread: float = 0.0) -> Difference:
    """Compares two standard deviations by ``√2 ln`` of their ratio and the test of Brown and Forsythe (1974).

    Both count as at least ``least_spread``. The error allows for heavy tails: with kurtosis k the variance of the
    logarithm is ``(k - 1) / 4n``.
    """
    first, second = _finite(values), _finite(real_values)
    if min(len(first), len(second)) < 3 or np.ptp(second) == 0 or np.ptp(first) == 0:
        return UNKNOWN
    ours, theirs = (max(each.std(ddof=1), least_spread) for each in (first, second))
    size = math.sqrt(2) * math.log(ours / theirs)
    with _of_equal_values():
        tails = [stats.kurtosis(each, fisher=False) - 1 for each in (first, second)]
        p_value = float(stats.levene(first, second, center="median").pvalue)
    error = math.sqrt(tails[0] / (2 * len(first)) + tails[1] / (2 * len(second)))
    found = Difference(size, error, p_value)
    return found.with_variance(tails[1] / 2 * (1 / len(first) + 1 / len(second)))


def difference_by_auc(scores: ArrayLike, real_scores: ArrayLike) -> tuple[Difference, float, tuple[float, float]]:
    """Compares the detector scores of two sets by the area under the ROC curve (AUC) and the Mann-Whitney test.

    Args:
        scores: of the samples, [N]; higher means more probably generated.
        real_scores: of real images that the detector was not trained on, [M].

    Returns:
        The difference, the AUC in 0..1 and its 95 % interval by Hanley and McNeil (1982, eq. 2).
    """
    first, second = _finite(scores), _finite(real_scores)
    if min(len(first), len(second)) < 2:
        return UNKNOWN, 0.5, (0.0, 1.0)
    n, m = len(first), len(second)
    test = stats.mannwhitneyu(first, second)
    area = float(test.statistic) / (n * m)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (n * m)
    half = Z * math.sqrt(max(variance, 0.0))
    bounds = max(area - half, 0.0), min(area + half, 1.0)
    clipped = [min(max(each, 1 / (2 * n * m)), 1 - 1 / (2 * n * m)) for each in (area, *bounds)]
    size, low, high = (math.sqrt(2) * _NORMAL.inv_cdf(each) for each in clipped)
    return Difference(size, (high - low) / (2 * Z), float(test.pvalue)), area, bounds


def ranks_within_classes(scores: Tensor, labels: Tensor) -> Tensor:
    """Returns the relative rank of each score, [N], among those of its class, in 0..1: float64 [N].

    So the scores of all classes share one scale. Equal scores share the mean of their ranks.
    """
    found = torch.zeros(len(scores), dtype=torch.float64)
    for label in labels.unique():
        of_class = labels == label
        ranks = torch.from_numpy(stats.rankdata(scores[of_class].numpy()))
        found[of_class] = (ranks - 0.5) / len(ranks)
    return found


def share_text(count: int, n: int, widening: float = 1.0) -> str:
    """Formats a share and its 95 % interval, ``widening`` times as wide for dependent samples: ``4.2 % [3.6, 4.9]``."""
    low, high = (100 * end for end in wilson_interval(round(count / widening**2), round(n / widening**2)))
    digits = 1 if 100 * count < 10 * n or n > 100 * (n - count) else 0  # below 10 % and above 99 %
    return f"{100 * count / max(n, 1):.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"


def share_gap(
    count: int, n: int, real_count: int, real_n: int, widening: float = 1.0
) -> tuple[float, tuple[float, float]]:
    """Returns the difference of two shares and its 95 % interval.

    The interval is the hybrid score interval (Newcombe 1998, method 10), with Wilson intervals that are ``widening``
    times as wide for dependent images.
    """
    shares, bounds = [], []
    for some, of in ((count, n), (real_count, real_n)):
        shares.append(some / max(of, 1))
        bounds.append(wilson_interval(round(some / widening**2), round(of / widening**2)))
    gap = shares[0] - shares[1]
    low = gap - math.hypot(shares[0] - bounds[0][0], bounds[1][1] - shares[1])
    high = gap + math.hypot(bounds[0][1] - shares[0], shares[1] - bounds[1][0])
    return gap, (low, high)


def share_gap_text(count: int, n: int, real_count: int, real_n: int, widening: float = 1.0) -> str:
    """Formats `share_gap` in percentage points: ``11 points [9, 14]``."""
    gap, (low, high) = share_gap(count, n, real_count, real_n, widening)
    digits = 1 if abs(gap) < 0.1 else 0
    return f"{100 * gap:.{digits}f} points [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


@contextmanager
def _of_equal_values() -> Iterator[None]:
    """Suppresses scipy's warning about moments of nearly equal values, whose precision suffices here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        yield


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64).ravel()
    return given[np.isfinite(given)]
