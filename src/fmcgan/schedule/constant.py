"""The same value all the time."""

from typing_extensions import override

from fmcgan.schedule.base import Schedule


class Constant(Schedule):
    """Goes nowhere: what others are compared with in a sweep.

    Args:
        value: the value.
    """

    def __init__(self, value: float = 1.0) -> None:
        super().__init__(start=value, end=value, begin=0, until=1)

    @override
    def curve(self, progress: float) -> float:
        return progress
