"""Rows of images with captions, in blocks of columns, such as samples beside training images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmcgan.figure.grid import GAP, MARGIN, NAME_SIZE, enlarged, load_font
from fmcgan.figure.palette import FAINT_INK, GENERATED, INK

MAGNIFICATION = 3
SIDE = 28 * MAGNIFICATION
BETWEEN = 14  # pixels between two blocks
WORDS_SIZE = 12  # font size of the words below images, in pixels
LINE = WORDS_SIZE + 3
HEAD_LINE = NAME_SIZE + 4
PAPER = "white"


@dataclass(frozen=True, eq=False)
class Tile:
    """An image with a caption."""

    image: NDArray[np.uint8]  # [28, 28]
    words: Sequence[str] = ()  # one or two short lines below the image
    marked: bool = False  # whether the words are vermilion

    def __post_init__(self) -> None:
        if self.image.dtype != np.uint8 or self.image.shape != (28, 28):
            raise ValueError(f"a tile's image must be uint8 [28, 28], got {self.image.dtype} {list(self.image.shape)}")


class Block(NamedTuple):
    """A number of columns under one heading of one or several lines."""

    heading: str
    columns: int


class Row(NamedTuple):
    """One row: the tiles of each block, at most as many as its columns, and a name at the left."""

    tiles: Sequence[Sequence[Tile]]
    name: str = ""


def rows_picture(blocks: Sequence[Block], rows: Sequence[Row]) -> Image.Image:
    """Draws rows of images from top to bottom, and their blocks from left to right, in colour (PIL mode ``RGB``).

    Raises:
        ValueError: no row given, or a row has another number of blocks or too many images.
    """
    if not rows:
        raise ValueError("rows must hold at least one row of images, got none")
    most = [block.columns for block in blocks]
    for row in rows:
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
            draw.text((left, y), text, fill=INK, font=load_font(NAME_SIZE), anchor="ls")
    for row, height in zip(rows, heights, strict=True):
        _draw_row(picture, row, lefts, top)
        top += height
    return picture


def _block_edges(blocks: Sequence[Block], names: Sequence[str]) -> tuple[list[int], int]:
    """Computes the left edge of each block and the width of the picture."""
    font = load_font(NAME_SIZE)
    named = math.ceil(max(font.getlength(name) for name in names))
    edges = [MARGIN + (named + 8 if named else 0)]
    for block in blocks:
        text = math.ceil(max((font.getlength(line) for line in block.heading.splitlines()), default=0))
        edges.append(edges[-1] + max(block.columns * (SIDE + GAP) - GAP, text) + BETWEEN)
    return edges[:-1], edges[-1] - BETWEEN + MARGIN


def _draw_row(picture: Image.Image, row: Row, lefts: Sequence[int], top: int) -> None:
    draw = ImageDraw.Draw(picture)
    draw.text((lefts[0] - 8, top + SIDE // 2), row.name, fill=INK, font=load_font(NAME_SIZE), anchor="rm")
    for left, tiles in zip(lefts, row.tiles, strict=True):
        for column, tile in enumerate(tiles):
            x = left + column * (SIDE + GAP)
            picture.paste(enlarged(tile.image, MAGNIFICATION), (x, top))
            for line, text in enumerate(tile.words):
                ink = GENERATED if tile.marked else FAINT_INK if line else INK
                y = top + SIDE + 4 + LINE * line + LINE // 2
                draw.text((x + SIDE // 2, y), text, fill=ink, font=load_font(WORDS_SIZE), anchor="mm")
