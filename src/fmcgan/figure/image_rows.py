"""Rows of images with captions, in blocks of columns, such as samples beside training images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmcgan.figure.classes import short_names
from fmcgan.figure.font import Font, load_font
from fmcgan.figure.grid import GAP, MARGIN, NAME_SIZE, enlarged, magnification
from fmcgan.figure.palette import FAINT_INK, GENERATED_INK, INK
from fmcgan.figure.paper import paste, sheet

COLUMN = 84  # usual side of a magnified image, and least width of a column, in pixels
BETWEEN = 14  # pixels between two blocks
WORDS_SIZE = 12  # font size of the words below images, in pixels
LINE = WORDS_SIZE + 3
HEAD_LINE = NAME_SIZE + 4


@dataclass(frozen=True, eq=False)
class Tile:
    """An image with a caption."""

    image: NDArray[np.uint8]  # [H, W] or [H, W, 3]
    words: Sequence[str] = ()  # one or two short lines below the image
    marked: bool = False  # whether the words are vermilion

    def __post_init__(self) -> None:
        check_pixels(self.image, "a tile's image", "H, W")


class Block(NamedTuple):
    """A number of columns under one heading of one or several lines."""

    heading: str
    columns: int


class Row(NamedTuple):
    """One row: the tiles of each block, at most as many as its columns, and a name at the left."""

    tiles: Sequence[Sequence[Tile]]
    name: str = ""


def check_pixels(images: NDArray[np.uint8], name: str, axes: str) -> None:
    """Checks that images are uint8 and have the axes, such as ``N, H, W``, and perhaps three colours as a last one.

    Raises:
        ValueError: they are not; the message begins with the name.
    """
    colours = images.shape[len(axes.split(",")) :]
    if images.dtype != np.uint8 or images.ndim < len(axes.split(",")) or colours not in ((), (3,)):
        raise ValueError(f"{name} must be uint8 [{axes}] or [{axes}, 3], got {images.dtype} {list(images.shape)}")


def rows_picture(blocks: Sequence[Block], rows: Sequence[Row]) -> Image.Image:
    """Draws rows of images from top to bottom, and their blocks from left to right, in colour (PIL mode ``RGB``).

    Images are magnified; words are cut at the width of their column.

    Raises:
        ValueError: no row given, images of several sizes, or a row has another number of blocks or too many images.
    """
    if not rows:
        raise ValueError("rows must hold at least one row of images, got none")
    most = [block.columns for block in blocks]
    for row in rows:
        if len(row.tiles) != len(most) or any(len(tiles) > n for tiles, n in zip(row.tiles, most, strict=True)):
            raise ValueError(f"a row must hold at most {most} images, got {[len(tiles) for tiles in row.tiles]}")
    sizes = {tile.image.shape[:2] for row in rows for tiles in row.tiles for tile in tiles}
    if len(sizes) > 1:
        raise ValueError(f"images of a picture must have the same size, got {sorted(sizes)}")
    ((size, _),) = sizes or {(COLUMN, COLUMN)}
    side = size * magnification(size, COLUMN)
    rows = [row._replace(name=short_names([row.name])[0]) for row in rows]
    lefts, width = _block_edges(blocks, [row.name for row in rows], max(side, COLUMN))
    top = MARGIN + 3 + HEAD_LINE * max(len(block.heading.splitlines()) for block in blocks)
    lines = [max((len(tile.words) for tiles in row.tiles for tile in tiles), default=0) for row in rows]
    heights = [side + 4 + LINE * n + BETWEEN // 2 for n in lines]
    picture = sheet("RGB", (width, top + sum(heights) + MARGIN))
    draw = ImageDraw.Draw(picture)
    for block, left in zip(blocks, lefts, strict=True):
        for line, text in enumerate(reversed(block.heading.splitlines())):  # the last line is above the images
            y = top - 7 - HEAD_LINE * line
            draw.text((left, y), text, fill=INK, font=load_font(NAME_SIZE), anchor="ls")
    for row, height in zip(rows, heights, strict=True):
        _draw_row(picture, row, lefts, top, side)
        top += height
    return picture


def _block_edges(blocks: Sequence[Block], names: Sequence[str], column: int) -> tuple[list[int], int]:
    """Computes the left edge of each block and the width of the picture, for columns of a width."""
    font = load_font(NAME_SIZE)
    named = math.ceil(max(font.getlength(name) for name in names))
    edges = [MARGIN + (named + 8 if named else 0)]
    for block in blocks:
        text = math.ceil(max((font.getlength(line) for line in block.heading.splitlines()), default=0))
        edges.append(edges[-1] + max(block.columns * (column + GAP) - GAP, text) + BETWEEN)
    return edges[:-1], edges[-1] - BETWEEN + MARGIN


def _draw_row(picture: Image.Image, row: Row, lefts: Sequence[int], top: int, side: int) -> None:
    draw = ImageDraw.Draw(picture)
    font, width = load_font(WORDS_SIZE), max(side, COLUMN)
    draw.text((lefts[0] - 8, top + side // 2), row.name, fill=INK, font=load_font(NAME_SIZE), anchor="rm")
    for left, tiles in zip(lefts, row.tiles, strict=True):
        for column, tile in enumerate(tiles):
            x = left + column * (width + GAP)
            paste(picture, enlarged(tile.image, side // len(tile.image)), (x + (width - side) // 2, top))
            for line, text in enumerate(tile.words):
                ink = GENERATED_INK if tile.marked else FAINT_INK if line else INK
                y = top + side + 4 + LINE * line + LINE // 2
                draw.text((x + width // 2, y), _cut(text, font, width), fill=ink, font=font, anchor="mm")


def _cut(text: str, font: Font, width: int) -> str:
    """Cuts text to a width in pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
