"""Panels of curves over images seen or minutes, and running means. Pyplot is avoided for its global state."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from fmcgan.app import checks
from fmcgan.app.formatting import short_number
from fmcgan.figure.axes import (
    PANEL_INCHES,
    legend_size,
    name_axes,
    panel_figure,
    round_ticks,
    shared_legend,
    style_axes,
)
from fmcgan.figure.chart import MOST_TIPS, add_tips
from fmcgan.figure.palette import FAINT_INK, INK, MEANINGS, SERIES, colours_of

LINE_STYLES, MARKERS = ("-", "--", ":", "-."), ("o", "s", "^", "D")
"""Combined with `SERIES` they distinguish 28 labels."""
FEW = 3  # largest number of points of a curve with dots, because a line through a single point is invisible


@dataclass(frozen=True)
class Series:
    """One curve: y [N] over ascending x [N]; a value that is not finite leaves a gap."""

    label: str  # equal labels have equal colours in all panels and one entry in the legend
    x: ArrayLike
    y: ArrayLike
    band: tuple[ArrayLike, ArrayLike] | None = None  # edges of a light area, [N] each, such as the range over seeds
    raw: ArrayLike | None = None  # [N], the values before smoothing, drawn thin behind the curve


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    y_label: str  # quantity and unit
    series: Sequence[Series]  # without finite values the panel shows "no values"
    x_label: str = "training images seen"
    scale: str = "linear"  # of the y axis, or "log" (values <= 0 leave gaps) or "symlog" (linear within -1..1)
    references: Mapping[str, float] = field(default_factory=dict)  # label and height of each dashed horizontal line

    def __post_init__(self) -> None:
        checks.one_of(("linear", "log", "symlog"), scale=self.scale)


def curves_figure(panels: Sequence[Panel], columns: int = 2) -> Figure:
    """Draws at least one panel in rows of at most ``columns`` with one legend below."""
    checks.whole_number(columns=columns)
    labels = list(dict.fromkeys(series.label for panel in panels for series in panel.series))
    references = list(dict.fromkeys(label for panel in panels for label in panel.references))
    width = min(columns, len(panels)) * PANEL_INCHES[0]
    legend_columns, legend_inches = legend_size([*labels, *references], width)
    figure, all_axes = panel_figure(len(panels), PANEL_INCHES, columns, extra=legend_inches)
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_panel(axes, panel, labels)
    return shared_legend(figure, legend_columns)


def count_label(count: float) -> str:
    """Formats a count for an axis: 0, 500, 50k, 1.5M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:g}{suffix}"
    return f"{count:g}"


def _draw_panel(axes: Axes, panel: Panel, labels: list[str]) -> None:
    name_axes(axes, panel.title, panel.x_label, panel.y_label)
    drawn = [_draw_series(axes, series, labels, panel) for series in panel.series]
    if any(drawn):
        for number, (label, height) in enumerate(panel.references.items()):
            dashes = (0, (1.5, 2) if number % 2 else (6, 3))
            axes.axhline(height, label=label, color=MEANINGS.get(label, INK), linestyle=dashes, linewidth=1)
        _scale(axes, panel.scale)
    else:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color=FAINT_INK)
        axes.set(xticks=[], yticks=[])
    style_axes(axes)


def _draw_series(axes: Axes, series: Series, labels: list[str], panel: Panel) -> bool:
    """Draws one curve; returns False if it has no values to show."""
    x, y = np.asarray(series.x, dtype=np.float64), _shown(series.y, panel.scale)
    if not np.isfinite(y).any():
        return False
    colour, others = colours_of(labels)[series.label], [label for label in labels if label not in MEANINGS]
    lap = others.index(series.label) // len(SERIES) % len(LINE_STYLES) if series.label in others else 0
    if series.raw is not None:
        axes.plot(x, _shown(series.raw, panel.scale), color=colour, linewidth=0.7, alpha=0.3)
    if series.band is not None:
        low, high = (_shown(edge, panel.scale) for edge in series.band)
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        if len(x) == 1:  # an area of zero width is invisible
            axes.vlines(x, low, high, color=colour, alpha=0.5, linewidth=3)
    marker = MARKERS[lap] if np.isfinite(y).sum() <= FEW else ""
    style, label = LINE_STYLES[lap], series.label
    axes.plot(x, y, color=colour, linestyle=style, linewidth=1.7, label=label, marker=marker, markersize=3.5)
    known = np.flatnonzero(np.isfinite(y))
    told = known[np.linspace(0, len(known) - 1, min(len(known), MOST_TIPS)).round().astype(int)]
    texts = [f"{label}: {short_number(y[at])} ({count_label(round(x[at], 1))} {panel.x_label})" for at in told]
    add_tips(axes, x[told], y[told], texts)
    return True


def _shown(values: ArrayLike, scale: str) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(given) & ((given > 0) | (scale != "log")), given, np.nan)


def _scale(axes: Axes, scale: str) -> None:
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(round_ticks())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count_label(value)))
    if scale == "linear":
        axes.yaxis.set_major_locator(round_ticks())
        return
    axes.set_yscale(scale, **({"linthresh": 1} if scale == "symlog" else {}))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if scale == "log":
        low, high = axes.get_ylim()
        decades = math.log10(high / low)
        if decades < 1:
            axes.yaxis.set_major_locator(round_ticks())
        else:
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,), numticks=12))
        axes.yaxis.set_minor_locator(NullLocator())


def running_mean(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Smooths values [N] by the mean of the finite ones in a centred window, truncated at both ends.

    Even widths are increased by one. Values that are not finite become nan, which shows where a run diverged.
    """
    checks.whole_number(window=window)
    given = np.asarray(values, dtype=np.float64)
    if given.size == 0:
        return given
    finite = np.isfinite(given)
    half = window // 2
    ones = np.ones(2 * half + 1)
    sums = np.convolve(np.where(finite, given, 0.0), ones)[half : half + len(given)]
    counts = np.convolve(finite, ones)[half : half + len(given)]
    return np.where(finite, sums / np.maximum(counts, 1), np.nan)


def smoothing_window(points: int, parts: int = 50) -> int:
    """Chooses the odd width of a running mean: about the length divided by ``parts``, and 1 for short curves."""
    return points // (2 * parts) * 2 + 1
