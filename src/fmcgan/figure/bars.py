"""Bar charts of metrics by class, with marks for reference values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.axes import legend_size, panel_figure
from fmcgan.figure.curves import PALETTE
from fmcgan.figure.palette import FAINT_INK, GRID, INK, LINE
from fmcgan.figure.png import write_png

BARS_INCHES = (5.4, 3.3)
"""Width and height of one panel."""
BAR_COLOUR = PALETTE[5]
BARS_LABEL = "samples"
"""Legend of the bars."""
MARKS = (("|", INK), ("D", PALETTE[1]), ("^", PALETTE[2]), ("o", PALETTE[3]))
"""Shape and colour of each reference; they repeat after four."""
DASHES = (0, (4, 2))
WIDEST_TITLE = 56
"""Maximum number of letters of a title in one line."""


@dataclass(frozen=True)
class ClassBars:
    """One panel.

    Args:
        title: above the axes.
        values: of the ten classes; ``None`` for a class without samples, which has a remark instead of a bar.
        references: by label: ten values (``None``: no mark) are drawn as marks, one number as a line. Equal labels have
            equal colours in all panels.

    Raises:
        ValueError: values or references have another number of classes.
    """

    title: str
    values: Sequence[float | None]
    references: Mapping[str, Sequence[float | None] | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, given in {"values": self.values, **self.references}.items():
            if not isinstance(given, int | float) and len(given) != NUM_CLASSES:
                raise ValueError(
                    f"{self.title}: {name} must hold {NUM_CLASSES} numbers, one per class, got {len(given)}"
                )


def draw_class_bars(panels: Sequence[ClassBars], path: Path) -> None:
    """Writes `class_bars_figure` as a PNG."""
    write_png(class_bars_figure(panels), path)


def class_bars_figure(panels: Sequence[ClassBars]) -> Figure:
    """Draws panels in rows of two with one legend above.

    Args:
        panels: at least one.

    Raises:
        ValueError: no panel given.
    """
    labels = list(dict.fromkeys(label for panel in panels for label in panel.references))
    legend_columns, legend_inches = legend_size(
        [BARS_LABEL, *labels] if labels else [], min(2, len(panels)) * BARS_INCHES[0], font_size=10
    )
    figure, all_axes = panel_figure(len(panels), BARS_INCHES, extra=legend_inches, pad=(0.12, 0.08))
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_panel(axes, panel, labels)
    if labels:
        handles = [Patch(color=BAR_COLOUR, label=BARS_LABEL), *(_handle(label, labels, panels) for label in labels)]
        figure.legend(handles=handles, loc="outside upper center", ncols=legend_columns, frameon=False, fontsize=10)
    return figure


def _draw_panel(axes: Axes, panel: ClassBars, labels: list[str]) -> None:
    positions = np.arange(NUM_CLASSES)
    values = _numbers(panel.values)
    axes.barh(positions, np.nan_to_num(values), height=0.72, color=BAR_COLOUR, zorder=2)
    shown = [values]
    for label, reference in panel.references.items():
        mark = _mark(labels.index(label))
        if isinstance(reference, int | float):
            shown.append(_numbers([reference]))
            axes.axvline(shown[-1][0], color=mark["color"], linestyle=DASHES, linewidth=1.3, zorder=3)
        else:
            shown.append(_numbers(reference))
            axes.plot(shown[-1], positions, linestyle="", zorder=4, **mark)
    axes.set_xlim(*_limits(np.concatenate(shown)))
    _style(axes, panel)


def _style(axes: Axes, panel: ClassBars) -> None:
    positions = np.arange(NUM_CLASSES)
    axes.set_title(fill(panel.title, WIDEST_TITLE), fontsize=11, loc="left", color=INK)
    axes.set_yticks(positions, CLASS_NAMES, fontsize=9)
    axes.set_ylim(NUM_CLASSES - 0.4, -0.6)  # label 0 on top
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="x", color=GRID, linewidth=0.7)
    axes.axvline(0, color=LINE, linewidth=0.8, zorder=2.5)
    axes.tick_params(axis="x", labelsize=8.5, color=LINE)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    for index, value in enumerate(panel.values):  # beside the bars, clear of the marks
        ink, right = INK if _is_number(value) else FAINT_INK, axes.get_yaxis_transform()
        axes.text(1.02, index, _text(value), transform=right, va="center_baseline", fontsize=9, color=ink)


def _handle(label: str, labels: list[str], panels: Sequence[ClassBars]) -> Line2D:
    """Makes the legend entry of a reference: a mark, or a line if it is a line in every panel."""
    mark = _mark(labels.index(label))
    if all(isinstance(panel.references.get(label, 0.0), int | float) for panel in panels):
        return Line2D([], [], color=mark["color"], linestyle=DASHES, linewidth=1.3, label=label)
    return Line2D([], [], linestyle="", label=label, **mark)


def _mark(index: int) -> dict[str, Any]:
    shape, colour = MARKS[index % len(MARKS)]
    size, edge = (13.0, 2.4) if shape == "|" else (6.0, 0.8)
    return {
        "marker": shape,
        "color": colour,
        "markersize": size,
        "markeredgewidth": edge,
        "markeredgecolor": colour if shape == "|" else "white",
    }


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([value if _is_number(value) else np.nan for value in values], dtype=np.float64)


def _text(value: float | None) -> str:
    if value is None:
        return "no samples"
    if not math.isfinite(value):
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
