"""Split violins: distributions of real (left) and generated (right) values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from fmcgan.app.formatting import short_number
from fmcgan.figure.axes import PANEL_INCHES, TEXT, name_axes, panel_figure, round_ticks, style_axes
from fmcgan.figure.chart import add_tips
from fmcgan.figure.classes import short_names
from fmcgan.figure.palette import GENERATED, INK, REAL

_NAME_INCHES = 0.25  # added to the width for each further name
CENTRE = (0.5, 99.5)  # percentiles between which a violin is drawn, because outliers would flatten the others


@dataclass(frozen=True)
class Violins:
    """One panel: a pair of halves for each name; values that are not finite are left out."""

    title: str
    y_label: str  # quantity and unit
    real: Sequence[ArrayLike]  # values for each name, left in blue
    generated: Sequence[ArrayLike]  # values for each name, right in vermilion


def violins_figure(panels: Sequence[Violins], names: Sequence[str]) -> Figure:
    """Draws at least one panel in rows of two with one legend below, and the names along the x axis of each.

    The width of a half is its density, relative to its own maximum; its line is the median.
    """
    for panel in panels:
        if not len(panel.real) == len(panel.generated) == len(names):
            counts = f"{len(panel.real)} and {len(panel.generated)}"
            raise ValueError(f"{panel.title}: must have {len(names)} real and generated values, got {counts}")
    inches = PANEL_INCHES[0] + _NAME_INCHES * max(0, len(names) - 10), PANEL_INCHES[1]
    figure, all_axes = panel_figure(len(panels), inches, extra=0.4)
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_violins(axes, panel, names)
    handles = [Patch(color=REAL, alpha=0.75, label="real"), Patch(color=GENERATED, alpha=0.75, label="generated")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=TEXT)
    return figure


def _draw_violins(axes: Axes, panel: Violins, names: Sequence[str]) -> None:
    positions = np.arange(len(names))
    name_axes(axes, panel.title, y=panel.y_label)
    axes.set_xticks(positions, short_names(names), rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(names) - 0.4)
    halves: tuple[tuple[Sequence[ArrayLike], str, Literal["low", "high"]], ...]
    halves = (panel.real, REAL, "low"), (panel.generated, GENERATED, "high")
    for sets, colour, side in halves:
        drawn = {at: central for at, values in zip(positions, sets, strict=True) if len(central := _central(values))}
        if not drawn:
            continue
        parts = axes.violinplot(
            list(drawn.values()), list(drawn), widths=0.9, points=50, showextrema=False, showmedians=True, side=side
        )
        for body in cast(list[Collection], parts["bodies"]):
            body.set(facecolor=colour, edgecolor="none", alpha=0.75)
        parts["cmedians"].set(color=INK, linewidth=1.4)
        medians = np.array([np.median(values) for values in drawn.values()])
        origin, shift = ("real", -0.2) if side == "low" else ("generated", 0.2)
        texts = [
            f"{names[at]}, {origin}: median {short_number(each)}"
            for at, each in zip(map(int, drawn), medians, strict=True)
        ]
        add_tips(axes, np.array(list(drawn)) + shift, medians, texts)
    axes.yaxis.set_major_locator(round_ticks())
    style_axes(axes, grid="y")
    axes.tick_params(axis="x", length=0)


def _central(values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64).ravel()
    finite = given[np.isfinite(given)]
    low, high = np.percentile(finite, CENTRE) if len(finite) else (0, 0)
    return finite[(finite >= low) & (finite <= high)]
