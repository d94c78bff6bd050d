"""Scores class by class, as one figure: a panel a score, a bar a class, and marks where real images stand."""

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
from fmcgan.figure.curves import PALETTE
from fmcgan.figure.png import write_png

BARS_INCHES = (5.4, 3.3)
"""Width and height of one panel."""
COLUMNS = 2
"""Panels a row, at most."""
BAR_COLOUR = PALETTE[5]
BARS_LABEL = "samples"
"""What the legend calls the bars."""
MARKS = (("|", "#222222"), ("D", PALETTE[1]), ("^", PALETTE[2]), ("o", PALETTE[3]))
"""Shape and colour of each reference, told apart by either; both repeat after four."""
DASHES = (0, (4, 2))
WIDEST_TITLE = 56
"""Letters of a title that fit in one line."""


@dataclass(frozen=True)
class ClassBars:
    """One panel.

    Args:
        title: above the axes.
        values: of each of the ten classes; ``None`` for a class without samples, which leaves a gap that says so.
        references: label -> what to compare with: ten values are marks in front of the bars (``None``: no mark), one
            number is a line through all of them. Equal labels have equal colours in all panels.

    Raises:
        ValueError: values or references for another number of classes.
    """

    title: str
    values: Sequence[float | None]
    references: Mapping[str, Sequence[float | None] | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, given in {"values": self.values, **self.references}.items():
            if not isinstance(given, int | float) and len(given) != NUM_CLASSES:
                raise ValueError(f"{self.title}: {name} must hold {NUM_CLASSES} numbers, one a class, got {len(given)}")


def draw_class_bars(panels: Sequence[ClassBars], path: Path) -> None:
    """Writes `class_bars_figure`, whose argument it takes, as a PNG.

    Raises:
        ValueError: no panel given.
        OSError: the PNG cannot be written.
    """
    write_png(class_bars_figure(panels), path)


def class_bars_figure(panels: Sequence[ClassBars]) -> Figure:
    """Draws panels in rows of two with one legend above, at `BARS_INCHES` a panel.

    Args:
        panels: at least one.

    Raises:
        ValueError: no panel given.
    """
    if not panels:
        raise ValueError("panels must hold at least one panel, got none")
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    labels = list(dict.fromkeys(label for panel in panels for label in panel.references))
    width = columns * BARS_INCHES[0]
    places, legend_inches = _legend_size([BARS_LABEL, *labels] if labels else [], width)
    figure = Figure(figsize=(width, rows * BARS_INCHES[1] + legend_inches), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08, wspace=0.03)  # type: ignore[union-attr, call-arg]
    all_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(all_axes, panels, strict=False):
        _draw_panel(axes, panel, labels)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    if labels:
        handles = [Patch(color=BAR_COLOUR, label=BARS_LABEL), *(_handle(label, labels, panels) for label in labels)]
        figure.legend(handles=handles, loc="outside upper center", ncols=places, frameon=False, fontsize=10)
    return figure


def _draw_panel(axes: Axes, panel: ClassBars, labels: list[str]) -> None:
    places = np.arange(NUM_CLASSES)
    values = _numbers(panel.values)
    axes.barh(places, np.nan_to_num(values), height=0.72, color=BAR_COLOUR, zorder=2)
    shown = [values]
    for label, reference in panel.references.items():
        mark = _mark(labels.index(label))
        if isinstance(reference, int | float):
            shown.append(_numbers([reference]))
            axes.axvline(shown[-1][0], color=mark["color"], linestyle=DASHES, linewidth=1.3, zorder=3)
        else:
            shown.append(_numbers(reference))
            axes.plot(shown[-1], places, linestyle="", zorder=4, **mark)
    axes.set_xlim(*_limits(np.concatenate(shown)))
    _dress(axes, panel)


def _dress(axes: Axes, panel: ClassBars) -> None:
    places = np.arange(NUM_CLASSES)
    axes.set_title(fill(panel.title, WIDEST_TITLE), fontsize=11, loc="left", color="#222222")
    axes.set_yticks(places, CLASS_NAMES, fontsize=9)
    axes.set_ylim(NUM_CLASSES - 0.4, -0.6)  # label 0 on top
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="x", color="#E3E3E3", linewidth=0.7)
    axes.axvline(0, color="#999999", linewidth=0.8, zorder=2.5)
    axes.tick_params(axis="x", labelsize=8.5, color="#999999")
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    for place, value in enumerate(panel.values):  # in a column beside the bars, where no mark can cover the numbers
        ink, right = "#222222" if _is_number(value) else "#777777", axes.get_yaxis_transform()
        axes.text(1.02, place, _text(value), transform=right, va="center_baseline", fontsize=9, color=ink)


def _handle(label: str, labels: list[str], panels: Sequence[ClassBars]) -> Line2D:
    """How a legend shows a reference: as its mark, or as a line if it is a line in every panel."""
    mark = _mark(labels.index(label))
    if all(isinstance(panel.references.get(label, 0.0), int | float) for panel in panels):
        return Line2D([], [], color=mark["color"], linestyle=DASHES, linewidth=1.3, label=label)
    return Line2D([], [], linestyle="", label=label, **mark)


def _mark(place: int) -> dict[str, Any]:
    shape, colour = MARKS[place % len(MARKS)]
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
    """From 0, so that bars compare by length, with room for a mark at either end."""
    finite = [0.0, *shown[np.isfinite(shown)]]
    low, high = min(finite), max(finite)
    if low == high:
        return 0.0, 1.0
    room = 0.03 * (high - low)
    return low - room if low < 0 else 0.0, high + room


def _legend_size(labels: list[str], width: float) -> tuple[int, float]:
    """Columns and height in inches of the legend of a figure so many inches wide."""
    if not labels:
        return 1, 0.0
    columns = max(1, min(len(labels), int(width / (0.6 + 0.085 * max(map(len, labels))))))
    return columns, 0.2 + 0.22 * -(-len(labels) // columns)
