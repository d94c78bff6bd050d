"""Bar charts of metrics by class, with marks for reference values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from fmcgan.figure.axes import legend_size, panel_figure, style_axes
from fmcgan.figure.classes import short_names
from fmcgan.figure.curves import PALETTE
from fmcgan.figure.palette import FAINT_INK, INK, LINE
from fmcgan.figure.png import write_png

BARS_INCHES = (5.4, 3.3)  # width and height of one panel of ten classes
_CLASS_INCHES = 0.24  # height for each class
BAR_COLOUR = PALETTE[5]
BARS_LABEL = "samples"  # legend of the bars
MARKS = (("|", INK), ("D", PALETTE[1]), ("^", PALETTE[2]), ("o", PALETTE[3]))
"""Shape and colour of each reference; they repeat after four."""
DASHES = (0, (4, 2))
WIDEST_TITLE = 56  # maximum number of letters of a title in one line, beside names of `SHORT` letters
SHORT = 10
_TITLE_LETTERS = 0.7  # letters of a title that are as wide as one of a name, whose font is smaller


@dataclass(frozen=True)
class ClassBars:
    """One panel; values and references must have one number per class."""

    title: str
    values: Sequence[float | None]
    """Of each class; ``None`` for a class without samples, which has a remark instead of a bar."""
    references: Mapping[str, Sequence[float | None] | float] = field(default_factory=dict)
    """By label: one value per class (``None``: no mark) are drawn as marks, one number as a line. Equal labels have
    equal colours in all panels."""
    names: Sequence[str] = field(kw_only=True)  # of the classes

    def __post_init__(self) -> None:
        n = len(self.names)
        for name, given in {"values": self.values, **self.references}.items():
            if not isinstance(given, int | float) and len(given) != n:
                raise ValueError(f"{self.title}: {name} must hold {n} numbers, one per class, got {len(given)}")


def draw_class_bars(panels: Sequence[ClassBars], path: Path) -> None:
    """Writes `class_bars_figure` as a PNG."""
    write_png(class_bars_figure(panels), path)


def class_bars_figure(panels: Sequence[ClassBars]) -> Figure:
    """Draws at least one panel in rows of two, with one legend above.

    The legend shows a reference as a line only if it is a line in every panel.
    """
    labels = list(dict.fromkeys(label for panel in panels for label in panel.references))
    legend_columns, legend_inches = legend_size(
        [BARS_LABEL, *labels] if labels else [], min(2, len(panels)) * BARS_INCHES[0], font_size=10
    )
    most = max((len(panel.names) for panel in panels), default=0)
    inches = BARS_INCHES[0], BARS_INCHES[1] + _CLASS_INCHES * (most - 10)
    figure, all_axes = panel_figure(len(panels), inches, extra=legend_inches, pad=(0.12, 0.08))
    drawn = [_draw_panel(axes, panel, labels) for axes, panel in zip(all_axes, panels, strict=True)]
    if labels:
        lines = sorted((line for lines in drawn for line in lines), key=lambda line: line.get_marker() != "None")
        last = {line.get_label(): line for line in lines}  # a mark replaces a line
        handles = [Patch(color=BAR_COLOUR, label=BARS_LABEL), *(last[label] for label in labels)]
        figure.legend(handles=handles, loc="outside upper center", ncols=legend_columns, frameon=False, fontsize=10)
    return figure


def _draw_panel(axes: Axes, panel: ClassBars, labels: list[str]) -> list[Line2D]:
    """Draws a panel and returns its references."""
    positions = np.arange(len(panel.names))
    values = _finite(panel.values)
    axes.barh(positions, np.nan_to_num(values), height=0.72, color=BAR_COLOUR, zorder=2)
    shown, lines = [values], []
    for label, reference in panel.references.items():
        shape, colour = MARKS[labels.index(label) % len(MARKS)]
        shown.append(np.atleast_1d(_finite(reference)))
        if isinstance(reference, int | float):
            lines.append(axes.axvline(shown[-1][0], linestyle=DASHES, linewidth=1.3, zorder=3))
        else:
            lines += axes.plot(shown[-1], positions, linestyle="", marker=shape, markersize=6, zorder=4)
            lines[-1].set(markeredgewidth=0.8, markeredgecolor="white")
            if shape == "|":
                lines[-1].set(markersize=13, markeredgewidth=2.4, markeredgecolor=colour)
        lines[-1].set(label=label, color=colour)
    axes.set_xlim(*_limits(np.concatenate(shown)))
    names = short_names(panel.names)
    beyond = max(0, max(map(len, names)) - SHORT)  # long names leave less space to the title, which begins above 0
    axes.set_title(fill(panel.title, WIDEST_TITLE - round(_TITLE_LETTERS * beyond)), fontsize=11, loc="left", color=INK)
    style_axes(axes, grid="x")
    axes.set_yticks(positions, names, fontsize=9)
    axes.set_ylim(len(positions) - 0.4, -0.6)  # label 0 on top
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.axvline(0, color=LINE, linewidth=0.8, zorder=2.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    for index, value in enumerate(panel.values):  # beside the bars, clear of the marks
        ink, right = FAINT_INK if np.isnan(values[index]) else INK, axes.get_yaxis_transform()
        axes.text(1.02, index, _text(value), transform=right, va="center_baseline", fontsize=9, color=ink)
    return lines


def _finite(values: Sequence[float | None] | float) -> NDArray[np.float64]:
    """Replaces None and infinite values by nan."""
    given = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(given), given, np.nan)


def _text(value: float | None) -> str:
    if value is None:
        return "no samples"
    if not np.isfinite(value):
        return "not finite"
    if value == 0 or 999.5 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:#.3g}".removesuffix(".")


def _limits(shown: NDArray[np.float64]) -> tuple[float, float]:
    """Chooses limits that include 0, so that bars compare by length, with space for marks."""
    finite = [0.0, *shown[np.isfinite(shown)]]
    low, high = min(finite), max(finite)
    if low == high:
        return 0.0, 1.0
    margin = 0.03 * (high - low)
    return low - margin if low < 0 else 0.0, high + margin
