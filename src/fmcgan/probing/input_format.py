"""What images a user's classifier takes: range of values, channels, size and layout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.analysis.attributes import LUMA
from fmcgan.app.checks import number, one_of, positive_number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo

LAYOUTS = {
    "channels_first": "[B, C, H, W]",
    "channels_last": "[B, H, W, C]",
    "no_channels": "[B, H, W]",
    "flat": "[B, C * H * W]",
}


@dataclass(frozen=True)
class InputFormat:
    """The images that a classifier takes, and the conversion to them.

    Args:
        range: its values of black and of white: [-1, 1], [0, 1] or [0, 255] for most.
        mean: subtracted then, one number or one per channel; ``None``: 0.
        std: divided by then, one number or one per channel; ``None``: 1.
        channels: 1 or 3; grey is repeated, colour becomes its luma. ``None``: those of the data set.
        size: height and width in pixels; images are scaled bilinearly. ``None``: that of the data set.
        layout: a key of `LAYOUTS`.
    """

    range: Sequence[float] = (-1.0, 1.0)
    mean: float | Sequence[float] | None = None
    std: float | Sequence[float] | None = None
    channels: int | None = None
    size: int | None = None
    layout: str = "channels_first"

    def __post_init__(self) -> None:
        ends = () if isinstance(self.range, str) else tuple(self.range)
        if len(ends) != 2 or ends[0] == ends[1]:
            raise InvalidValueError(f"input.range must be two different numbers such as [0,1], got {self.range}")
        for name, check in (("range", number), ("mean", number), ("std", positive_number)):
            for value in _numbers(getattr(self, name)):
                check(**{f"input.{name}": value})
        if self.channels not in (None, 1, 3):
            raise InvalidValueError(f"input.channels must be 1, 3 or null (those of the data set), got {self.channels}")
        if self.size is not None:
            whole_number(maximum=1024, **{"input.size": self.size})
        one_of(tuple(LAYOUTS), **{"input.layout": self.layout})
        if self.layout == "no_channels" and self.channels == 3:
            raise InvalidValueError("input.layout=no_channels has no place for input.channels=3")

    def completed(self, info: DatasetInfo) -> "InputFormat":
        """Fills in channels and size of a data set.

        Raises:
            InvalidValueError: there is another number of means or deviations than channels.
        """
        channels = self.channels or (1 if self.layout == "no_channels" else info.channels)
        for name in ("mean", "std"):
            if len(_numbers(getattr(self, name))) not in (0, 1, channels):
                raise InvalidValueError(f"input.{name} must be one number or {channels}, one per channel")
        return replace(self, channels=channels, size=self.size or info.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image, of a completed format."""
        assert self.channels is not None
        assert self.size is not None
        return {
            "channels_first": (self.channels, self.size, self.size),
            "channels_last": (self.size, self.size, self.channels),
            "no_channels": (self.size, self.size),
            "flat": (self.channels * self.size**2,),
        }[self.layout]

    def prepare(self, images: Tensor) -> Tensor:
        """Converts float images [B, C, H, W] in [-1, 1], differentiably, to [B, *`shape`]."""
        x = (images + 1) / 2
        if self.channels != x.shape[1]:
            luma = torch.tensor(LUMA, dtype=x.dtype, device=x.device)[:, None, None]
            x = x.expand(-1, 3, -1, -1) if self.channels == 3 else (x * luma).sum(dim=1, keepdim=True)
        if self.size != x.shape[2]:
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)  # type: ignore[arg-type]
        low, high = self.range
        x = low + (high - low) * x
        for values, is_mean in ((self.mean, True), (self.std, False)):
            if some := _numbers(values):
                each = torch.tensor(some, dtype=x.dtype, device=x.device)[:, None, None]
                x = x - each if is_mean else x / each
        if self.layout == "channels_last":
            x = x.movedim(1, 3)
        return x.reshape(len(x), *self.shape).contiguous()


def _numbers(value: float | Sequence[float] | None) -> list[float]:
    if value is None:
        return []
    return [value] if isinstance(value, int | float) else list(value)
