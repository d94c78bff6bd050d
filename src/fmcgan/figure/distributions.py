"""How values are distributed, generated beside real: halves of violins, and a table of differences in colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from fmcgan.app import checks
from fmcgan.figure.palette import FAINT_INK, GENERATED, GRID, INK, LINE, REAL

PANEL_INCHES = (5.4, 3.0)
"""Width and height of one panel of violins."""
COLUMNS = 2
"""Panels a row, at most."""
CENTRE = (0.5, 99.5)
"""Percentiles between which a violin is drawn: single images far out would flatten all others."""
COLOURS = colormaps["RdBu_r"]
"""From blue over white to red, which colour-blind readers can tell apart."""
CELL_INCHES = (0.62, 0.42)
"""Least width and the height of a cell of a heat map."""
NARROWEST = 8.0
"""Inches of a heat map of few columns."""
PALE = 0.2
"""How much of its colour a faint cell keeps."""


@dataclass(frozen=True)
class Violins:
    """One panel: for each name a pair of halves.

    Args:
        title: above the axes.
        y_label: what the values are and their unit.
        real: values of each name, drawn at the left in blue; what is not finite is left out, and of nothing nothing is
            drawn.
        generated: likewise, at the right in vermilion; as many as of ``real``.
    """

    title: str
    y_label: str
    real: Sequence[ArrayLike]
    generated: Sequence[ArrayLike]


def violins_figure(panels: Sequence[Violins], names: Sequence[str]) -> Figure:
    """Draws panels in rows of two, with the legend below.

    A half is as wide as its density, in relation to its own widest place; its line is the median.

    Args:
        panels: at least one.
        names: along the x axis of each.

    Raises:
        ValueError: no panel given, or a panel for another number of names.
    """
    if not panels:
        raise ValueError("panels must hold at least one panel, got none")
    for panel in panels:
        if not len(panel.real) == len(panel.generated) == len(names):
            counts = f"{len(panel.real)} and {len(panel.generated)}"
            raise ValueError(f"{panel.title}: must have {len(names)} real and generated values, got {counts}")
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(columns * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    all_axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(all_axes, panels, strict=False):
        _draw_violins(axes, panel, names)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    handles = [Patch(color=REAL, alpha=0.75, label="real"), Patch(color=GENERATED, alpha=0.75, label="generated")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=11)
    return figure


def heat_map(
    values: ArrayLike,
    *,
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
    legend: str,
    limit: float,
    faint: ArrayLike | None = None,
    form: str = "{:+.2f}",
) -> Figure:
    """Draws a table of differences, each as a number on its colour: red above 0, blue below, white at 0.

    Args:
        values: [R, C]; what is not finite is an empty grey cell.
        row_names: R.
        column_names: C.
        title: above the table.
        legend: what the values are and their unit, beside the colours.
        limit: positive: the absolute value from which on the colour does not change any more.
        faint: bool [R, C]: cells to be drawn pale and in thin letters; none if not given.
        form: of the numbers.

    Raises:
        ValueError: values, faint and names do not go together.
    """
    checks.number(minimum=1e-9, limit=limit)
    table = np.asarray(values, dtype=np.float64)
    pale = np.zeros(table.shape, dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    if not table.shape == pale.shape == (len(row_names), len(column_names)):
        shapes = f"{list(table.shape)} and {list(pale.shape)}"
        raise ValueError(f"values and faint must be [{len(row_names)}, {len(column_names)}], got {shapes}")
    width = max(NARROWEST, 2.2 + CELL_INCHES[0] * len(column_names))
    figure = Figure(figsize=(width, 1.6 + CELL_INCHES[1] * len(row_names)), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=12, loc="left", color=INK, pad=10)
    scale = Normalize(-limit, limit)
    _draw_cells(axes, table, pale, scale, form)
    _draw_names(axes, row_names, column_names)
    bar = figure.colorbar(ScalarMappable(scale, COLOURS), ax=axes, extend="both", aspect=24, pad=0.02)
    bar.ax.tick_params(labelsize=9, color=LINE)
    bar.set_label(legend, fontsize=10)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _draw_violins(axes: Axes, panel: Violins, names: Sequence[str]) -> None:
    places = np.arange(len(names))
    axes.set_title(panel.title, fontsize=11, loc="left", color=INK)
    axes.set_ylabel(panel.y_label, fontsize=9)
    axes.set_xticks(places, names, fontsize=8.5, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(names) - 0.4)
    for sets, colour, side in ((panel.real, REAL, "low"), (panel.generated, GENERATED, "high")):
        drawn = [(place, _central(values)) for place, values in zip(places, sets, strict=True)]
        drawn = [(place, values) for place, values in drawn if len(values)]
        if not drawn:
            continue
        parts = axes.violinplot(
            [values for _, values in drawn],
            [place for place, _ in drawn],
            widths=0.9,
            showextrema=False,
            showmedians=True,
            side=side,  # type: ignore[arg-type]
        )
        for body in parts["bodies"]:  # type: ignore[attr-defined]
            body.set(facecolor=colour, edgecolor="none", alpha=0.75)
        parts["cmedians"].set(color=INK, linewidth=1.4)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", labelsize=8.5, color=LINE)
    axes.tick_params(axis="x", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)


def _central(values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, dtype=np.float64).ravel()
    finite = given[np.isfinite(given)]
    if not len(finite):
        return finite
    low, high = np.percentile(finite, CENTRE)
    return finite[(finite >= low) & (finite <= high)]


def _draw_cells(axes: Axes, table: NDArray[np.float64], pale: NDArray[np.bool_], scale: Normalize, form: str) -> None:
    known = np.isfinite(table)
    colours = COLOURS(scale(np.where(known, table, 0.0)))
    colours[pale] = 1 - PALE * (1 - colours[pale])
    colours[~known] = (0.88, 0.88, 0.88, 1)
    axes.imshow(colours, interpolation="nearest", aspect="auto")
    for row, column in np.argwhere(known).tolist():
        value, is_pale = table[row, column], pale[row, column]
        ink = FAINT_INK if is_pale else "white" if abs(scale(value) - 0.5) > 0.36 else INK
        weight = "normal" if is_pale else "bold"
        axes.text(
            column, row, _signed(form.format(value)), ha="center", va="center", fontsize=10, weight=weight, color=ink
        )


def _draw_names(axes: Axes, row_names: Sequence[str], column_names: Sequence[str]) -> None:
    axes.set_yticks(range(len(row_names)), row_names, fontsize=10)
    axes.set_xticks(range(len(column_names)), column_names, fontsize=10)
    axes.set_yticks(np.arange(1, len(row_names)) - 0.5, minor=True)
    axes.set_xticks(np.arange(1, len(column_names)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _signed(text: str) -> str:
    """With a minus sign instead of a hyphen, and none of either before what rounds to zero."""
    return text.replace("-", "\u2212") if any(digit in text for digit in "123456789") else text.lstrip("+-")
