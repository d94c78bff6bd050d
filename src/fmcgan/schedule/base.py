"""What training asks of every schedule."""

from abc import ABC, abstractmethod

from fmcgan.app.checks import number, whole_number
from fmcgan.app.errors import InvalidValueError


class Schedule(ABC):
    """A number that follows the images seen, the clock of a run: it has no state, so a resumed run needs none.

    It is `start` up to image `begin`, then takes a curve, and is `end` from image `until` on. A new schedule is one
    file with one subclass, which draws the curve, and one yaml.

    Args:
        start: the value at first.
        end: the value at last; larger or smaller.
        begin: images seen when it begins to change.
        until: images seen when it has arrived; ``None``: at the end of the run.
        warm_up: over this many images at the very beginning the value is also multiplied by a line from 0 to 1
            (Goyal et al. 2017, section 2.2); 0 does without.
    """

    def __init__(self, start: float, end: float, begin: int, until: int | None, warm_up: int = 0) -> None:
        number(start=start, end=end)
        whole_number(minimum=0, begin=begin, warm_up=warm_up)
        self.start = start
        self.end = end
        self.begin = begin
        self.until = until
        self.warm_up = warm_up
        self._arrival = self._after_begin(until) if until is not None else None

    def set_total_images(self, images: int | None) -> None:
        """Tells a schedule that lasts until the end of the run when that is.

        Args:
            images: real images seen at its end; ``None`` if nobody knows.

        Raises:
            InvalidValueError: nobody knows, or it is before `begin`.
        """
        if self.until is not None:
            return
        if images is None:
            raise InvalidValueError("until=null means the end of the run, which has none in images: give a number")
        self._arrival = self._after_begin(images)

    def _after_begin(self, until: int) -> int:
        whole_number(until=until)
        if until <= self.begin:
            raise InvalidValueError(f"until must be more than begin, got until={until} and begin={self.begin}")
        return until

    def __call__(self, images_seen: int) -> float:
        """The value when this many images have been seen.

        Raises:
            RuntimeError: it lasts until the end of the run and was not told of it (`set_total_images`).
        """
        if self._arrival is None:
            raise RuntimeError("a schedule with until=None must be settled before it is read")
        progress = (images_seen - self.begin) / (self._arrival - self.begin)
        share = self.curve(min(max(progress, 0.0), 1.0))
        value = self.start + (self.end - self.start) * share if progress < 1 else self.end
        return value * images_seen / self.warm_up if images_seen < self.warm_up else value

    @property
    def moves(self) -> bool:
        """Whether the value ever changes."""
        return self.start != self.end or self.warm_up > 0

    @abstractmethod
    def curve(self, progress: float) -> float:
        """The share of the way from `start` to `end`, of the share of the images between `begin` and `until`.

        Args:
            progress: in [0, 1].

        Returns:
            0 at 0, 1 at 1, never falling.
        """
