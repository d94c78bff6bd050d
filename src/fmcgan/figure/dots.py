"""Dot plots of metrics by class, with marks for reference values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from fmcgan.figure.axes import PANEL_INCHES, TEXT, legend_size, name_axes, panel_figure, round_ticks, style_axes
from fmcgan.figure.chart import add_tips
from fmcgan.figure.classes import short_names
from fmcgan.figure.files import write_figure
from fmcgan.figure.palette import BASELINE, FAINT_INK, GENERATED, INK, LINE, MEANINGS

DOTS_INCHES = (PANEL_INCHES[0], 2.9)  # width and height of one panel of ten classes
_CLASS_INCHES = 0.2  # height for each class
DOTS_LABEL = "samples"  # legend of the dots
SHAPES = ("|", "D", "^", "s")
"""Shape of each reference; they repeat after four."""
DASHES = (0, (4, 2))


@dataclass(frozen=True)
class ClassDots:
    """One panel; values and references must have one number per class."""

    title: str
    values: Sequence[float | None]
    """Of each class; ``None`` for a class without samples, which has a remark instead of a dot."""
    references: Mapping[str, Sequence[float | None] | float] = field(default_factory=dict)
    """By label: one value per class (``None``: no mark) are drawn as marks, one number as a line. Equal labels have
    equal colours and shapes in all panels."""
    names: Sequence[str] = field(kw_only=True)  # of the classes

    def __post_init__(self) -> None:
        n = len(self.names)
        for name, given in {"values": self.values, **self.references}.items():
            if not isinstance(given, int | float) and len(given) != n:
                raise ValueError(f"{self.title}: {name} must hold {n} numbers, one per class, got {len(given)}")


def draw_class_dots(panels: Sequence[ClassDots], path: Path) -> None:
    """Writes `class_dots_figure` as files."""
    write_figure(class_dots_figure(panels), path)


def class_dots_figure(panels: Sequence[ClassDots]) -> Figure:
    """Draws at least one panel in rows of two, with one legend.

    The axis of values need not contain 0: positions are compared, not lengths. The legend shows a reference as a line
    only if it is a line in every panel.
    """
    labels = list(dict.fromkeys(label for panel in panels for label in panel.references))
    shown = [DOTS_LABEL, *labels] if labels else []
    legend_columns, legend_inches = legend_size(shown, min(2, len(panels)) * DOTS_INCHES[0])
    most = max((len(panel.names) for panel in panels), default=0)
    inches = DOTS_INCHES[0], DOTS_INCHES[1] + _CLASS_INCHES * (most - 10)
    figure, all_axes = panel_figure(len(panels), inches, extra=legend_inches, pad=(0.12, 0.08))
    drawn = [_draw_panel(axes, panel, labels) for axes, panel in zip(all_axes, panels, strict=True)]
    if labels:
        lines = sorted((line for lines in drawn for line in lines), key=lambda line: line.get_marker() != "None")
        last = {line.get_label(): line for line in lines}  # a mark replaces a line
        dot = Line2D([], [], linestyle="", marker="o", markersize=6, color=GENERATED, label=DOTS_LABEL)
        handles = [dot, *(last[label] for label in labels)]
        figure.legend(handles=handles, loc="outside upper center", ncols=legend_columns, frameon=False, fontsize=TEXT)
    return figure


def _draw_panel(axes: Axes, panel: ClassDots, labels: list[str]) -> list[Line2D]:
    """Draws a panel and returns its references."""
    positions = np.arange(len(panel.names))
    values = _finite(panel.values)
    shown, lines = [values], []
    for label, reference in panel.references.items():
        shape, colour = SHAPES[labels.index(label) % len(SHAPES)], MEANINGS.get(label, BASELINE)
        shown.append(np.atleast_1d(_finite(reference)))
        if isinstance(reference, int | float):
            lines.append(axes.axvline(shown[-1][0], linestyle=DASHES, linewidth=1.3, zorder=3))
        else:
            lines += axes.plot(shown[-1], positions, linestyle="", marker=shape, markersize=5, zorder=3)
            if shape == "|":
                lines[-1].set(markersize=11, markeredgewidth=2.2)
        lines[-1].set(label=label, color=colour)
    low, high = _limits(np.concatenate(shown))
    if len(lines) == 1 and len(shown[1]) == len(values):  # the gap to the only reference
        axes.hlines(positions, *np.clip(np.stack([values, shown[1]]), low, high), color=LINE, linewidth=1, zorder=2)
    axes.plot(values, positions, linestyle="", marker="o", markersize=6, color=GENERATED, zorder=4)
    axes.set_xlim(low, high)
    name_axes(axes, panel.title)
    style_axes(axes)
    axes.grid(axis="y", linestyle=(0, (1, 3)))
    names = short_names(panel.names)
    axes.set_yticks(positions, names, fontsize=TEXT)
    axes.set_ylim(len(positions) - 0.4, -0.6)  # label 0 on top
    axes.xaxis.set_major_locator(round_ticks(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    texts = [_text(value) for value in panel.values]
    for index, text in enumerate(texts):  # beside the dots, clear of the marks
        ink, right = FAINT_INK if np.isnan(values[index]) else INK, axes.get_yaxis_transform()
        axes.text(1.02, index, text, transform=right, va="center_baseline", fontsize=TEXT, color=ink)
    about = [
        _about(panel, index, f"{name}: {text}") for index, (name, text) in enumerate(zip(names, texts, strict=True))
    ]
    add_tips(axes, values, positions, about)
    return lines


def _about(panel: ClassDots, index: int, text: str) -> str:
    """Returns the value of a class and its references in words."""
    known = (
        (label, given if isinstance(given, int | float) else given[index]) for label, given in panel.references.items()
    )
    return ", ".join([text, *(f"{label} {_text(value)}" for label, value in known if value is not None)])


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
    """Chooses limits around all values, with space for marks."""
    finite = shown[np.isfinite(shown)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return low - margin, high + margin
