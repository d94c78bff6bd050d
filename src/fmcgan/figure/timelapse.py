"""Pictures of the same thing at several times as one GIF that starts again and again."""

import io
from collections.abc import Sequence

from PIL import Image

from fmcgan.app import checks

MEGABYTE = 1_000_000

FEWEST = 6
"""With fewer frames a film is a row of stills: before that, it is made smaller."""

SMALLEST = 160
"""Pixels of the shorter side below which nothing is made smaller: garments could not be told apart any more."""


def timelapse(
    frames: Sequence[Image.Image],
    seconds: float = 0.5,
    last_seconds: float = 2.5,
    most_frames: int = 30,
    most_megabytes: float = 1.5,
) -> bytes:
    """Makes a looping GIF in greys.

    What does not fit loses frames first, evenly, never the first or the last; then, every second pixel.

    Args:
        frames: at least one, in the order of time; those of another size than the last are left out.
        seconds: that a frame is shown.
        last_seconds: that the last one is shown, before it starts again.
        most_frames: so many at most.
        most_megabytes: of the file. A film of `FEWEST` frames of less than 2 × `SMALLEST` pixels a side may exceed it.

    Returns:
        The content of the file.

    Raises:
        ValueError: no frame given.
    """
    checks.number(minimum=0.02, seconds=seconds, last_seconds=last_seconds)  # browsers slow down faster ones
    checks.whole_number(minimum=2, most_frames=most_frames)
    checks.number(minimum=0.001, most_megabytes=most_megabytes)
    if not frames:
        raise ValueError("frames must hold at least one picture, got none")
    shown = [frame.convert("L") for frame in frames if frame.size == frames[-1].size]
    shown = evenly(shown, most_frames)
    while True:
        content = _gif(shown, seconds, last_seconds)
        excess = len(content) / (most_megabytes * MEGABYTE)
        if excess <= 1:
            return content
        if len(shown) > FEWEST:
            shown = evenly(shown, max(FEWEST, min(len(shown) - 1, int(len(shown) / excess))))
        elif min(shown[0].size) >= 2 * SMALLEST:
            shown = [frame.reduce(2) for frame in shown]
        else:
            return content


def evenly(frames: Sequence[Image.Image], most: int) -> list[Image.Image]:
    """At most so many of the frames, as evenly as they allow, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    if most == 1:
        return [frames[-1]]
    return [frames[round(place * (len(frames) - 1) / (most - 1))] for place in range(most)]


def _gif(frames: Sequence[Image.Image], seconds: float, last_seconds: float) -> bytes:
    times = [round(1000 * seconds)] * (len(frames) - 1) + [round(1000 * last_seconds)]
    content = io.BytesIO()
    first, *others = frames
    first.save(content, "GIF", save_all=True, append_images=others, duration=times, loop=0)
    return content.getvalue()
