"""The same factor for every image."""

import math

from typing_extensions import override

from fmcgan.app.errors import InvalidValueError
from fmcgan.schedule.base import Schedule


class Exponential(Schedule):
    """From `start` to `end` by equal factors in equal spans of images: start (end / start) ** progress.

    Half of the way it is at the geometric mean: falling from 1 to 0.01, at 0.1. So a rate is large for a short time and
    small for a long one, with no level part at the beginning as the cosine has.

    Args:
        start: the value at first, more than 0.
        end: the value at last, more than 0: a rate that is to stop needs another curve.
        begin: images seen when it begins to change.
        until: images seen when it has arrived; ``None``: at the end of the run.
        warm_up: images at the very beginning over which the value rises from 0.
    """

    def __init__(self, start: float, end: float, begin: int, until: int | None, warm_up: int = 0) -> None:
        super().__init__(start, end, begin, until, warm_up)
        if min(start, end) <= 0:
            raise InvalidValueError(f"an exponential goes from and to values above 0, got start={start} and end={end}")

    @override
    def curve(self, progress: float) -> float:
        growth = math.log(self.end / self.start)
        return math.expm1(growth * progress) / math.expm1(growth) if growth else progress
