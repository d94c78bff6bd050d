"""Panels of curves over images seen or minutes, and running means. Pyplot is avoided for its global state."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from fmcgan.app import checks
from fmcgan.figure.axes import legend_size, panel_figure, shared_legend, style_axes
from fmcgan.figure.palette import FAINT_INK, INK
from fmcgan.figure.png import write_png

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
"""Colours of Okabe and Ito, safe for colour-blind readers, without the faint yellow."""
LINE_STYLES, MARKERS = ("-", "--", ":", "-."), ("o", "s", "^", "D")
"""Combined with the palette they distinguish 28 labels."""
PANEL_INCHES = (5.4, 3.5)  # width and height of one panel
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
    x_label: str = "images seen"
    scale: str = "linear"  # of the y axis, or "log" (values <= 0 leave gaps) or "symlog" (linear within -1..1)
    references: Mapping[str, float] = field(default_factory=dict)  # label and height of each dashed horizontal line

    def __post_init__(self) -> None:
        checks.one_of(("linear", "log", "symlog"), scale=self.scale)


def draw_curves(panels: Sequence[Panel], path: Path) -> None:
    """Writes `curves_figure` as a PNG."""
    write_png(curves_figure(panels), path)


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


def curve_colour(index: int) -> str:
    """Returns the colour of the curve with this index among the labels of a figure."""
    return PALETTE[index % len(PALETTE)]


def _draw_panel(axes: Axes, panel: Panel, labels: list[str]) -> None:
    axes.set_title(panel.title, fontsize=11, loc="left", color=INK)
    axes.set_xlabel(panel.x_label, fontsize=9)
    axes.set_ylabel(panel.y_label, fontsize=9)
    drawn = [_draw_series(axes, series, labels.index(series.label), panel.scale) for series in panel.series]
    if any(drawn):
        for number, (label, height) in enumerate(panel.references.items()):
            dashes = (0, (1.5, 2) if number % 2 else (6, 3))
            axes.axhline(height, label=label, color=INK, linestyle=dashes, linewidth=1)
        _scale(axes, panel.scale)
    else:
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color=FAINT_INK)
        axes.set(xticks=[], yticks=[])
    style_axes(axes)


def _draw_series(axes: Axes, series: Series, index: int, scale: str) -> bool:
    """Draws one curve; returns False if it has no values to show."""
    x, y = np.asarray(series.x, dtype=np.float64), _shown(series.y, scale)
    if not np.isfinite(y).any():
        return False
    colour = curve_colour(index)
    lap = index // len(PALETTE) % len(LINE_STYLES)
    if series.raw is not None:
        axes.plot(x, _shown(series.raw, scale), color=colour, linewidth=0.7, alpha=0.3)
    if series.band is not None:
        low, high = (_shown(edge, scale) for edge in series.band)
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        if len(x) == 1:  # an area of zero width is invisible
            axes.vlines(x, low, high, color=colour, alpha=0.5, linewidth=3)
    marker = MARKERS[lap] if np.isfinite(y).sum() <= FEW else ""
    style, label = LINE_STYLES[lap], series.label
    axes.plot(x, y, color=colour, linestyle=style, linewidth=1.7, label=label, marker=marker, markersize=3.5)
    return True


def _shown(values: ArrayLike, scale: str) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(given) & ((given > 0) | (scale != "log")), given, np.nan)


def _scale(axes: Axes, scale: str) -> None:
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count_label(value)))
    if scale == "linear":
        return
    axes.set_yscale(scale, **({"linthresh": 1} if scale == "symlog" else {}))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if scale == "log":
        low, high = axes.get_ylim()
        decades = math.log10(high / low)
        if decades < 1:
            axes.yaxis.set_major_locator(MaxNLocator(6))
        else:
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,), numticks=12))
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
