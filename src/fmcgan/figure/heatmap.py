"""A table of numbers with a colour behind each: which cells of many are large."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from fmcgan.figure.palette import FAINT_INK, GENERATED, INK, LINE, REAL

SEQUENTIAL = colormaps["Blues"]
"""One hue that only darkens, for values of one sign."""
DIVERGING = LinearSegmentedColormap.from_list("below over to above", [REAL, "#FFFFFF", GENERATED])
"""From below over white, which is 0, to above: two hues that colour-blind readers can tell apart."""
UNKNOWN = "#D9D9D9"
"""Colour of a cell without a value; no shade of either map."""
WIDEST = 11.0
"""Inches; more columns make narrower cells."""
_CELL = (0.86, 0.36)
_LETTER = 0.078  # inches, of 10 points
_STEEP = 9  # letters from which the names of columns are written slantwise


def heatmap_figure(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    formats: str | Sequence[str] = ".2f",
    title: str | None = None,
    label: str | None = None,
    diverging: bool = False,
    limits: tuple[float, float] | None = None,
    faint: ArrayLike | None = None,
) -> Figure:
    """Draws each value as a number on its colour.

    Args:
        values: [R, C]; a cell that is not finite is grey and says nothing.
        rows: R names.
        columns: C names.
        formats: how values are written, such as ``+.2f`` or ``.0%``: one for all, or one a column.
        title: above the map.
        label: beside the scale of colours: what the values are, with their unit.
        diverging: whether 0 is the middle of the colours, with as much room below as above; otherwise they begin at the
            lowest value.
        limits: where the colours end; none: at the lowest and the highest value.
        faint: bool [R, C]: cells whose number is written faintly, such as those that may be chance.

    Raises:
        ValueError: values, names and formats do not fit each other.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or table.shape != (len(rows), len(columns)):
        raise ValueError(f"values must be [{len(rows)}, {len(columns)}] and not empty, got {list(table.shape)}")
    written = [formats] * len(columns) if isinstance(formats, str) else list(formats)
    if len(written) != len(columns):
        raise ValueError(f"formats must be one or {len(columns)}, one a column, got {len(written)}")
    pale = np.zeros(table.shape, dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    if pale.shape != table.shape:
        raise ValueError(f"faint must be {list(table.shape)} like the values, got {list(pale.shape)}")
    figure = Figure(figsize=_inches(rows, columns, title, label), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots()
    colours: Colormap = DIVERGING if diverging else SEQUENTIAL
    scale = _scale(table, diverging, limits)
    _draw_cells(axes, table, written, pale, colours, scale)
    _draw_names(axes, rows, columns)
    if title:
        axes.set_title(title, fontsize=12, loc="left", color=INK, pad=10)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.9, aspect=18, pad=0.02)
    bar.ax.tick_params(labelsize=9, color=LINE)
    bar.outline.set_visible(False)  # type: ignore[operator]
    if label:
        bar.set_label(label, fontsize=9.5)
    return figure


def _inches(rows: Sequence[str], columns: Sequence[str], title: str | None, label: str | None) -> tuple[float, float]:
    """Wide enough for the names of the rows and high enough for what stands beside the colours."""
    names = 0.4 + _LETTER * max(map(len, rows))
    width = names + _CELL[0] * len(columns) + 1.2
    above = 0.35 if title else 0.0
    below = 0.35 if max(map(len, columns)) < _STEEP else 0.3 + 0.6 * _LETTER * max(map(len, columns))
    height = max(_CELL[1] * len(rows), _LETTER * len(label or "")) + above + below
    return min(max(width, _LETTER * 1.2 * len(title or "") + 0.4), WIDEST), max(height, 1.6)


def _scale(table: NDArray[np.float64], diverging: bool, limits: tuple[float, float] | None) -> Normalize:
    if limits is not None:
        return Normalize(*limits)
    known = table[np.isfinite(table)]
    if diverging:
        limit = float(np.abs(known).max(initial=0)) or 1.0
        return Normalize(-limit, limit)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 1)


def _draw_cells(
    axes: Axes,
    table: NDArray[np.float64],
    formats: Sequence[str],
    pale: NDArray[np.bool_],
    colours: Colormap,
    scale: Normalize,
) -> None:
    known = np.isfinite(table)
    places = np.clip(np.asarray(scale(np.where(known, table, 0.0))), 0, 1)
    pixels = colours(places)
    pixels[~known] = to_rgba(UNKNOWN)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    for row, column in np.argwhere(known).tolist():
        red, green, blue = pixels[row, column, :3]
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
        ink = "white" if dark else FAINT_INK if pale[row, column] else INK
        text = f"{table[row, column]:{formats[column]}}".replace("-", "\N{MINUS SIGN}")
        style = "italic" if pale[row, column] else "normal"
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color=ink, style=style)


def _draw_names(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    steep = max(map(len, columns)) >= _STEEP
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if steep else {}
    axes.set_xticks(np.arange(len(columns)), columns, fontsize=10, **turned)  # type: ignore[arg-type]
    axes.set_yticks(np.arange(len(rows)), rows, fontsize=10)
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
