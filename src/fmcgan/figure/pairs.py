"""Generated images above their nearest training images, as one PNG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.grid import GAP, INK, MARGIN, NAME_SIZE, PAPER, TITLE_SIZE, class_grid
from fmcgan.figure.png import write_png

MAGNIFICATION = 3
"""Magnification of images."""
MOST_PAIRS = 10
"""Most pairs of a group."""
IMAGE_ROWS = ("generated", "nearest training", "difference")
CAPTION_ROWS = ("class", "distance")
LINE = NAME_SIZE + 4
"""Pixels from one line of captions to the next."""
BETWEEN = 14
"""Pixels below each group."""
HEAD = TITLE_SIZE + 2
"""Height of a group's name in pixels, without the margin below."""
STEP = 28 * MAGNIFICATION + GAP
"""Pixels from one image to the next."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A generated image and its nearest training image.

    Args:
        sample: the generated image, uint8 [28, 28].
        training: the training image, uint8 [28, 28].
        distance: between them, in the space of the group.
        label: class asked for, 0..9.

    Raises:
        ValueError: an image of another type or shape, or no such class.
    """

    sample: NDArray[np.uint8]
    training: NDArray[np.uint8]
    distance: float
    label: int

    def __post_init__(self) -> None:
        for name, image in (("sample", self.sample), ("training", self.training)):
            if image.dtype != np.uint8 or image.shape != (28, 28):
                raise ValueError(f"{name} must be uint8 [28, 28], got {image.dtype} {list(image.shape)}")
        if not 0 <= self.label < len(CLASS_NAMES):
            raise ValueError(f"label must be 0..{len(CLASS_NAMES) - 1}, got {self.label}")


def draw_pairs(groups: Mapping[str, Sequence[Pair]], path: Path) -> None:
    """Draws groups of pairs: generated images, training images and absolute differences (black: none).

    Args:
        groups: pairs by the name of the space of the distances; the first ten are drawn.
        path: the PNG to write.

    Raises:
        ValueError: no group given.
        OSError: the PNG cannot be written.
    """
    if not groups:
        raise ValueError("groups must hold at least one group of pairs, got none")
    blocks = [_block(name, pairs[:MOST_PAIRS]) for name, pairs in groups.items()]
    width, height = max(block.width for block in blocks), sum(block.height + BETWEEN for block in blocks)
    picture = Image.new("L", (width, MARGIN + height), PAPER)
    top = MARGIN
    for block in blocks:
        picture.paste(block, (0, top))
        top += block.height + BETWEEN
    write_png(picture, path)


def _block(name: str, pairs: Sequence[Pair]) -> Image.Image:
    head_font, font = ImageFont.load_default(TITLE_SIZE), ImageFont.load_default(NAME_SIZE)
    body = _images(pairs) if pairs else Image.new("L", (MARGIN, 2 * MARGIN), PAPER)
    text_width = 2 * MARGIN + math.ceil(max(head_font.getlength(name), font.getlength("no pairs")))
    height = HEAD + body.height + len(CAPTION_ROWS) * LINE
    block = Image.new("L", (max(body.width, text_width), height), PAPER)
    block.paste(body, (0, HEAD))
    draw = ImageDraw.Draw(block)
    draw.text((MARGIN, 0), name, fill=INK, font=head_font, anchor="lt")
    if not pairs:
        draw.text((MARGIN, HEAD + MARGIN), "no pairs", fill=INK, font=font, anchor="lt")
        return block
    left = body.width - MARGIN - len(pairs) * STEP + GAP
    captions = [(CLASS_NAMES[pair.label], _distance(pair.distance)) for pair in pairs]
    for line in range(len(CAPTION_ROWS)):
        y = HEAD + body.height - MARGIN + LINE // 2 + 2 + line * LINE
        draw.text((left - 8, y), CAPTION_ROWS[line], fill=INK, font=font, anchor="rm")
        for column, caption in enumerate(captions):
            x = left + column * STEP + (STEP - GAP) // 2
            draw.text((x, y), caption[line], fill=INK, font=font, anchor="mm")
    return block


def _images(pairs: Sequence[Pair]) -> Image.Image:
    samples, training = (np.stack(images) for images in zip(*((p.sample, p.training) for p in pairs), strict=True))
    difference = np.abs(samples.astype(np.int16) - training).astype(np.uint8)
    return class_grid(np.stack([samples, training, difference]), IMAGE_ROWS, scale=MAGNIFICATION)


def _distance(distance: float) -> str:
    return f"{distance:.4g}" if math.isfinite(distance) else "not finite"
