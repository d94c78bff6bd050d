"""Figures of a search: values over its trials and over each searched key, importance of the keys, Pareto front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from fmcgan.app.formatting import short_number
from fmcgan.figure.axes import (
    PANEL_INCHES,
    TEXT,
    legend_size,
    name_axes,
    panel_figure,
    round_ticks,
    shared_legend,
    style_axes,
)
from fmcgan.figure.chart import add_tips
from fmcgan.figure.palette import FAINT_INK, INK, LINE, SERIES

_TRIAL, _BEST = SERIES[0], SERIES[2]  # colours of trials, and of the best ones
_KEY_INCHES, _AXIS_INCHES = 0.32, 0.75  # height of a bar of the importance, and of its title and axis
_LONGEST_KEY = 40  # letters of a key in a figure; the end of a longer one is shown


@dataclass(frozen=True, eq=False)
class Scores:
    """One objective of N trials."""

    title: str
    values: NDArray[np.float64]  # [N]; nan for a failed trial, the last measured value for a pruned one
    higher: bool = False  # whether higher values are better

    def best_so_far(self, finished: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Returns the best value of the finished trials up to each, [N]; nan before the first."""
        sign = -1.0 if self.higher else 1.0
        known = np.where(finished & np.isfinite(self.values), sign * self.values, np.inf)
        best = np.minimum.accumulate(known) if len(known) else known
        return np.where(np.isfinite(best), sign * best, np.nan)


@dataclass(frozen=True, eq=False)
class Setting:
    """The values of one searched key in N trials: numbers, or positions of choices."""

    key: str
    values: NDArray[np.float64]  # [N]; nan for a trial without
    logarithmic: bool = False
    choices: Sequence[str] = ()  # by position; empty for numbers


def history_figure(scores: Sequence[Scores], finished: NDArray[np.bool_]) -> Figure:
    """Draws each objective over the number of the trial, with the best finished value so far.

    Args:
        scores: of each objective, at least one.
        finished: [N], which trials finished; the others with a value were pruned.
    """
    figure, all_axes = _panels(len(scores), ("finished", "pruned, last value", "best so far"))
    for axes, each in zip(all_axes, scores, strict=True):
        numbers = np.arange(len(each.values))
        _dots(axes, numbers, each.values, finished)
        axes.step(numbers, each.best_so_far(finished), where="post", color=_BEST, linewidth=1.5, label="best so far")
        _name(axes, each.title, "trial", each)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return shared_legend(figure)


def settings_figure(scores: Sequence[Scores], settings: Sequence[Setting], finished: NDArray[np.bool_]) -> Figure:
    """Draws each objective over the values of each key, one row of panels per objective.

    Args:
        scores: of each objective, at least one.
        settings: of each key, at least one.
        finished: [N], as in `history_figure`.
    """
    columns = min(3, len(settings))
    rows = [settings[start : start + columns] for start in range(0, len(settings), columns)]
    figure, all_axes = _panels(len(scores) * len(rows) * columns, ("finished", "pruned, last value"), columns)
    for index, each in enumerate(scores):
        for place, axes in enumerate(all_axes[index * len(rows) * columns : (index + 1) * len(rows) * columns]):
            if place >= len(settings):
                axes.set_axis_off()
                continue
            setting = settings[place]
            _dots(axes, setting.values, each.values, finished)
            _name(axes, "", _short(setting.key), each)
            if setting.logarithmic:
                _logarithmic(axes, setting.values)
            if setting.choices:
                axes.set_xticks(range(len(setting.choices)), setting.choices)
                axes.set_xlim(-0.5, len(setting.choices) - 0.5)
    return shared_legend(figure)


