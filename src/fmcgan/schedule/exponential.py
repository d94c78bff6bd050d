import math

from typing_extensions import override

from fmcgan.app.errors import InvalidValueError
from fmcgan.schedule.base import Schedule


class Exponential(Schedule):
    """An exponential from `start_value` to `end_value`: start_value (end_value / start_value) ** progress.

    Halfway it is the geometric mean: 0.1 from 1 to 0.01. Both values must be above 0.
    """

    def __init__(
        self, start_value: float, end_value: float, start_images: int, end_images: int | None, warm_up: int = 0
    ) -> None:
        super().__init__(start_value, end_value, start_images, end_images, warm_up)
        if min(start_value, end_value) <= 0:
            raise InvalidValueError(
                f"values of an exponential must be above 0, got start_value={start_value} and end_value={end_value}"
            )

    @override
    def curve(self, progress: float) -> float:
        growth = math.log(self.end_value / self.start_value)
        return math.expm1(growth * progress) / math.expm1(growth) if growth else progress
