"""Makes noisy curves readable."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fmcgan.app import checks


def running_mean(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Smooths a curve by the mean of the finite values in a centred window, which is cut at both ends of the curve.

    Args:
        values: [N].
        window: whole width; an even one is widened by one and 1 changes nothing.

    Returns:
        [N]; a value that was not finite stays nan, so that a run which broke down is seen to.
    """
    checks.whole_number(window=window)
    given = np.asarray(values, dtype=np.float64)
    if given.size == 0:
        return given
    finite = np.isfinite(given)
    half = window // 2
    ones = np.ones(2 * half + 1)
    sums = np.convolve(np.where(finite, given, 0.0), ones)[half : half + len(given)]
    counts = np.convolve(finite, ones)[half : half + len(given)]
    means = sums / np.maximum(counts, 1)
    return np.where(finite, means, np.nan)


def smoothing_window(points: int, parts: int = 50) -> int:
    """Rows per running mean, odd: about one of ``parts`` of a curve, so that short curves are left as they are."""
    return points // (2 * parts) * 2 + 1
