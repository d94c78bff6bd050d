"""Figures of confusion matrices (class asked for, class read) and of their differences."""

import math
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import ArrayLike, NDArray

from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.heatmap import DIVERGING, heatmap_figure, mark_rows
from fmcgan.figure.palette import GRID, INK
from fmcgan.figure.png import write_png

FIGURE_INCHES = (8.0, 7.4)
"""Width and height of a figure."""
SCALE = PowerNorm(0.5, vmin=0, vmax=100)
"""Square root of the percentage, so that an error of 2 is visible beside a diagonal near 100."""
WIDEST_TITLE = 64
"""Maximum number of letters of a title in one line."""
LEAST_LIMIT = 5.0
"""Smallest limit of the colours of differences, in percentage points; two similar sets are pale."""
AGREEMENT_TITLE = "Class read by the classifier, by class asked for"
DIFFERENCE_TITLE = "Class read: share of samples minus share of real test images"


def draw_agreement(counts: ArrayLike, path: Path, title: str = AGREEMENT_TITLE) -> None:
    """Writes `agreement_figure` as a PNG."""
    write_png(agreement_figure(counts, title), path)


def agreement_figure(counts: ArrayLike, title: str = AGREEMENT_TITLE) -> Figure:
    """Draws the rows of a confusion matrix in percent, and the total agreement.

    Args:
        counts: whole numbers [10, 10]: row = class asked for, column = class read. A row without samples is grey; a
            cell without samples is blank.
        title: above the table.

    Raises:
        ValueError: the counts are not whole numbers of at least 0, or have another shape.
    """
    table = _checked(counts)
    if table.dtype.kind not in "iuf" or not np.isfinite(table).all() or (table < 0).any() or (table % 1 != 0).any():
        raise ValueError("counts must be whole numbers of at least 0, got others")
    table = table.astype(np.int64)
    totals = table.sum(axis=1)
    percent = 100 * table / np.maximum(totals, 1)[:, None]
    figure = heatmap_figure(
        percent,
        CLASS_NAMES,
        CLASS_NAMES,
        formats=_percent,
        title=fill(title, WIDEST_TITLE),
        label="percent of the row",
        scale=SCALE,
        blank=table == 0,
        size=FIGURE_INCHES,
    )
    axes, bar = figure.axes
    bar.set_yticks([0, 1, 5, 10, 25, 50, 75, 100])
    bar.yaxis.set_minor_locator(NullLocator())
    _name_axes(axes)
    mark_rows(axes, {row: "no samples of this class" for row, total in enumerate(totals) if not total}, NUM_CLASSES)
    figure.supxlabel(_summary(table), fontsize=11, color=INK)
    return figure


def difference_figure(
    counts: ArrayLike, real_counts: ArrayLike, sure: ArrayLike, title: str = DIFFERENCE_TITLE
) -> Figure:
    """Draws the rows of one confusion matrix in percent minus those of another.

    Args:
        counts: of the samples, whole numbers [10, 10]: row = class asked for, column = class read.
        real_counts: of real images, [10, 10].
        sure: bool [10, 10]: whether a difference is significant and drawn bold; others are pale.
        title: above the table.

    Raises:
        ValueError: a table has another shape.
    """
    table, real, bold = (_checked(each) for each in (counts, real_counts, sure))
    shown = points(table, real)
    missing: NDArray[np.bool_] = np.asarray(np.isnan(shown).all(axis=1))
    limit = max(LEAST_LIMIT, math.ceil(np.nanmax(np.abs(shown), initial=0)))
    figure = heatmap_figure(
        np.where(missing[:, None], np.nan, shown),
        CLASS_NAMES,
        CLASS_NAMES,
        formats="+.1f",
        title=title,
        label="percentage points: more of the real images  ↔  more of the samples",
        colours=DIVERGING,
        scale=Normalize(-limit, limit),
        faint=~bold.astype(bool),
        blank=table + real == 0,
        size=FIGURE_INCHES,
    )
    axes = figure.axes[0]
    axes.grid(which="minor", color=GRID, linewidth=1)  # visible between white cells
    _name_axes(axes)
    mark_rows(axes, {int(row): "not compared" for row in np.flatnonzero(missing)}, NUM_CLASSES)
    return figure


def points(counts: NDArray[np.int64], real_counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Subtracts the percentages within each row: [10, 10]; nan in a row that one of the tables lacks."""
    totals, real_totals = (table.sum(axis=1, keepdims=True) for table in (counts, real_counts))
    with np.errstate(invalid="ignore"):
        return np.asarray(100 * counts / totals - 100 * real_counts / real_totals)


def _checked(table: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(table)
    if given.shape != (NUM_CLASSES, NUM_CLASSES):
        raise ValueError(f"counts must be [{NUM_CLASSES}, {NUM_CLASSES}], got {list(given.shape)}")
    return given


def _name_axes(axes: Axes) -> None:
    axes.set_xlabel("class read", fontsize=11)
    axes.set_ylabel("class asked for", fontsize=11)


def _percent(share: float) -> str:
    """Formats percent; some are never 0.0 and not all are never 100."""
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
