from typing_extensions import override

from fmcgan.schedule.base import Schedule


class Linear(Schedule):
    """A straight line from `start_value` to `end_value`."""

    @override
    def curve(self, progress: float) -> float:
        return progress
