"""Figures of clusters within the classes: examples and shares."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmcgan.figure.axes import PANEL_INCHES, TEXT, panel_figure, style_axes
from fmcgan.figure.chart import add_tips
from fmcgan.figure.classes import short_names
from fmcgan.figure.font import load_font
from fmcgan.figure.grid import GAP, MARGIN, enlarged, magnification
from fmcgan.figure.image_rows import check_pixels
from fmcgan.figure.palette import FAINT_INK, GENERATED, GRID, INK, REAL
from fmcgan.figure.paper import paste, sheet

COLUMNS, ROWS = 6, 2  # of a block of real or generated images
NAME_WIDTH, BAR_WIDTH, BETWEEN, HEAD = 150, 190, 14, 66
"""Pixels: width of the text, width of the bars, gap between blocks, height of the headings."""
REAL_LEFT = MARGIN + NAME_WIDTH
SMALL, LARGE = load_font(14), load_font(17)
BAR = 16  # height of a bar
RATIOS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4)  # ticks of the overview; values are clipped to the ends
ROW_INCHES = 0.145

CLASSES = 5  # of a panel of the overview

Share = tuple[float, float, float]  # a share and the ends of its interval, in 0..1


@dataclass(frozen=True, eq=False)
class ClusterRow:
    """A cluster of a class, with its shares among real training images, real test images and generated images."""

    name: str
    description: str
    mark: str  # such as ``missing``; empty if the shares are about equal
    real: NDArray[np.uint8]  # examples [N, H, W] or [N, H, W, 3]; the first `COLUMNS` x `ROWS` are drawn
    generated: NDArray[np.uint8]  # examples of the same shape; may be empty
    real_share: Share
    test_share: Share
    generated_share: Share

    def __post_init__(self) -> None:
        for name, images in (("real", self.real), ("generated", self.generated)):
            check_pixels(images, name, "N, H, W")


class Layout(NamedTuple):
    """Positions in the picture of a class, in pixels, for images of a size."""

    scale: int  # magnification of images
    step: int  # from one image to the next
    block_width: int
    block_height: int
    generated_left: int
    bars_left: int

    @classmethod
    def of(cls, size: int) -> "Layout":
        """Computes the positions for images of ``size`` by ``size`` pixels."""
        scale = magnification(size)
        step = size * scale + GAP
        width = COLUMNS * step - GAP
        generated = REAL_LEFT + width + BETWEEN
        return cls(scale, step, width, ROWS * step - GAP, generated, generated + width + BETWEEN)


def clusters_picture(rows: Sequence[ClusterRow], title: str) -> Image.Image:
    """Draws at least one cluster, one per row: name, real and generated examples, and both shares with intervals.

    All bars have one scale. The picture is coloured (PIL mode ``RGB``) and about 1,100 pixels wide.
    """
    if not rows:
        raise ValueError("rows must hold at least one cluster, got none")
    layout = Layout.of(rows[0].real.shape[1])
    width, height = layout.bars_left + BAR_WIDTH + MARGIN, layout.block_height + BETWEEN
    picture = sheet("RGB", (width, HEAD + len(rows) * height))
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=LARGE, anchor="lt")
    for left, head, colour in (
        (REAL_LEFT, "real, nearest to the centre", FAINT_INK),
        (layout.generated_left, "generated, unselected", FAINT_INK),
        (layout.bars_left, "share of real,", REAL),
        (layout.bars_left + math.ceil(SMALL.getlength("share of real, ")), "generated", GENERATED),
    ):
        draw.text((left, HEAD - 10), head, fill=colour, font=SMALL, anchor="ls")
    full = max(max(row.real_share[2], row.generated_share[2]) for row in rows)
    for index, row in enumerate(rows):
        _draw_row(picture, row, layout, HEAD + index * height, full)
    return picture


def ratios_figure(classes: Mapping[str, Sequence[ClusterRow]]) -> Figure:
    """Draws the share of each cluster among generated images, divided by its share among real training images.

    ``classes`` are clusters in the order of their numbers, at least one, by the name of the class.
    """
    names = [name for name, rows in classes.items() if rows]
    if not names:
        raise ValueError("classes must hold at least one cluster, got none")
    parts = [names[start : start + CLASSES] for start in range(0, len(names), CLASSES)]
    most = max(sum(1 + len(classes[name]) for name in part) for part in parts)
    figure, all_axes = panel_figure(len(parts), (PANEL_INCHES[0], ROW_INCHES * most + 0.6), extra=0.3)
    for axes, part in zip(all_axes, parts, strict=True):
        middles, top = [], 0
        for rows in (classes[name] for name in part):
            axes.axhline(top - 1, color=GRID, linewidth=0.8)
            for index, row in enumerate(rows):
                _draw_ratio(axes, top + index, row)
            middles.append(top + (len(rows) - 1) / 2)
            top += len(rows) + 1
        axes.set_ylim(most - 1, -1)
        axes.set_yticks(middles, short_names(part), fontsize=TEXT)
        _draw_axes(axes)
    marks = {"generated, 95 %": (GENERATED, "o"), "real test images": (REAL, "|")}
    lines = [Line2D([], [], color=colour, marker=marker, linestyle="") for colour, marker in marks.values()]
    figure.legend(lines, list(marks), loc="outside upper right", ncols=2, frameon=False, fontsize=TEXT)
    return figure


def _draw_row(picture: Image.Image, row: ClusterRow, layout: Layout, top: int, full: float) -> None:
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, top), row.name, fill=INK, font=LARGE, anchor="lt")
    for line, text in enumerate(wrap(row.description, 18), start=1):
        draw.text((MARGIN, top + 2 + 18 * line), text, fill=INK, font=SMALL, anchor="la")
    if row.mark:
        bottom, right = top + layout.block_height, MARGIN + math.ceil(SMALL.getlength(row.mark)) + 14
        draw.rounded_rectangle((MARGIN, bottom - 24, right, bottom), radius=4, fill=INK)
        draw.text((MARGIN + 7, bottom - 12), row.mark, fill="white", font=SMALL, anchor="lm")
    for left, images in ((REAL_LEFT, row.real), (layout.generated_left, row.generated)):
        for index, image in enumerate(images[: COLUMNS * ROWS]):
            x, y = left + index % COLUMNS * layout.step, top + index // COLUMNS * layout.step
            paste(picture, enlarged(image, layout.scale), (x, y))
        if not len(images):
            draw.text((left, top + layout.step // 2), "none", fill=FAINT_INK, font=LARGE, anchor="lm")
    left, middle = layout.bars_left, top + layout.block_height // 2
    _draw_bar(draw, row.real_share, (left, middle - BAR - 3), full, REAL)
    _draw_bar(draw, row.generated_share, (left, middle + 3), full, GENERATED)


def _draw_bar(draw: ImageDraw.ImageDraw, share: Share, at: tuple[int, int], full: float, colour: str) -> None:
    """Draws a bar with interval and number from a left upper corner; ``full`` is the share at full length."""
    left, top = at
    value, low, high = (left + round((BAR_WIDTH - 58) * part / full) for part in share)
    draw.rectangle((left, top, value, top + BAR - 1), fill=colour)
    middle = top + BAR // 2
    draw.line((low, middle, high, middle), fill=INK, width=2)
    for end in (low, high):
        draw.line((end, middle - 4, end, middle + 4), fill=INK, width=2)
    draw.text((max(value, high) + 6, middle), f"{100 * share[0]:.1f} %", fill=INK, font=SMALL, anchor="lm")


def _draw_ratio(axes: Axes, y: float, row: ClusterRow) -> None:
    """Draws a dot with interval, or a triangle at the edge for a ratio beyond the axis."""
    value, low, high = (_within(part, row.real_share[0]) for part in row.generated_share)
    axes.plot([low, high], [y, y], color=GENERATED, linewidth=1.3, alpha=0.55, solid_capstyle="butt")
    marker = "<" if value == RATIOS[0] else ">" if value == RATIOS[-1] else "o"
    axes.plot(value, y, color=GENERATED, marker=marker, markersize=5 if row.mark else 3.2)
    axes.plot(_within(row.test_share[0], row.real_share[0]), y, color=REAL, marker="|", markersize=7)
    if row.mark:  # on the other side of the line of equal shares
        x, shift, side = (max(high, 1.15), 6, "left") if value < 1 else (min(low, 0.87), -6, "right")
        text = f"{row.name.removeprefix('Cluster ')} {row.mark}"
        axes.annotate(
            text, (x, y), (shift, 0), textcoords="offset points", fontsize=TEXT, ha=side, va="center", color=INK
        )
    shares = f"{100 * row.generated_share[0]:.1f} % of generated, {100 * row.real_share[0]:.1f} % of real images"
    add_tips(axes, [value], [y], [f"{row.name}{', ' * bool(row.mark)}{row.mark} ({row.description}): {shares}"])


def _within(share: float, real_share: float) -> float:
    ratio = share / real_share if real_share else math.inf
    return min(max(ratio, RATIOS[0]), RATIOS[-1])


def _draw_axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(RATIOS[0] / 1.08, RATIOS[-1] * 1.08)
    axes.xaxis.set_major_locator(FixedLocator(RATIOS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"1/{1 / ratio:g}" if ratio < 1 else f"{ratio:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1, color=INK, linewidth=1, zorder=1)
    axes.axvspan(RATIOS[0] / 1.08, 1 / 4, color=GRID, alpha=0.5, linewidth=0, zorder=0)
    axes.text(RATIOS[0], -0.9, "missing", fontsize=TEXT, color=FAINT_INK, va="top")
    axes.set_xlabel("share of generated images / of real training images", fontsize=TEXT)
    style_axes(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
