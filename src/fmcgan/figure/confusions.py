"""Figures of confusion matrices (conditioned class by predicted class) and of their differences."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from fmcgan.figure.axes import TEXT
from fmcgan.figure.classes import most_telling, short_names
from fmcgan.figure.files import write_figure
from fmcgan.figure.heatmap import SEQUENTIAL, heatmap_figure
from fmcgan.figure.palette import FAINT_INK, INK

SCALE = PowerNorm(0.5, vmin=0, vmax=100)
"""Square root of the percentage, so that an error of 2 is visible beside a diagonal near 100."""
LEAST_LIMIT = 5.0  # smallest limit of the colours of differences, in percentage points; two similar sets are pale
AGREEMENT_TITLE = "Classification of the samples, by conditioned class"


def draw_agreement(counts: ArrayLike, path: Path, title: str = AGREEMENT_TITLE, *, names: Sequence[str]) -> None:
    """Writes `agreement_figure` as files."""
    write_figure(agreement_figure(counts, title, names=names), path)


def agreement_figure(counts: ArrayLike, title: str = AGREEMENT_TITLE, *, names: Sequence[str]) -> Figure:
    """Draws the rows of a confusion matrix in percent, and the total agreement.

    Counts are whole numbers [K, K]: row = conditioned class, column = predicted class. A row without samples is grey;
    a cell without samples is blank. Of many classes, those of the lowest agreement are shown.

    Raises:
        ValueError: the counts are not whole numbers of at least 0, or have another shape than the K names.
    """
    table = _checked(counts, len(names))
    if table.dtype.kind not in "iuf" or not np.isfinite(table).all() or (table < 0).any() or (table % 1 != 0).any():
        raise ValueError("counts must be whole numbers of at least 0, got others")
    table = table.astype(np.int64)
    totals = table.sum(axis=1)
    percent = 100 * table / np.maximum(totals, 1)[:, None]
    errors = np.where(totals > 0, 100 - percent.diagonal(), np.nan)
    shown, note = most_telling(dict(enumerate(errors.tolist())), "with the lowest agreement")
    square, of_shown = np.ix_(shown, shown), short_names([names[label] for label in shown])
    figure = heatmap_figure(
        percent[square],
        of_shown,
        of_shown,
        formats=_percent,
        title="\n".join(filter(None, [title, _summary(table), note])),
        label="percent of the row",
        colours=SEQUENTIAL,
        scale=SCALE,
        blank=(table == 0)[square],
        names=("conditioned class", "classified as"),
        ticks=[0, 5, 25, 50, 100],
    )
    _mark_rows(figure.axes[0], totals[shown] == 0, "no samples of this class")
    return figure


def difference_figure(counts: ArrayLike, real_counts: ArrayLike, sure: ArrayLike, *, names: Sequence[str]) -> Figure:
    """Draws the confusion matrix of samples minus that of real images, [K, K] each, in percent of the row.

    Differences are bold where ``sure``, bool [K, K], says that they are significant; others are pale. Of many classes,
    those whose rows have the largest differences are shown.

    Raises:
        ValueError: a table has another shape than the K names.
    """
    table, real, bold = (_checked(each, len(names)) for each in (counts, real_counts, sure))
    differences = points(table, real)
    sizes = dict(enumerate(np.abs(differences).max(axis=1).tolist()))
    shown, note = most_telling(sizes, "with the largest differences")
    square, of_shown = np.ix_(shown, shown), short_names([names[label] for label in shown])
    limit = max(LEAST_LIMIT, math.ceil(np.nanmax(np.abs(differences[square]), initial=0)))
    figure = heatmap_figure(
        differences[square],
        of_shown,
        of_shown,
        formats="+.0f",
        title="\n".join(filter(None, ["Classification: share of samples minus share of real test images", note])),
        label="percentage points: more of the real images ↔ of the samples",
        scale=Normalize(-limit, limit),
        faint=~bold.astype(bool)[square],
        blank=(table + real == 0)[square],
        names=("conditioned class", "classified as"),
    )
    _mark_rows(figure.axes[0], np.asarray(np.isnan(differences[shown]).all(axis=1)), "not compared")
    return figure


def points(counts: NDArray[np.int64], real_counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Subtracts the percentages within each row: [K, K]; nan in a row that one of the tables lacks."""
    totals, real_totals = (table.sum(axis=1, keepdims=True) for table in (counts, real_counts))
    with np.errstate(invalid="ignore"):
        return np.asarray(100 * counts / totals - 100 * real_counts / real_totals)


def _checked(table: ArrayLike, classes: int) -> NDArray[np.int64]:
    given = np.asarray(table)
    if given.shape != (classes, classes):
        raise ValueError(f"counts must be [{classes}, {classes}], got {list(given.shape)}")
    return given


def _mark_rows(axes: Axes, missing: NDArray[np.bool_], note: str) -> None:
    """Frames the diagonal, and covers missing rows by a note."""
    classes = len(missing)
    middle = (classes - 1) / 2
    for row in range(classes):
        if missing[row]:
            axes.text(middle, row, note, ha="center", va="center", fontsize=TEXT, color=FAINT_INK)
        else:
            cell = Rectangle((row - 0.48, row - 0.47), 0.96, 0.94, fill=False, color=INK, linewidth=1.2, zorder=3)
            axes.add_patch(cell)


def _percent(share: float) -> str:
    """Formats percent in at most three characters; some are never 0 and not all are never 100."""
    if share < 0.5:
        return "<1"
    return ">99" if 99.5 <= share < 100 else f"{share:.0f}"


def _summary(table: NDArray[np.int64]) -> str:
    total, agreed = int(table.sum()), int(table.trace())
    if total == 0:
        return "Agreement: no samples"
    share = _percent(100 * agreed / total) if agreed else 0
    return f"Agreement: {share} % of {total:,} samples are classified as their conditioned class"
