"""The table of classes asked for and classes read, as one PNG: whether a conditional generator listens to its label."""

from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike, NDArray

from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.png import write_png

FIGURE_INCHES = (8.0, 7.4)
"""Width and height of the figure."""
COLOURS = colormaps["Blues"]
"""One hue that only darkens: it reads the same to colour-blind readers and in print."""
SCALE = PowerNorm(0.5, vmin=0, vmax=100)
"""Colour goes with the square root of the percentage: beside a diagonal near 100, an error of 2 would not be seen."""
NO_SAMPLES = "#D9D9D9"
"""Colour of a row that has no samples; no shade of `COLOURS`."""
WIDEST_TITLE = 64
"""Letters of a title that fit in one line."""


TITLE = "Class read by the classifier, by the class that was asked for"


def draw_agreement(counts: ArrayLike, path: Path, title: str = TITLE) -> None:
    """Writes `agreement_figure`, whose arguments it takes, as a PNG.

    Raises:
        ValueError: counts are no whole numbers of at least 0, or of another shape.
        OSError: the PNG cannot be written.
    """
    write_png(agreement_figure(counts, title), path)


def agreement_figure(counts: ArrayLike, title: str = TITLE) -> Figure:
    """Draws each row of the table in percent of that row, with the share of all samples on the diagonal below.

    Args:
        counts: whole numbers [10, 10]: row = class asked for, column = class read by a classifier of real images. A row
            without samples is grey; a cell without samples is blank.
        title: above the table.

    Raises:
        ValueError: counts are no whole numbers of at least 0, or of another shape.
    """
    table = _checked(counts)
    figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots()
    axes.set_title(fill(title, WIDEST_TITLE), fontsize=12, loc="left", color="#222222", pad=10)
    _draw_cells(axes, table)
    _draw_axes(axes)
    bar = figure.colorbar(ScalarMappable(SCALE, COLOURS), ax=axes, shrink=0.7, aspect=28, pad=0.02)
    bar.set_ticks([0, 1, 5, 10, 25, 50, 75, 100])
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.tick_params(labelsize=9, color="#999999")
    bar.set_label("percent of the row", fontsize=10)
    bar.outline.set_visible(False)  # type: ignore[operator]
    figure.supxlabel(_summary(table), fontsize=11, color="#222222")
    return figure


def _checked(counts: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(counts)
    if given.shape != (NUM_CLASSES, NUM_CLASSES):
        raise ValueError(f"counts must be [{NUM_CLASSES}, {NUM_CLASSES}], got {list(given.shape)}")
    if given.dtype.kind not in "iuf" or not np.isfinite(given).all() or (given < 0).any() or (given % 1 != 0).any():
        raise ValueError("counts must be whole numbers of at least 0, got others")
    return given.astype(np.int64)


def _draw_cells(axes: Axes, table: NDArray[np.int64]) -> None:
    totals = table.sum(axis=1)
    percent = 100 * table / np.maximum(totals, 1)[:, None]
    axes.imshow(COLOURS(SCALE(percent)), interpolation="nearest", aspect="auto")
    for row, column in np.argwhere(table).tolist():
        share = percent[row, column]
        weight, ink = "bold" if row == column else "normal", "white" if SCALE(share) > 0.6 else "#222222"
        axes.text(column, row, _percent(share), ha="center", va="center", fontsize=10, weight=weight, color=ink)
    for place, total in enumerate(totals):
        if total:  # agreement is found by its frame, even where there is none
            cell = Rectangle((place - 0.5, place - 0.5), 1, 1, fill=False, color="#222222", linewidth=1.8, zorder=3)
        else:
            cell = Rectangle((-0.5, place - 0.46), NUM_CLASSES, 0.92, color=NO_SAMPLES, linewidth=0, zorder=2.8)
            middle = (NUM_CLASSES - 1) / 2
            axes.text(middle, place, "no samples of this class", ha="center", va="center", fontsize=10, color="#444444")
        axes.add_patch(cell)


def _draw_axes(axes: Axes) -> None:
    places = np.arange(NUM_CLASSES)
    axes.set_xticks(places, CLASS_NAMES, fontsize=10, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, CLASS_NAMES, fontsize=10)
    axes.set_xlabel("class read", fontsize=11)
    axes.set_ylabel("class asked for", fontsize=11)
    edges = places[1:] - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _percent(share: float) -> str:
    """Never 0.0 for some nor 100 for not all."""
    if share < 0.1:
        return "<0.1"
    if 99.9 < share < 100:
        return ">99.9"
    return "100" if share == 100 else f"{share:.1f}"


def _summary(table: NDArray[np.int64]) -> str:
    total, agreed = int(table.sum()), int(table.trace())
    if total == 0:
        return "Agreement: no samples"
    return f"Agreement: {_percent(100 * agreed / total) if agreed else 0} % of {total:,} samples are read as asked for"