def importance_figure(importances: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draws the importance of each key as bars, one panel per objective.

    Args:
        importances: shares in 0..1 by key, by title of the objective; at least one.
    """
    most = max(map(len, importances.values()))
    figure, all_axes = panel_figure(
        len(importances), (PANEL_INCHES[0], _AXIS_INCHES + _KEY_INCHES * most), pad=(0.1, 0.08)
    )
    for axes, (title, shares) in zip(all_axes, importances.items(), strict=True):
        positions = np.arange(len(shares))
        axes.barh(positions, list(shares.values()), height=0.66, color=_TRIAL)
        axes.set_yticks(positions, [_short(key, 18) for key in shares], fontsize=TEXT)
        axes.set(xlim=(0, 1), ylim=(len(shares) - 0.4, -0.6))
        name_axes(axes, title, "share of importance")
        add_tips(axes, list(shares.values()), positions, [f"{key}: {share:.2f}" for key, share in shares.items()])
        for place, share in enumerate(shares.values()):
            inside = share > 0.85
            axes.text(
                share + (-0.015 if inside else 0.015),
                place,
                f"{share:.2f}",
                ha="right" if inside else "left",
                va="center_baseline",
                fontsize=TEXT,
                color="white" if inside else INK,
            )
        style_axes(axes, grid="x")
        axes.tick_params(axis="y", length=0)
    return figure


def front_figure(scores: Sequence[Scores], front: NDArray[np.bool_]) -> Figure:
    """Draws every pair of objectives: all finished trials, and those of the Pareto front with their numbers.

    Args:
        scores: of two objectives or more, [N] finished trials each.
        front: [N], which trials are on the front: no other one is better in one objective and as good in the others.
    """
    pairs = list(combinations(scores, 2))
    figure, all_axes = _panels(len(pairs), ("other trials", "Pareto front"))
    for axes, (across, up) in zip(all_axes, pairs, strict=True):
        axes.scatter(across.values[~front], up.values[~front], s=22, color=LINE, label="other trials")
        order = np.flatnonzero(front)[np.argsort(across.values[front])]
        line = "o-" if len(scores) == 2 else "o"
        axes.plot(
            across.values[order],
            up.values[order],
            line,
            color=_BEST,
            label="Pareto front",
            linewidth=1.2,
            markersize=5.5,
        )
        for index in order:
            axes.annotate(
                str(index),
                (across.values[index], up.values[index]),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=TEXT,
            )
        _name(axes, "", f"{across.title}{_arrow(across)}", up)
    return shared_legend(figure)


def _panels(count: int, labels: Sequence[str], columns: int = 2) -> tuple[Figure, list[Axes]]:
    _, inches = legend_size(labels, PANEL_INCHES[0])
    return panel_figure(count, PANEL_INCHES, columns, extra=inches)


def _dots(axes: Axes, x: NDArray, y: NDArray[np.float64], finished: NDArray[np.bool_]) -> None:
    add_tips(axes, x, y, [f"trial {number}: {short_number(value)}" for number, value in enumerate(y)])
    axes.scatter(x[finished], y[finished], s=24, color=_TRIAL, zorder=3, label="finished")
    others = ~finished & np.isfinite(y)
    if others.any():
        axes.scatter(x[others], y[others], s=24, facecolors="none", edgecolors=FAINT_INK, label="pruned, last value")


def _name(axes: Axes, title: str, x_label: str, scores: Scores) -> None:
    name_axes(axes, title, x_label, f"{'value' if title else scores.title}{_arrow(scores)}")
    axes.yaxis.set_major_locator(round_ticks())
    style_axes(axes)


def _logarithmic(axes: Axes, values: NDArray[np.float64]) -> None:
    axes.set_xscale("log")
    decades = np.log10(np.nanmax(values) / np.nanmin(values)) if np.isfinite(values).any() else 0.0
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,), numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _arrow(scores: Scores) -> str:
    return " ↑" if scores.higher else " ↓"


def _short(key: str, longest: int = _LONGEST_KEY) -> str:
    return key if len(key) <= longest else f"...{key[3 - longest :]}"
