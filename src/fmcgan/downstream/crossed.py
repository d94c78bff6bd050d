"""Intervals over classifiers (seeds) and test images at once."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from fmcgan.metric.value import COVERAGE

_BINS = 15  # of the confidence


class Estimate(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 if the interval leaves out 0, else 0: nothing can be said."""
        return int(self.low > 0) - int(self.high < 0)


def crossed_mean(values: NDArray[np.float64], lowest: float = -math.inf, highest: float = math.inf) -> Estimate:
    """Estimates the mean over all seeds and all test images of which these are random ones.

    Both vary and are crossed: every classifier reads every image. The variance of the mean is estimated from the mean
    squares of the two-way table, and Student's t has the degrees of freedom of Hillis 2007, "A comparison of
    denominator degrees of freedom methods for multiple observer ROC analysis", for random readers and cases. The
    interval is never narrower than if the seeds did not matter: few seeds may agree by chance.

    Args:
        values: [S, M], one for each seed and image: hits, or differences of hits between two arms (so that they are
            paired by seed and by image); S at least 2, M at least 1.
        lowest: smallest possible mean, where the interval ends.
        highest: largest possible mean.
    """
    seeds, images = values.shape
    mean, rows, columns = float(values.mean()), values.mean(axis=1), values.mean(axis=0)
    between_seeds = images * float(rows.var(ddof=1))
    of_images = interaction = 0.0
    if images > 1:
        residuals = values - rows[:, None] - columns + mean
        interaction = float((residuals**2).sum()) / ((seeds - 1) * (images - 1))
        of_images = max(seeds * float(columns.var(ddof=1)) - interaction, 0.0)
    spread = between_seeds + of_images
    freedom = (seeds - 1) * (spread / between_seeds) ** 2 if between_seeds > 0 else math.inf
    quantiles = stdtrit([min(freedom, 1e9), 1e9], (1 + COVERAGE) / 2)  # the last is that of the normal distribution
    half = float(np.max(quantiles * np.sqrt([spread, interaction + of_images]))) / math.sqrt(seeds * images)
    return Estimate(mean, max(mean - half, lowest), min(mean + half, highest))


def calibration_terms(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns one value for each image, [M], whose mean is the expected calibration error.

    ECE (Guo et al. 2017, "On calibration of modern neural networks", 15 bins of equal width) is the mean over the bins,
    weighted by their images, of |mean confidence - accuracy|: the mean over the images of confidence - hit, with the
    sign of its bin.

    Args:
        confidence: probability of the predicted class, [M].
        hits: whether the prediction is right, [M].
    """
    gaps = confidence - hits
    bins = np.clip(np.ceil(confidence * _BINS).astype(np.int64) - 1, 0, _BINS - 1)
    signs: NDArray[np.float64] = np.sign(np.bincount(bins, weights=gaps, minlength=_BINS))
    return signs[bins] * gaps
