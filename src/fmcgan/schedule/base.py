from abc import ABC, abstractmethod

from fmcgan.app.checks import number, whole_number
from fmcgan.app.errors import InvalidValueError


class Schedule(ABC):
    """A value as a function of the images seen, without state.

    The value is `start_value` up to image `start_images`, follows a curve, and is `end_value` from image `end_images`
    on (``None``: the end of the run). Over the first `warm_up` images it is also multiplied by a line from 0 to 1
    (Goyal et al. 2017, section 2.2). A new schedule is one file with one subclass, which defines the curve, and one
    yaml.
    """

    def __init__(
        self, start_value: float, end_value: float, start_images: int, end_images: int | None, warm_up: int = 0
    ) -> None:
        number(start_value=start_value, end_value=end_value)
        whole_number(minimum=0, start_images=start_images, warm_up=warm_up)
        self.start_value, self.end_value = start_value, end_value
        self.start_images, self.end_images, self.warm_up = start_images, end_images, warm_up
        self._last_image = self._checked(end_images) if end_images is not None else None

    def set_total_images(self, images: int | None) -> None:
        """Sets the end of the schedule to that of the run, in real images seen, if `end_images` is ``None``.

        Raises:
            InvalidValueError: the end is unknown (``None``), or not after `start_images`.
        """
        if self.end_images is not None:
            return
        if images is None:
            raise InvalidValueError(
                "end_images=null means the end of the run, whose number of images is unknown: set end_images"
            )
        self._last_image = self._checked(images)

    def _checked(self, end_images: int) -> int:
        whole_number(end_images=end_images)
        if end_images <= self.start_images:
            given = f"end_images={end_images} and start_images={self.start_images}"
            raise InvalidValueError(f"end_images must be larger than start_images, got {given}")
        return end_images

    def __call__(self, images_seen: int) -> float:
        """Returns the value after this many images. Raises `RuntimeError` if the end of the schedule is unknown."""
        if self._last_image is None:
            raise RuntimeError("a schedule with end_images=None needs set_total_images first")
        progress = (images_seen - self.start_images) / (self._last_image - self.start_images)
        share = self.curve(min(max(progress, 0.0), 1.0))
        value = self.start_value + (self.end_value - self.start_value) * share if progress < 1 else self.end_value
        return value * images_seen / self.warm_up if images_seen < self.warm_up else value

    @property
    def moves(self) -> bool:
        """Whether the value changes."""
        return self.start_value != self.end_value or self.warm_up > 0

    @abstractmethod
    def curve(self, progress: float) -> float:
        """Maps the share of the images in [0, 1] to that of the change of the value: 0 at 0, 1 at 1, non-decreasing."""
