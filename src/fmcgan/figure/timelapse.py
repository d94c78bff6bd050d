"""Animations as looping GIFs."""

import io
from collections.abc import Sequence
from typing import TypeVar

from PIL import Image

from fmcgan.app import checks
from fmcgan.figure.files import common_mode

Frame = TypeVar("Frame")

MEGABYTE = 1_000_000

FEWEST = 6  # least number of frames; a larger animation is scaled down instead
SMALLEST = 160  # least length of the shorter side after scaling down, in pixels


def timelapse(
    frames: Sequence[Image.Image],
    seconds: float = 0.5,
    last_seconds: float = 2.5,
    most_frames: int = 30,
    most_megabytes: float = 1.5,
) -> bytes:
    """Makes a looping GIF of at least one frame, in grey if all are; frames of another size than the last are left out.

    The last frame lasts ``last_seconds``. A file of over ``most_megabytes`` loses frames evenly, except the first and
    the last, then resolution. `FEWEST` frames of less than 2 × `SMALLEST` pixels a side may exceed the limit.
    """
    checks.number(minimum=0.02, seconds=seconds, last_seconds=last_seconds)  # the minimum of browsers
    checks.whole_number(minimum=2, most_frames=most_frames)
    checks.number(minimum=0.001, most_megabytes=most_megabytes)
    if not frames:
        raise ValueError("frames must hold at least one picture, got none")
    mode = common_mode(frames)
    shown = evenly([frame.convert(mode) for frame in frames if frame.size == frames[-1].size], most_frames)
    while True:
        times = [round(1000 * seconds)] * (len(shown) - 1) + [round(1000 * last_seconds)]
        file = io.BytesIO()
        shown[0].save(file, "GIF", save_all=True, append_images=shown[1:], duration=times, loop=0)
        content = file.getvalue()
        excess = len(content) / (most_megabytes * MEGABYTE)
        if excess <= 1:
            return content
        if len(shown) > FEWEST:
            shown = evenly(shown, max(FEWEST, min(len(shown) - 1, int(len(shown) / excess))))
        elif min(shown[0].size) >= 2 * SMALLEST:
            shown = [frame.reduce(2) for frame in shown]
        else:
            return content


def evenly(frames: Sequence[Frame], most: int) -> list[Frame]:
    """Chooses at most ``most`` (2 or more) evenly spaced frames, including the first and the last."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(index * (len(frames) - 1) / (most - 1))] for index in range(most)]
