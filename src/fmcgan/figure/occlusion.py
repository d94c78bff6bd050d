"""Figures of occlusion maps: of single images and mean maps."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmcgan.figure.axes import TITLE, panel_figure
from fmcgan.figure.classes import short_names
from fmcgan.figure.font import load_font
from fmcgan.figure.grid import GAP, INK, MARGIN, NAME_SIZE, enlarged, magnification
from fmcgan.figure.palette import GENERATED, LINE
from fmcgan.figure.palette import INK as INK_COLOUR
from fmcgan.figure.paper import paste, sheet

HEAT = LinearSegmentedColormap.from_list("heat", [to_rgba(GENERATED, 0), to_rgba(GENERATED)])
"""Colours from no decrease of the score to the largest one."""
STRONGEST = 0.85  # opacity of the hottest pixel, which leaves the image visible
BETWEEN = 22  # pixels between both blocks of images
HEADS = ("highest scores, each beside its occlusion map", "lowest scores")
OUTLINE = 64  # grey level of the outline in the mean maps
COLUMNS, MAP_INCHES = 5, (1.35, 1.6)


class SampleRow(NamedTuple):
    """A row of `samples_picture`: images of the highest scores with their occlusion maps, and of the lowest scores."""

    name: str
    highest: NDArray[np.uint8]  # [K, H, W] or [K, H, W, 3]
    heat: NDArray[np.float32]  # [K, H, W]; negative values count as 0
    lowest: NDArray[np.uint8]  # [L, H, W] or [L, H, W, 3]


class MeanMap(NamedTuple):
    """One panel of the mean maps: over the outline of a grey mean image of a class, or over a mean image in colour."""

    title: str
    heat: NDArray[np.float32]  # [H, W]
    mean_image: NDArray[np.float32]  # levels 0..255, [H, W] or [H, W, 3]


def overlaid(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Overlays an image [H, W] or [H, W, 3] with a heat map [H, W], whose opacity is relative to the hottest pixel.

    Values up to 0 are transparent. The result is uint8 [H, W, 3].
    """
    hottest = float(heat.max())
    opacity = STRONGEST * np.clip(heat / hottest, 0, 1)[:, :, None] if hottest > 0 else np.zeros((*heat.shape, 1))
    colour = 255 * np.array(to_rgb(GENERATED))
    image = image.reshape(*heat.shape, -1)
    return np.asarray((1 - opacity) * image + opacity * colour).round().astype(np.uint8)


def samples_picture(rows: Sequence[SampleRow]) -> Image.Image:
    """Draws at least one row of images in colour: highest scores, each beside its overlay, then lowest scores.

    The number of images may differ between rows.
    """
    if not rows:
        raise ValueError("rows must hold at least one row, got none")
    font, ink = load_font(NAME_SIZE), (INK,) * 3
    names = short_names([row.name for row in rows])
    side = rows[0].heat.shape[-1]
    scale = magnification(side)
    step = side * scale + GAP
    left = MARGIN + math.ceil(max(map(font.getlength, names))) + 8
    top = MARGIN + NAME_SIZE + 8
    lowest_left = left + 2 * step * max(len(row.highest) for row in rows) + BETWEEN
    right = lowest_left + max(step * max(len(row.lowest) for row in rows), math.ceil(font.getlength(HEADS[1])))
    picture = sheet("RGB", (right + MARGIN, top + step * len(rows) - GAP + MARGIN))
    draw = ImageDraw.Draw(picture)
    for head, x in zip(HEADS, (left, lowest_left), strict=True):
        draw.text((x, MARGIN), head, fill=ink, font=font, anchor="lt")
    for index, (name, row) in enumerate(zip(names, rows, strict=True)):
        y = top + index * step
        draw.text((left - 8, y + side * scale // 2), name, fill=ink, font=font, anchor="rm")
        pairs = zip(row.highest, row.heat, strict=True)
        beside = [tile for image, heat in pairs for tile in (image, overlaid(image, heat))]
        for x, tiles in ((left, beside), (lowest_left, row.lowest)):
            for column, tile in enumerate(tiles):
                paste(picture, enlarged(tile, scale), (x + column * step, y))
    return picture


def maps_figure(maps: Sequence[MeanMap], title: str) -> Figure:
    """Draws at least one heat map in rows of five, with colours relative to the maximum of each."""
    figure, all_axes = panel_figure(len(maps), MAP_INCHES, columns=COLUMNS, extra=0.5)
    figure.suptitle(title, fontsize=TITLE + 1.5, color=INK_COLOUR, x=0.01, ha="left")
    for axes, each in zip(all_axes, maps, strict=True):
        axes.set_title(each.title, fontsize=TITLE, color=INK_COLOUR)
        axes.set(xticks=[], yticks=[])
        if each.mean_image.ndim == 3:
            axes.imshow(overlaid(each.mean_image.round().astype(np.uint8), each.heat), interpolation="nearest")
        else:
            hottest = max(float(each.heat.max()), 1e-9)
            axes.imshow(each.heat, cmap=HEAT, vmin=0, vmax=hottest, interpolation="nearest")
        if each.mean_image.ndim == 2 and each.mean_image.min() < OUTLINE < each.mean_image.max():
            axes.contour(each.mean_image, levels=[OUTLINE], colors=INK_COLOUR, linewidths=0.9)
        axes.spines[:].set(color=LINE, linewidth=0.8)
    return figure
