"""Axes of figures: panels, style and the size of legends."""

from collections.abc import Sequence
from textwrap import fill
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from fmcgan.figure.palette import GRID, INK, LINE

PANEL_INCHES = (3.45, 2.5)
"""Width and height of one panel. The width is that of a phone, where a page shows one panel a row at this size."""
TITLE, TEXT = 9.5, 8.5  # font sizes in points; the smaller one has 11 pixels on a page
_LETTER = 0.0083  # width of a letter of a title in inches, by font size in points


def panel_figure(
    count: int,
    inches: tuple[float, float],
    columns: int = 2,
    extra: float = 0.0,
    pad: tuple[float, float] = (0.08, 0.08),
) -> tuple[Figure, list[Axes]]:
    """Makes a figure of panels in rows; returns it and the axes of the panels.

    Args:
        count: number of panels, at least 1.
        inches: width and height of one.
        columns: maximum number of panels in a row.
        extra: height for a legend or title, in inches.
        pad: horizontal and vertical padding, in inches.
    """
    if count < 1:
        raise ValueError("panels must hold at least one panel, got none")
    columns = min(columns, count)
    rows = -(-count // columns)
    size = columns * inches[0], rows * inches[1] + extra
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=pad[0], h_pad=pad[1]))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, axes[:count]


def style_axes(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Draws a faint grid behind the data, and the left and lower spines only."""
    axes.grid(axis=grid, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=TEXT, color=LINE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)


def name_axes(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Writes a title, wrapped to the width of a panel, and the names of both axes, with units."""
    figure = axes.get_figure(root=True)
    inches = PANEL_INCHES[0] if figure is None else min(figure.get_figwidth(), 1.6 * PANEL_INCHES[0])
    letters = int(inches / (_LETTER * TITLE))
    text = "\n".join(fill(line, letters) for line in title.splitlines())
    axes.set_title(text, fontsize=TITLE, loc="left", color=INK, y=1.0)  # to search for a place takes as long as drawing
    axes.set_xlabel(fill(x, 45), fontsize=TEXT)
    axes.set_ylabel(fill(y, 30), fontsize=TEXT)


def round_ticks(most: int = 5) -> MaxNLocator:
    """Places at most so many ticks at round numbers."""
    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])


def shared_legend(figure: Figure, columns: int | None = None) -> Figure:
    """Draws one legend below all panels, with one entry for each label, and returns the figure.

    ``columns`` are those of `legend_size`; None: one row.
    """
    entries = {text: line for axes in figure.axes for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    if entries:
        columns, lines, texts = columns or len(entries), entries.values(), entries.keys()
        figure.legend(lines, texts, loc="outside lower center", ncols=columns, frameon=False, fontsize=TEXT)
    return figure


def legend_size(labels: Sequence[str], width: float, font_size: float = TEXT) -> tuple[int, float]:
    """Computes number of columns and height of a legend for the width of its figure, in inches."""
    if not labels:
        return 1, 0.0
    entries = [0.6 + 0.0085 * font_size * len(label) for label in labels]  # line, gap and letters
    columns = len(labels) if sum(entries) <= width else max(1, min(len(labels), int(width / max(entries))))
    return columns, 0.15 + 0.022 * font_size * -(-len(labels) // columns)
