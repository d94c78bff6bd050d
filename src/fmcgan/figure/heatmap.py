"""Heat maps with numbers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from fmcgan.figure.axes import colour_bar, name_cells, padded_figure
from fmcgan.figure.palette import FAINT_INK, GENERATED, INK, REAL

SEQUENTIAL = colormaps["Blues"]
"""One hue that darkens with the value."""
DIVERGING = LinearSegmentedColormap.from_list("real to generated", [REAL, "#FFFFFF", GENERATED])
"""Blue below 0, white at 0, vermilion above."""
UNKNOWN = "#D9D9D9"
"""Colour of a cell without a value, and of a row with a note; in neither colour map."""
WIDEST = 11.0
"""Largest width in inches; more columns make narrower cells."""
PALE = 0.25
"""Opacity of a faint cell."""
_CELL = 0.78, 0.42  # inches
_LETTER = 0.085  # width of a letter in inches
_STEEP = 9  # shortest slanted column name, in letters

Format = str | Callable[[float], str]


def heatmap_figure(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    formats: Format | Sequence[str] = ".2f",
    title: str | None = None,
    label: str | None = None,
    colours: Colormap = SEQUENTIAL,
    scale: Normalize | None = None,
    faint: ArrayLike | None = None,
    blank: ArrayLike | None = None,
    size: tuple[float, float] | None = None,
) -> Figure:
    """Draws a heat map with the number of each cell.

    Args:
        values: [R, C]; a cell that is not finite is grey and has no number.
        rows: R names.
        columns: C names.
        formats: a format such as ``+.2f``, a function, or one format per column.
        title: above the table.
        label: of the colour bar: quantity and unit.
        colours: `SEQUENTIAL`, or `DIVERGING` for values of both signs.
        scale: from values to colours. Default: lowest to highest value, or symmetric about 0 for `DIVERGING`.
        faint: bool [R, C]: cells drawn pale; the others have bold numbers. None: no cell is pale or bold.
        blank: bool [R, C]: cells without a number; None: none.
        size: of the figure in inches; None: as large as needed.

    Raises:
        ValueError: the shapes of values, names and formats differ.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or table.shape != (len(rows), len(columns)):
        raise ValueError(f"values must be [{len(rows)}, {len(columns)}] and not empty, got {list(table.shape)}")
    written = [formats] * len(columns) if isinstance(formats, str) or callable(formats) else list(formats)
    if len(written) != len(columns):
        raise ValueError(f"formats must be one or {len(columns)}, one per column, got {len(written)}")
    pale = np.zeros(table.shape, dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    if pale.shape != table.shape:
        raise ValueError(f"faint must be {list(table.shape)} like the values, got {list(pale.shape)}")
    figure = padded_figure(size or _inches(rows, columns, title, label))
    axes = figure.subplots()
    scale = scale or _scale(table, colours)
    numbered = np.isfinite(table) & ~np.asarray(False if blank is None else blank, dtype=bool)
    _draw_cells(axes, table, written, numbered, pale, faint is not None, colours, scale)
    name_cells(axes, rows, columns, slanted=max(map(len, columns)) >= _STEEP)
    if title:
        axes.set_title(title, fontsize=12, loc="left", color=INK, pad=10)
    colour_bar(figure, axes, scale, colours, label)
    return figure


def mark_rows(axes: Axes, notes: Mapping[int, str], count: int) -> None:
    """Frames the diagonal of a square table of ``count`` rows, and covers rows by their notes."""
    for row in range(count):
        if row in notes:
            cell = Rectangle((-0.5, row - 0.46), count, 0.92, color=UNKNOWN, linewidth=0, zorder=2.8)
            axes.text((count - 1) / 2, row, notes[row], ha="center", va="center", fontsize=10, color="#444444")
        else:
            cell = Rectangle((row - 0.5, row - 0.5), 1, 1, fill=False, color=INK, linewidth=1.6, zorder=3)
        axes.add_patch(cell)


def _inches(rows: Sequence[str], columns: Sequence[str], title: str | None, label: str | None) -> tuple[float, float]:
    """Computes a size with space for the names of the rows and the label of the colour bar."""
    width = 1.6 + _LETTER * max(map(len, rows)) + _CELL[0] * len(columns)
    longest = max(map(len, columns))
    below = 0.35 if longest < _STEEP else 0.3 + 0.6 * _LETTER * longest
    height = max(_CELL[1] * len(rows), _LETTER * len(label or "")) + (0.35 if title else 0.0) + below
    return min(max(width, _LETTER * 1.2 * len(title or "") + 0.4), WIDEST), max(height, 1.6)


def _scale(table: NDArray[np.float64], colours: Colormap) -> Normalize:
    known = table[np.isfinite(table)]
    if colours is DIVERGING:
        limit = float(np.abs(known).max(initial=0)) or 1.0
        return Normalize(-limit, limit)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 1)


def _draw_cells(
    axes: Axes,
    table: NDArray[np.float64],
    formats: Sequence[Format],
    numbered: NDArray[np.bool_],
    pale: NDArray[np.bool_],
    has_bold: bool,
    colours: Colormap,
    scale: Normalize,
) -> None:
    known = np.isfinite(table)
    pixels = colours(np.clip(np.asarray(scale(np.where(known, table, 0.0))), 0, 1))
    pixels[pale] = 1 - PALE * (1 - pixels[pale])
    pixels[~known] = to_rgba(UNKNOWN)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    for row, column in np.argwhere(numbered).tolist():
        is_pale, is_dark = pale[row, column], pixels[row, column, :3] @ (0.2126, 0.7152, 0.0722) < 0.5
        ink = "white" if is_dark else FAINT_INK if is_pale else INK
        weight = "bold" if has_bold and not is_pale else "normal"
        text = _text(float(table[row, column]), formats[column])
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color=ink, weight=weight)


def _text(value: float, form: Format) -> str:
    """Formats a number with a true minus sign; a value that rounds to zero has no sign."""
    text = f"{value:{form}}" if isinstance(form, str) else form(value)
    return text.replace("-", "\N{MINUS SIGN}") if any(digit in text for digit in "123456789") else text.lstrip("+-")
