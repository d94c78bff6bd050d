"""Constant schedule."""

from typing_extensions import override

from fmcgan.schedule.base import Schedule


class Constant(Schedule):
    """A constant value, the baseline of a sweep over schedules."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__(start_value=value, end_value=value, start_images=0, end_images=1)

    @override
    def curve(self, progress: float) -> float:
        return progress
