"""Panels of means with intervals over a few named positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

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
from fmcgan.figure.chart import add_tips
from fmcgan.figure.curves import MARKERS
from fmcgan.figure.palette import INK, MEANINGS, SERIES, colours_of

_SPREAD = 0.64  # part of the distance of two positions that the lines are spread over
_MOST_LETTERS = 30  # of all names of positions beside each other; longer ones are slanted


@dataclass(frozen=True)
class IntervalLine:
    """Means with intervals at X positions; a value that is not finite is left out.

    Args:
        label: equal labels have equal colours in all panels and one entry in the legend.
        means: [X].
        lows: lower ends of the intervals, [X].
        highs: upper ends, [X].
        clear: bool [X]: filled markers; the others are hollow.
    """

    label: str
    means: ArrayLike
    lows: ArrayLike
    highs: ArrayLike
    clear: ArrayLike = True


@dataclass(frozen=True)
class IntervalPanel:
    """A panel; ``zero`` draws a line at 0, ``joined`` joins the means of a line, for positions that are numbers."""

    title: str
    y_label: str
    lines: Sequence[IntervalLine]
    zero: bool = False
    joined: bool = True


def intervals_figure(
    panels: Sequence[IntervalPanel], positions: Sequence[str], x_label: str, order: Sequence[str] = ()
) -> Figure:
    """Draws the lines of each panel beside each other at every position.

    Args:
        panels: at least one.
        positions: X names, such as numbers of images.
        x_label: what they are.
        order: labels by colour, for figures that share some of them; other labels follow.
    """
    drawn = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    labels = list(dict.fromkeys([*order, *drawn]))
    width = PANEL_INCHES[0] * min(2, len(panels))
    columns, extra = legend_size(drawn, width)
    figure, all_axes = panel_figure(len(panels), PANEL_INCHES, extra=extra)
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw(axes, panel, labels, positions)
        name_axes(axes, panel.title, x_label, panel.y_label)
    return shared_legend(figure, columns)


def _draw(axes: Axes, panel: IntervalPanel, labels: Sequence[str], positions: Sequence[str]) -> None:
    style_axes(axes)
    if panel.zero:
        axes.axhline(0, color=INK, linewidth=1)
    places = np.arange(len(positions), dtype=np.float64)
    colours, others = colours_of(labels), [label for label in labels if label not in MEANINGS]
    for number, line in enumerate(panel.lines):
        lap = others.index(line.label) // len(SERIES) if line.label in others else 0
        colour, marker = colours[line.label], MARKERS[lap % len(MARKERS)]
        x = places + _SPREAD * ((number + 0.5) / len(panel.lines) - 0.5)
        means, lows, highs = (np.asarray(each, dtype=np.float64) for each in (line.means, line.lows, line.highs))
        clear = np.broadcast_to(np.asarray(line.clear, dtype=bool), means.shape)
        if panel.joined:
            axes.plot(x, means, color=colour, linewidth=0.8, alpha=0.4)
        axes.vlines(x, lows, highs, color=colour, linewidth=1.6)
        axes.plot(x[clear], means[clear], marker, color=colour, markersize=5.5, label=line.label)
        label = None if clear.any() else line.label
        axes.plot(x[~clear], means[~clear], marker, color=colour, markersize=5.5, markerfacecolor="white", label=label)
        numbers = zip(positions, means, lows, highs, strict=True)
        texts = [
            f"{line.label}, {position}: {short_number(mean)} [{short_number(low)}, {short_number(high)}]"
            for position, mean, low, high in numbers
        ]
        add_tips(axes, x, means, texts)
    axes.yaxis.set_major_locator(round_ticks())
    axes.set_xlim(-0.5, len(positions) - 0.5)
    axes.set_xticks(places, positions)
    if sum(map(len, positions)) > _MOST_LETTERS:
        axes.set_xticks(places, positions, rotation=35, ha="right", rotation_mode="anchor")
    axes.grid(axis="x", visible=False)
