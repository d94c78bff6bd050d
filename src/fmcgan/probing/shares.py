"""Shares of images as the lines of a figure."""

from collections.abc import Sequence

import numpy as np

from fmcgan.figure.intervals import IntervalLine
from fmcgan.metric.value import wilson_interval


def percent_line(label: str, counts: Sequence[tuple[int, int]]) -> IntervalLine:
    """Makes a line of percentages with their Wilson intervals from hits and images of each position.

    A position without images is left out.
    """
    percentages = [100 * hits / n if n else np.nan for hits, n in counts]
    return IntervalLine(label, percentages, *(100 * np.array([wilson_interval(*each) for each in counts]).T))
