"""Axes of figures: panels, style, names of cells, colour bars and legends."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fmcgan.figure.palette import GRID, INK, LINE


def padded_figure(size: tuple[float, float], pad: tuple[float, float] = (0.08, 0.08)) -> Figure:
    """Makes an empty figure of a size and horizontal and vertical padding in inches."""
    return Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=pad[0], h_pad=pad[1]))


def panel_figure(
    count: int,
    inches: tuple[float, float],
    columns: int = 2,
    extra: float = 0.0,
    pad: tuple[float, float] = (0.08, 0.08),
) -> tuple[Figure, list[Axes]]:
    """Makes a figure of panels in rows.

    Args:
        count: number of panels.
        inches: width and height of one.
        columns: maximum number of panels in a row.
        extra: height for a legend or title, in inches.
        pad: as for `padded_figure`.

    Returns:
        The figure and the axes of the panels.

    Raises:
        ValueError: ``count`` is 0.
    """
    if count < 1:
        raise ValueError("panels must hold at least one panel, got none")
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = padded_figure((columns * inches[0], rows * inches[1] + extra), pad)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, axes[:count]


def style_axes(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Draws a faint grid behind the data, and the left and lower spines only."""
    axes.grid(axis=grid, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5, color=LINE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)


def name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str], slanted: bool) -> None:
    """Labels rows and columns of a table and separates cells by white lines."""
    if slanted:
        axes.set_xticks(np.arange(len(columns)), columns, fontsize=10, rotation=35, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(np.arange(len(columns)), columns, fontsize=10)
    axes.set_yticks(np.arange(len(rows)), rows, fontsize=10)
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def colour_bar(figure: Figure, axes: Axes, scale: Normalize, colours: Colormap, label: str | None) -> Colorbar:
    """Adds a colour bar at the right of the axes."""
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.8, aspect=22, pad=0.02)
    bar.ax.tick_params(labelsize=9, color=LINE)
    bar.ax.spines[:].set_visible(False)
    if label:
        bar.set_label(label, fontsize=9.5, color=INK)
    return bar


def legend_size(labels: Sequence[str], width: float, font_size: float = 9) -> tuple[int, float]:
    """Computes number of columns and height of a legend for the width of its figure, in inches."""
    if not labels:
        return 1, 0.0
    entries = [0.6 + 0.0085 * font_size * len(label) for label in labels]  # line, gap and letters
    columns = len(labels) if sum(entries) <= width else max(1, min(len(labels), int(width / max(entries))))
    return columns, 0.15 + 0.022 * font_size * -(-len(labels) // columns)
