"""A straight line."""

from typing_extensions import override

from fmcgan.schedule.base import Schedule


class Linear(Schedule):
    """From `start` to `end` on a straight line."""

    @override
    def curve(self, progress: float) -> float:
        return progress
