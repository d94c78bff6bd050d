"""Heat maps with numbers."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from fmcgan.figure.axes import panel_figure
from fmcgan.figure.palette import FAINT_INK, GENERATED, INK, LINE, REAL, ink_on

SEQUENTIAL = colormaps["Blues"]  # one hue that darkens with the value
DIVERGING = LinearSegmentedColormap.from_list("real to generated", [REAL, "#FFFFFF", GENERATED])
"""Blue below 0, white at 0, vermilion above."""
UNKNOWN = "#D9D9D9"  # colour of a cell without a value, and of a row with a note; in neither colour map
WIDEST = 11.0  # largest width in inches; more columns make narrower cells, and smaller numbers
PALE = 0.25  # opacity of a faint cell
_CELL = 0.78, 0.42  # inches
_NARROWEST = 0.48  # width of a cell that a number just fits in, in inches
_LETTER = 0.085  # width of a letter in inches
_STEEP = 9  # shortest slanted column name beside up to nine others, in letters

Format = str | Callable[[float], str]


def heatmap_figure(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    formats: Format,
    title: str,
    label: str,
    colours: Colormap = DIVERGING,
    scale: Normalize | None = None,
    faint: ArrayLike | None = None,
    blank: ArrayLike = False,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Draws a heat map with the number of each cell.

    Args:
        values: [R, C]; a cell that is not finite is grey and has no number.
        rows: R names.
        columns: C names.
        formats: a format such as ``+.2f``, or a function.
        title: above the table.
        label: of the colour bar: quantity and unit.
        colours: `SEQUENTIAL`, or `DIVERGING` for values of both signs.
        scale: from values to colours; None: symmetric about 0, to the largest value.
        faint: bool [R, C]: cells drawn pale; the others have bold numbers. None: no cell is pale or bold.
        blank: bool [R, C]: cells without a number.
        size: of the figure in inches; None: as large as needed.

    Raises:
        ValueError: the shapes of values, names and faint cells differ.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or table.shape != (len(rows), len(columns)):
        raise ValueError(f"values must be [{len(rows)}, {len(columns)}] and not empty, got {list(table.shape)}")
    pale = np.zeros(table.shape, dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    if pale.shape != table.shape:
        raise ValueError(f"faint must be {list(table.shape)} like the values, got {list(pale.shape)}")
    figure, (axes,) = panel_figure(1, size or _inches(rows, columns, title, label))
    points = _number_size(figure.get_figwidth(), rows, columns)
    known = np.isfinite(table)
    limit = float(np.abs(table[known]).max(initial=0)) or 1.0
    scale = scale or Normalize(-limit, limit)
    pixels = colours(np.clip(np.asarray(scale(np.where(known, table, 0.0))), 0, 1))
    pixels[pale] = 1 - PALE * (1 - pixels[pale])
    pixels[~known] = to_rgba(UNKNOWN)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    for row, column in np.argwhere(known & ~np.asarray(blank, dtype=bool)).tolist():
        is_pale = bool(pale[row, column])
        ink = ink_on(tuple(pixels[row, column, :3]), *([FAINT_INK] if is_pale else []), INK)
        weight = "bold" if faint is not None and not is_pale else "normal"
        text = _text(float(table[row, column]), formats)
        axes.text(column, row, text, ha="center", va="center", fontsize=points, color=ink, weight=weight)
    _name_cells(axes, rows, columns)
    axes.set_title(title, fontsize=12, loc="left", color=INK, pad=10)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, shrink=0.8, aspect=22, pad=0.02)
    bar.ax.tick_params(labelsize=9, color=LINE)
    bar.ax.spines[:].set_visible(False)
    bar.set_label(label, fontsize=9.5, color=INK)
    return figure


def _inches(rows: Sequence[str], columns: Sequence[str], title: str, label: str) -> tuple[float, float]:
    """Computes a size with space for the names of the rows and the label of the colour bar."""
    width = 1.6 + _LETTER * max(map(len, rows)) + _CELL[0] * len(columns)
    below = 0.3 + 0.6 * _LETTER * max(map(len, columns)) if _is_steep(columns) else 0.35
    height = max(_CELL[1] * len(rows), _LETTER * len(label)) + 0.35 + below
    return min(max(width, _LETTER * 1.2 * len(title) + 0.4), WIDEST), max(height, 1.6)


def _number_size(width: float, rows: Sequence[str], columns: Sequence[str]) -> float:
    """Computes the font size of the numbers in a figure, at most 10 points."""
    cell = (width - 1.6 - _LETTER * max(map(len, rows))) / len(columns)
    return 10 * min(1.0, max(cell / _NARROWEST, 0.5))


def _is_steep(columns: Sequence[str]) -> bool:
    return max(map(len, columns)) * max(len(columns), 10) >= 10 * _STEEP


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_xticks(np.arange(len(columns)), columns, fontsize=10)
    if _is_steep(columns):
        axes.set_xticklabels(columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(rows)), rows, fontsize=10)
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _text(value: float, form: Format) -> str:
    """Formats a number with a true minus sign; a value that rounds to zero has no sign."""
    text = f"{value:{form}}" if isinstance(form, str) else form(value)
    return text.replace("-", "\N{MINUS SIGN}") if any(digit in text for digit in "123456789") else text.lstrip("+-")
