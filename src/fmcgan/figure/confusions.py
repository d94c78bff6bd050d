"""How two tables of confusions differ, in percentage points: one figure with a number in every cell."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.agreement import FIGURE_INCHES, NO_SAMPLES
from fmcgan.figure.palette import FAINT_INK, GENERATED, GRID, INK, LINE, REAL

COLOURS = LinearSegmentedColormap.from_list("real to generated", [REAL, "#FFFFFF", GENERATED])
"""From what only real images show over white, where both agree, to what only generated ones show."""
LEAST_LIMIT = 5.0
"""Percentage points at which the colours end at the least: two sets that agree are then pale."""

TITLE = "Read as: share of the samples minus share of the real test images"


def difference_figure(counts: ArrayLike, real_counts: ArrayLike, sure: ArrayLike, title: str = TITLE) -> Figure:
    """Draws each row of one table in percent of that row, minus the same of the other table.

    Args:
        counts: of the samples, whole numbers [10, 10]: row = class asked for, column = class read.
        real_counts: of real images, likewise.
        sure: bool [10, 10]: differences to print in bold; the others are printed faintly.
        title: above the table.

    Raises:
        ValueError: a table of another shape.
    """
    tables = [_checked(table) for table in (counts, real_counts, sure)]
    figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots()
    axes.set_title(title, fontsize=12, loc="left", color=INK, pad=10)
    scale = _draw_cells(axes, *tables)
    _draw_axes(axes)
    bar = figure.colorbar(ScalarMappable(scale, COLOURS), ax=axes, shrink=0.7, aspect=28, pad=0.02)
    bar.ax.tick_params(labelsize=9, color=LINE)
    bar.set_label("percentage points: more of the real images  ↔  more of the samples", fontsize=10)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def points(counts: NDArray[np.int64], real_counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of each row, in percent, minus those of the other table: [10, 10]; NaN in a row that one lacks."""
    totals, real_totals = (table.sum(axis=1, keepdims=True) for table in (counts, real_counts))
    with np.errstate(invalid="ignore"):
        return np.asarray(100 * counts / totals - 100 * real_counts / real_totals)


def _checked(table: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(table)
    if given.shape != (NUM_CLASSES, NUM_CLASSES):
        raise ValueError(f"a table must be [{NUM_CLASSES}, {NUM_CLASSES}], got {list(given.shape)}")
    return given.astype(np.int64)


def _draw_cells(
    axes: Axes, counts: NDArray[np.int64], real_counts: NDArray[np.int64], sure: NDArray[np.int64]
) -> Normalize:
    shown = points(counts, real_counts)
    known = np.isfinite(shown)
    limit = max(LEAST_LIMIT, math.ceil(np.abs(shown[known]).max(initial=0)))
    scale = Normalize(-limit, limit)
    axes.imshow(COLOURS(scale(np.where(known, shown, 0))), interpolation="nearest", aspect="auto")
    for row, column in np.argwhere(known & (counts + real_counts > 0)).tolist():
        value, bold = shown[row, column], bool(sure[row, column])
        ink = "white" if abs(value) > 0.75 * limit else INK if bold else FAINT_INK
        text = _signed(value)
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color=ink, weight="bold" if bold else None)
    for place in range(NUM_CLASSES):
        if known[place].all():  # a frame, to find agreement by
            cell = Rectangle(
                (place - 0.5, place - 0.5), 1, 1, fill=False, color=INK, linewidth=1.4, zorder=3, clip_on=False
            )
        else:
            cell = Rectangle((-0.5, place - 0.46), NUM_CLASSES, 0.92, color=NO_SAMPLES, linewidth=0, zorder=2.8)
            middle = (NUM_CLASSES - 1) / 2
            axes.text(middle, place, "not to be compared", ha="center", va="center", fontsize=10, color="#444444")
        axes.add_patch(cell)
    return scale


def _draw_axes(axes: Axes) -> None:
    places = np.arange(NUM_CLASSES)
    axes.set_xticks(places, CLASS_NAMES, fontsize=10, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, CLASS_NAMES, fontsize=10)
    axes.set(xlabel="class read", ylabel="class asked for")
    edges = places[1:] - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=GRID, linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(GRID)


def _signed(value: float) -> str:
    """With one digit and its sign; a difference that rounds to none has no sign."""
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
