"""Rows of images with captions, in blocks of columns, such as samples beside training images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fmcgan.figure.grid import GAP, MARGIN, NAME_SIZE, enlarged
from fmcgan.figure.palette import FAINT_INK, GENERATED, INK

MAGNIFICATION = 3
"""Magnification of images."""
SIDE = 28 * MAGNIFICATION
BETWEEN = 14
"""Pixels between two blocks."""
WORDS_SIZE = 12
LINE = WORDS_SIZE + 3
"""Font size and line height of the words below images, in pixels."""
HEAD_LINE = NAME_SIZE + 4
PAPER = "white"


@dataclass(frozen=True, eq=False)
class Tile:
    """An image with a caption.

    Args:
        image: uint8 [28, 28].
        words: one or two short lines below the image.
        marked: whether the words are vermilion.

    Raises:
        ValueError: the image has another type or shape.
    """

    image: NDArray[np.uint8]
    words: Sequence[str] = ()
    marked: bool = False

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.shape != (28, 28):
            raise ValueError(f"a tile's image must be uint8 [28, 28], got {self.image.dtype} {list(self.image.shape)}")


@dataclass(frozen=True)
class Block:
    """Columns under one heading.

    Args:
        heading: above the columns; may have several lines.
        columns: number of columns.
    """

    heading: str
    columns: int


@dataclass(frozen=True, eq=False)
class Row:
    """One row of tiles.

    Args:
        tiles: of each block, at most as many as columns.
        name: at the left.
    """

    tiles: Sequence[Sequence[Tile]]
    name: str = ""


def rows_picture(blocks: Sequence[Block], rows: Sequence[Row]) -> Image.Image:
    """Draws rows of images.

    Args:
        blocks: from left to right.
        rows: from top to bottom, at least one.

    Returns:
        A colour picture (PIL mode ``RGB``).

    Raises:
        ValueError: no row given, or a row has another number of blocks or too many images.
    """
    if not rows:
        raise ValueError("rows must hold at least one row of images, got none")
    for row in rows:
        most = [block.columns for block in blocks]
        if len(row.tiles) != len(most) or any(len(tiles) > n for tiles, n in zip(row.tiles, most, strict=True)):
            raise ValueError(f"a row must hold at most {most} images, got {[len(tiles) for tiles in row.tiles]}")
    lefts, width = _block_edges(blocks, [row.name for row in rows])
    top = MARGIN + 3 + HEAD_LINE * max(len(block.heading.splitlines()) for block in blocks)
    lines = [max((len(tile.words) for tiles in row.tiles for tile in tiles), default=0) for row in rows]
    heights = [SIDE + 4 + LINE * n + BETWEEN // 2 for n in lines]
    picture = Image.new("RGB", (width, top + sum(heights) + MARGIN), PAPER)
    draw = ImageDraw.Draw(picture)
    for block, left in zip(blocks, lefts, strict=True):
        for line, text in enumerate(reversed(block.heading.splitlines())):  # the last line is above the images
            y = top - 7 - HEAD_LINE * line
            draw.text((left, y), text, fill=INK, font=ImageFont.load_default(NAME_SIZE), anchor="ls")
    for row, height in zip(rows, heights, strict=True):
        _draw_row(picture, row, lefts, top)
        top += height
    return picture


def _block_edges(blocks: Sequence[Block], names: Sequence[str]) -> tuple[list[int], int]:
    """Computes the left edge of each block and the width of the picture."""
    font = ImageFont.load_default(NAME_SIZE)
    named = math.ceil(max(font.getlength(name) for name in names))
    left, lefts = MARGIN + (named + 8 if named else 0), []
    for block in blocks:
        lefts.append(left)
        text = math.ceil(max((font.getlength(line) for line in block.heading.splitlines()), default=0))
        left += max(block.columns * (SIDE + GAP) - GAP, text) + BETWEEN
    return lefts, left - BETWEEN + MARGIN


def _draw_row(picture: Image.Image, row: Row, lefts: Sequence[int], top: int) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(WORDS_SIZE)
    if row.name:
        name_font = ImageFont.load_default(NAME_SIZE)
        draw.text((lefts[0] - 8, top + SIDE // 2), row.name, fill=INK, font=name_font, anchor="rm")
    for left, tiles in zip(lefts, row.tiles, strict=True):
        for column, tile in enumerate(tiles):
            x = left + column * (SIDE + GAP)
            picture.paste(enlarged(tile.image, MAGNIFICATION), (x, top))
            for line, text in enumerate(tile.words):
                ink = GENERATED if tile.marked else FAINT_INK if line else INK
                y = top + SIDE + 4 + LINE * line + LINE // 2
                draw.text((x + SIDE // 2, y), text, fill=ink, font=font, anchor="mm")
