"""Figures of occlusion maps: of single images and mean maps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fmcgan.app import checks
from fmcgan.figure.axes import panel_figure
from fmcgan.figure.grid import GAP, INK, MARGIN, NAME_SIZE, PAPER, enlarged
from fmcgan.figure.palette import GENERATED
from fmcgan.figure.palette import INK as INK_COLOUR

HEAT = LinearSegmentedColormap.from_list("heat", ["#FFFFFF", GENERATED])
"""Colours from no decrease of the score to the largest one."""
STRONGEST = 0.85
"""Opacity of the hottest pixel, which leaves the image visible."""
BETWEEN = 22
"""Pixels between both blocks of images."""
HEADS = ("highest scores, each beside its occlusion map", "lowest scores")
OUTLINE = 64
"""Grey level of the outline in the mean maps."""
COLUMNS, MAP_INCHES = 5, (2.1, 2.35)


@dataclass(frozen=True, eq=False)
class SampleRow:
    """A row of `samples_picture`.

    Args:
        name: of the row.
        highest: images of the highest scores, uint8 [K, 28, 28].
        heat: their occlusion maps, float [K, 28, 28]; negative values count as 0.
        lowest: images of the lowest scores, uint8 [L, 28, 28].
    """

    name: str
    highest: NDArray[np.uint8]
    heat: NDArray[np.float32]
    lowest: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MeanMap:
    """One panel of the mean maps.

    Args:
        title: above it.
        heat: float [28, 28].
        garment: grey levels 0..255, [28, 28]; its outline is drawn.
    """

    title: str
    heat: NDArray[np.float32]
    garment: NDArray[np.float32]


def overlaid(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Overlays a grey image with a heat map, whose opacity is relative to the hottest pixel.

    Args:
        image: uint8 [28, 28].
        heat: float [28, 28]; values up to 0 are transparent.

    Returns:
        uint8 [28, 28, 3].
    """
    hottest = float(heat.max())
    opacity = STRONGEST * np.clip(heat / hottest, 0, 1)[:, :, None] if hottest > 0 else np.zeros((*heat.shape, 1))
    colour = 255 * np.array(to_rgb(GENERATED))
    return np.asarray((1 - opacity) * image[:, :, None] + opacity * colour).round().astype(np.uint8)


def samples_picture(rows: Sequence[SampleRow], scale: int = 2) -> Image.Image:
    """Draws rows of images: highest scores, each beside its overlay, then lowest scores.

    Args:
        rows: at least one; the number of images may differ.
        scale: integer magnification.

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
    lowest_left = left + 2 * step * max(len(row.highest) for row in rows) + BETWEEN
    right = lowest_left + max(step * max(len(row.lowest) for row in rows), math.ceil(font.getlength(HEADS[1])))
    picture = Image.new("RGB", (right + MARGIN, top + step * len(rows) - GAP + MARGIN), (PAPER,) * 3)
    draw = ImageDraw.Draw(picture)
    for head, x in zip(HEADS, (left, lowest_left), strict=True):
        draw.text((x, MARGIN), head, fill=(INK,) * 3, font=font, anchor="lt")
    for index, row in enumerate(rows):
        y = top + index * step
        draw.text((left - 8, y + side // 2), row.name, fill=(INK,) * 3, font=font, anchor="rm")
        shown = [
            tile for image, heat in zip(row.highest, row.heat, strict=True) for tile in (image, overlaid(image, heat))
        ]
        for column, tile in enumerate(shown):
            picture.paste(enlarged(tile, scale), (left + column * step, y))
        for column, tile in enumerate(row.lowest):
            picture.paste(enlarged(tile, scale), (lowest_left + column * step, y))
    return picture


def maps_figure(maps: Sequence[MeanMap], title: str) -> Figure:
    """Draws one heat map per class in rows of five, with colours relative to the maximum of each.

    Args:
        maps: at least one.
        title: of the figure.

    Raises:
        ValueError: no map given.
    """
    figure, all_axes = panel_figure(len(maps), MAP_INCHES, columns=COLUMNS, extra=0.5)
    figure.suptitle(title, fontsize=12, color=INK_COLOUR, x=0.01, ha="left")
    for axes, each in zip(all_axes, maps, strict=True):
        axes.set_title(each.title, fontsize=10, color=INK_COLOUR)
        axes.set(xticks=[], yticks=[])
        axes.imshow(each.heat, cmap=HEAT, vmin=0, vmax=max(float(each.heat.max()), 1e-9), interpolation="nearest")
        if each.garment.min() < OUTLINE < each.garment.max():
            axes.contour(each.garment, levels=[OUTLINE], colors=INK_COLOUR, linewidths=0.9)
        axes.spines[:].set(color="#BBBBBB", linewidth=0.8)
    return figure
