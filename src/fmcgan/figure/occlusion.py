"""What gave generated images away: heat maps over garments, one by one and on average."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fmcgan.app import checks
from fmcgan.figure.grid import GAP, INK, MARGIN, NAME_SIZE, PAPER
from fmcgan.figure.palette import GENERATED
from fmcgan.figure.palette import INK as INK_COLOUR

HEAT = LinearSegmentedColormap.from_list("heat", ["#FFFFFF", GENERATED])
"""From where nothing gives an image away to where most does."""
STRONGEST = 0.85
"""Opacity of the heat over the place that gives most away: the image stays visible below."""
BETWEEN = 22
"""Pixels between the suspicious images and the others."""
HEADS = ("most suspicious, each beside what gives it away", "least suspicious")
OUTLINE = 64
"""Grey level of the outline of a garment in the mean maps."""
COLUMNS, MAP_INCHES = 5, (2.1, 2.35)


@dataclass(frozen=True, eq=False)
class Suspects:
    """A row of the picture.

    Args:
        name: of the row.
        caught: the most suspicious images, uint8 [K, 28, 28].
        heat: what gives each away, float [K, 28, 28]; what is negative counts as none.
        passed: the least suspicious images, uint8 [L, 28, 28].
    """

    name: str
    caught: NDArray[np.uint8]
    heat: NDArray[np.float32]
    passed: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ClueMap:
    """One panel of the mean maps.

    Args:
        title: above it.
        heat: float [28, 28].
        garment: grey levels 0..255, [28, 28], whose outline is drawn.
    """

    title: str
    heat: NDArray[np.float32]
    garment: NDArray[np.float32]


def overlaid(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lays heat in one colour over a grey image, the more opaque the hotter, relative to the hottest pixel.

    Args:
        image: uint8 [28, 28].
        heat: float [28, 28]; nothing is laid over pixels at or below 0.

    Returns:
        uint8 [28, 28, 3].
    """
    hottest = float(heat.max())
    opacity = STRONGEST * np.clip(heat / hottest, 0, 1)[:, :, None] if hottest > 0 else np.zeros((*heat.shape, 1))
    colour = 255 * np.array(to_rgb(GENERATED))
    return np.asarray((1 - opacity) * image[:, :, None] + opacity * colour).round().astype(np.uint8)


def suspects_picture(rows: Sequence[Suspects], scale: int = 2) -> Image.Image:
    """Lays out rows of suspicious images, each beside itself under its heat, then those that pass for real.

    Args:
        rows: at least one; a row may hold fewer images than another.
        scale: each pixel becomes ``scale`` x ``scale`` equal pixels, so that nothing is blurred.

    Returns:
        A colour picture (PIL mode ``RGB``).

    Raises:
        ValueError: no row given.
    """
    checks.whole_number(scale=scale)
    if not rows:
        raise ValueError("rows must hold at least one row, got none")
    font = ImageFont.load_default(NAME_SIZE)
    side, step = 28 * scale, 28 * scale + GAP
    left = MARGIN + math.ceil(max(font.getlength(row.name) for row in rows)) + 8
    top = MARGIN + NAME_SIZE + 8
    passed_left = left + 2 * step * max(len(row.caught) for row in rows) + BETWEEN
    right = passed_left + max(step * max(len(row.passed) for row in rows), math.ceil(font.getlength(HEADS[1])))
    picture = Image.new("RGB", (right + MARGIN, top + step * len(rows) - GAP + MARGIN), (PAPER,) * 3)
    draw = ImageDraw.Draw(picture)
    for head, x in zip(HEADS, (left, passed_left), strict=True):
        draw.text((x, MARGIN), head, fill=(INK,) * 3, font=font, anchor="lt")
    for place, row in enumerate(rows):
        y = top + place * step
        draw.text((left - 8, y + side // 2), row.name, fill=(INK,) * 3, font=font, anchor="rm")
        shown = [
            tile for image, heat in zip(row.caught, row.heat, strict=True) for tile in (image, overlaid(image, heat))
        ]
        for column, tile in enumerate(shown):
            picture.paste(_enlarged(tile, scale), (left + column * step, y))
        for column, tile in enumerate(row.passed):
            picture.paste(_enlarged(tile, scale), (passed_left + column * step, y))
    return picture


def clue_maps_figure(maps: Sequence[ClueMap], title: str) -> Figure:
    """Draws a heat map a class in rows of five, each in colours up to its own hottest pixel.

    Args:
        maps: at least one.
        title: above all.

    Raises:
        ValueError: no map given.
    """
    if not maps:
        raise ValueError("maps must hold at least one map, got none")
    columns = min(COLUMNS, len(maps))
    rows = -(-len(maps) // columns)
    size = (COLUMNS * MAP_INCHES[0], rows * MAP_INCHES[1] + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=12, color=INK_COLOUR, x=0.01, ha="left")
    all_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in all_axes:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, each in zip(all_axes, maps, strict=False):
        _draw_map(axes, each)
    return figure


def _draw_map(axes: Axes, clues: ClueMap) -> None:
    axes.set_title(clues.title, fontsize=10, color=INK_COLOUR)
    axes.imshow(clues.heat, cmap=HEAT, vmin=0, vmax=max(float(clues.heat.max()), 1e-9), interpolation="nearest")
    if clues.garment.min() < OUTLINE < clues.garment.max():
        axes.contour(clues.garment, levels=[OUTLINE], colors=INK_COLOUR, linewidths=0.9)
    axes.spines[:].set(visible=True, color="#BBBBBB", linewidth=0.8)


def _enlarged(tile: NDArray[np.uint8], scale: int) -> Image.Image:
    return Image.fromarray(tile.repeat(scale, axis=0).repeat(scale, axis=1))
