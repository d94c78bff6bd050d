"""Panels of curves over the images seen (or the minutes), as one PNG. Matplotlib's objects only, no pyplot."""

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
from fmcgan.figure.png import write_png

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
"""Okabe and Ito's colours, which colour-blind readers can tell apart, without the yellow that is faint on white."""
LINE_STYLES, MARKERS = ("-", "--", ":", "-."), ("o", "s", "^", "D")
"""The palette is gone through once for each of these, so that 28 labels stay distinct."""
PANEL_INCHES = (5.4, 3.5)
"""Width and height of one panel."""
FEW = 3
"""Up to so many points of a curve are marked with dots: a line through one point alone would not be seen."""


@dataclass(frozen=True)
class Series:
    """One curve.

    Args:
        label: equal labels have equal colours in all panels of a figure and one entry in its legend.
        x: [N], rising.
        y: [N]; what is not finite leaves a gap.
        band: lower and upper edge, [N] each, drawn as a light area (the spread over seeds).
        raw: [N], the values before smoothing, drawn thin behind the curve.
    """

    label: str
    x: ArrayLike
    y: ArrayLike
    band: tuple[ArrayLike, ArrayLike] | None = None
    raw: ArrayLike | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        title: above the axes.
        y_label: what the curves show and its unit.
        series: the curves; none, or none with a finite value, gives a panel which says so.
        x_label: what the curves run over.
        scale: of the y axis, ``linear``, ``log`` (values <= 0 leave gaps) or ``symlog`` (linear within -1..1).
        references: label and height of each dashed horizontal line.
    """

    title: str
    y_label: str
    series: Sequence[Series]
    x_label: str = "images seen"
    scale: str = "linear"
    references: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.one_of(("linear", "log", "symlog"), scale=self.scale)


def draw_curves(panels: Sequence[Panel], path: Path, columns: int = 2) -> None:
    """Writes `curves_figure`, whose arguments it takes, as a PNG.

    Raises:
        ValueError: no panel given.
        OSError: the PNG cannot be written.
    """
    write_png(curves_figure(panels, columns), path)


def curves_figure(panels: Sequence[Panel], columns: int = 2) -> Figure:
    """Draws panels in rows with one legend below, at `PANEL_INCHES` a panel.

    Args:
        panels: at least one.
        columns: so many panels a row, at most.

    Raises:
        ValueError: no panel given.
    """
    checks.whole_number(columns=columns)
    if not panels:
        raise ValueError("panels must hold at least one panel, got none")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    labels = list(dict.fromkeys(series.label for panel in panels for series in panel.series))
    references = list(dict.fromkeys(label for panel in panels for label in panel.references))
    places, legend_inches = _legend_size([*labels, *references], columns * PANEL_INCHES[0])
    size = (columns * PANEL_INCHES[0], rows * PANEL_INCHES[1] + legend_inches)
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(all_axes, panels, strict=False):
        _draw_panel(axes, panel, labels)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    entries = {text: line for axes in figure.axes for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    if entries:
        figure.legend(
            entries.values(),
            entries.keys(),
            loc="outside lower center",
            ncols=places,
            frameon=False,
            fontsize=9,
        )
    return figure


def count_label(count: float) -> str:
    """Writes a count as an axis does: 0, 500, 50k, 1.5M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(count) >= size:
            return f"{count / size:g}{suffix}"
    return f"{count:g}"


def _draw_panel(axes: Axes, panel: Panel, labels: list[str]) -> None:
    axes.set_title(panel.title, fontsize=11, loc="left", color="#222222")
    axes.set_xlabel(panel.x_label, fontsize=9)
    axes.set_ylabel(panel.y_label, fontsize=9)
    drawn = [_draw_series(axes, series, labels.index(series.label), panel.scale) for series in panel.series]
    if not any(drawn):
        axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", va="center", color="#777777")
        axes.set(xticks=[], yticks=[])
    else:
        for number, (label, height) in enumerate(panel.references.items()):
            dashes = (0, (1.5, 2) if number % 2 else (6, 3))
            axes.axhline(height, label=label, color="#222222", linestyle=dashes, linewidth=1)
        _scale(axes, panel.scale)
    axes.grid(color="#E3E3E3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5, color="#999999")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")


def _draw_series(axes: Axes, series: Series, place: int, scale: str) -> bool:
    """Draws one curve; False if it has no value which the scale can show."""
    x, y = np.asarray(series.x, dtype=np.float64), _shown(series.y, scale)
    if not np.isfinite(y).any():
        return False
    colour = PALETTE[place % len(PALETTE)]
    lap = place // len(PALETTE) % len(LINE_STYLES)
    if series.raw is not None:
        axes.plot(x, _shown(series.raw, scale), color=colour, linewidth=0.7, alpha=0.3)
    if series.band is not None:
        low, high = (_shown(edge, scale) for edge in series.band)
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        if len(x) == 1:  # an area of no width is not seen
            axes.vlines(x, low, high, color=colour, alpha=0.5, linewidth=3)
    dots = {"marker": MARKERS[lap], "markersize": 3.5} if np.isfinite(y).sum() <= FEW else {}
    axes.plot(x, y, color=colour, linestyle=LINE_STYLES[lap], linewidth=1.7, label=series.label, **dots)  # type: ignore[arg-type]
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


def _legend_size(labels: list[str], width: float) -> tuple[int, float]:
    """Columns and height in inches of the legend of a figure so many inches wide."""
    if not labels:
        return 1, 0.0
    entries = [0.6 + 0.072 * len(label) for label in labels]  # a line, a gap and letters of 9 points
    columns = len(labels) if sum(entries) <= width else max(1, min(len(labels), int(width / max(entries))))
    return columns, 0.15 + 0.2 * -(-len(labels) // columns)
