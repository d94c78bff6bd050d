"""Differences between samples and real images, all on one scale: how far two distributions are apart.

Shares, means, spreads and rankings are made comparable by the distance that Fisher's information gives two members of
one family (Rao 1945): a share p lies at ``2 asin √p`` (which makes the distance Cohen's h, 1988, section 6.2); the
means of two normal distributions of one spread are ``(μ₁ - μ₂) / σ`` apart (Cohen's d) and their spreads
``√2 ln(σ₁ / σ₂)``. An area under the ROC curve is that of two normal distributions ``√2 Φ⁻¹(AUC)`` apart. By Cohen's
custom 0.2 is small, 0.5 medium and 0.8 large.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
"""Of every interval."""

_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True)
class Difference:
    """How far one set is from another in one respect.

    Args:
        size: on the common scale; positive where the first set has more of it.
        error: its standard error; infinite where nothing is known.
        p_value: of the test that there is no difference, in 0..1.
    """

    size: float
    error: float
    p_value: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the size."""
        return self.size - _Z * self.error, self.size + _Z * self.error

    @property
    def at_least(self) -> float:
        """The smallest absolute size within the interval: 0 where it holds 0."""
        low, high = self.interval
        return max(low, -high, 0.0)

    @property
    def at_most(self) -> float:
        """The largest absolute size within the interval."""
        return max(map(abs, self.interval))

    @property
    def if_more(self) -> "Difference":
        """The same for who asks only whether the first set has more: its p-value is 1 where it has not."""
        return self if self.size > 0 else Difference(self.size, self.error, 1.0)

    def no_surer_than(self, variance: float) -> "Difference":
        """The same with an error and a p-value that allow for at least this variance of the size."""
        error = max(self.error, math.sqrt(variance))
        return Difference(self.size, error, max(self.p_value, 2 * _NORMAL.cdf(-abs(self.size) / error)))


UNKNOWN = Difference(0.0, math.inf, 1.0)
"""Of sets too small to be compared."""


@dataclass(frozen=True)
class Effect:
    """A difference between samples and real images that may be told as a finding.

    Args:
        key: unique among all effects, with slashes: ``clusters/bag/3``.
        statement: one plain sentence with both numbers and their intervals, beginning with a capital.
        difference: between samples and real images.
        floor: the same difference between new real images and the same real images: what chance and the data give.
        classes: labels it is about; none if it is about all.
        figure: name of the picture of the section that shows it best.
    """

    key: str
    statement: str
    difference: Difference
    floor: Difference
    classes: tuple[int, ...] = ()
    figure: str | None = None

    @property
    def beyond_floor(self) -> bool:
        """Whether it is surely larger than what real images show among themselves."""
        return self.difference.at_least > self.floor.at_most


def difference_of_shares(count: int, n: int, real_count: int, real_n: int) -> Difference:
    """Compares two shares by Cohen's h, tested exactly by Fisher's test.

    Args:
        count: how many of the samples.
        n: number of samples.
        real_count: how many of the real images.
        real_n: number of real images.
    """
    if min(n, real_n) < 1:
        return UNKNOWN
    place, real_place = (2 * math.asin(math.sqrt(k / m)) for k, m in ((count, n), (real_count, real_n)))
    error = math.sqrt(1 / n + 1 / real_n)
    p_value = stats.fisher_exact([[count, n - count], [real_count, real_n - real_count]]).pvalue
    return Difference(place - real_place, error, float(p_value))


def difference_of_means(values: ArrayLike, real_values: ArrayLike, least_spread: float = 0.0) -> Difference:
    """Compares two means in units of the real images' standard deviation (Glass 1976), by Welch's test.

    Args:
        values: one a sample, [N].
        real_values: one a real image, [M].
        least_spread: what counts as a standard deviation at least: a tenth of a pixel is not large because whole
            pixels seldom differ.
    """
    first, second = _finite(values), _finite(real_values)
    if min(len(first), len(second)) < 2 or np.ptp(second) == 0:
        return UNKNOWN
    spread = max(second.std(ddof=1), least_spread)
    size = (first.mean() - second.mean()) / spread
    ratio = first.var(ddof=1) / spread**2
    # The last term: the spread itself is known from M values only (Hedges 1981, for the reference group's spread).
    spread_unknown = size**2 / (2 * len(second))
    error = math.sqrt(ratio / len(first) + 1 / len(second) + spread_unknown)
    with _of_equal_values():
        p_value = float(stats.ttest_ind(first, second, equal_var=False).pvalue)
    found = Difference(float(size), error, p_value)
    # A few samples may by chance have none of the values far out that real images have, and look surer than they are.
    return found.no_surer_than(1 / len(first) + 1 / len(second) + spread_unknown)


def difference_of_spreads(values: ArrayLike, real_values: ArrayLike, least_spread: float = 0.0) -> Difference:
    """Compares two standard deviations by ``√2 ln`` of their ratio, tested by Brown and Forsythe (1974).

    The error allows for tails: with kurtosis k the logarithm of a standard deviation varies by ``(k - 1) / 4n``.

    Args:
        values: one a sample, [N].
        real_values: one a real image, [M].
        least_spread: what either counts as at least.
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
    return found.no_surer_than(tails[1] / 2 * (1 / len(first) + 1 / len(second)))


def difference_of_scores(scores: ArrayLike, real_scores: ArrayLike) -> tuple[Difference, float, tuple[float, float]]:
    """Compares how a detector ranks two sets, by the area under its ROC curve and the test of Mann and Whitney.

    Args:
        scores: of the samples, [N]: the higher, the more like a sample.
        real_scores: of real images that the detector has not learned from, [M].

    Returns:
        The difference, the area in 0..1 and its 95 % interval by Hanley and McNeil (1982, eq. 2).
    """
    first, second = _finite(scores), _finite(real_scores)
    if min(len(first), len(second)) < 2:
        return UNKNOWN, 0.5, (0.0, 1.0)
    n, m = len(first), len(second)
    test = stats.mannwhitneyu(first, second)
    area = float(test.statistic) / (n * m)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (n * m)
    half = _Z * math.sqrt(max(variance, 0.0))
    bounds = max(area - half, 0.0), min(area + half, 1.0)
    clipped = [min(max(each, 1 / (2 * n * m)), 1 - 1 / (2 * n * m)) for each in (area, *bounds)]
    place, low, high = (math.sqrt(2) * _NORMAL.inv_cdf(each) for each in clipped)
    return Difference(place, (high - low) / (2 * _Z), float(test.pvalue)), area, bounds


def share_interval(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927); ``(0, 1)`` of nothing."""
    if n == 0:
        return 0.0, 1.0
    found = stats.binomtest(int(count), int(n)).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def share_in_words(count: int, n: int, widened: float = 1.0) -> str:
    """A share with its interval, so many times as wide as of independent draws: ``4.2 % [3.6, 4.9]``."""
    low, high = (100 * end for end in share_interval(round(count / widened**2), round(n / widened**2)))
    digits = 1 if 100 * count < 10 * n else 0
    return f"{100 * count / max(n, 1):.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"


@contextmanager
def _of_equal_values() -> Iterator[None]:
    """Without scipy's warning that nearly equal values have no exact moments: the result is finite and good enough."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        yield


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64).ravel()
    return given[np.isfinite(given)]
