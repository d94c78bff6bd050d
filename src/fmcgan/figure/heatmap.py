"""Heat maps with numbers."""

from collections.abc import Callable, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from fmcgan.app.formatting import short_number
from fmcgan.figure.axes import TEXT, TITLE, name_axes, panel_figure
from fmcgan.figure.chart import add_tips
from fmcgan.figure.palette import FAINT_INK, GENERATED, INK, LINE, REAL

STRONGEST = 0.5
"""Largest opacity of a cell, on which numbers are legible in light and in dark mode."""
LEVELS = 41  # of the colour bar; odd, so that the middle has no colour


def _opacities(low: str, high: str) -> ListedColormap:
    """Returns a colour map whose opacity grows from 0: the same on white paper and on a dark page."""
    side = np.linspace(-STRONGEST, STRONGEST, LEVELS)
    return ListedColormap([(*to_rgb(low if each < 0 else high), abs(each)) for each in side.tolist()])


SEQUENTIAL = ListedColormap([(*to_rgb(REAL), each) for each in np.linspace(0, STRONGEST, LEVELS).tolist()], "real")
"""One hue whose opacity grows with the value."""
DIVERGING = _opacities(REAL, GENERATED)
"""Blue below 0, no colour at 0, vermilion above."""
UNKNOWN = "#8A8A8A40"  # colour of a cell without a value, and of a row with a note; in neither colour map
WIDEST = 11.0  # largest width in inches; more columns make narrower cells, and smaller numbers
PALE = 0.3  # of the opacity of a cell that is left to a faint one
_ROW = 0.25  # height of a cell in inches
_NARROWEST = 0.27  # width of a cell of few digits in inches
_LETTER = 0.0083  # width of a letter in inches, by font size in points
_LEGEND = 0.55  # height of the colour bar and its name in inches

Format = str | Callable[[float], str]


def heatmap_figure(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    formats: Format,
    title: str,
    label: str,
    colours: ListedColormap = DIVERGING,
    scale: Normalize | None = None,
    faint: ArrayLike | None = None,
    blank: ArrayLike = False,
    names: tuple[str, str] = ("", ""),
    ticks: Sequence[float] | None = None,
) -> Figure:
    """Draws a heat map with the number of each cell.

    Args:
        values: [R, C]; a cell that is not finite is grey and has no number.
        rows: R names.
        columns: C names.
        formats: a format such as ``+.1f``, or a function.
        title: above the table.
        label: of the colour bar: quantity and unit.
        colours: `SEQUENTIAL`, or `DIVERGING` for values of both signs.
        scale: from values to colours; None: symmetric about 0, to the largest value.
        faint: bool [R, C]: cells drawn pale; the others have bold numbers. None: no cell is pale or bold.
        blank: bool [R, C]: cells without a number.
        names: of the axes: what rows and columns are.
        ticks: of the colour bar.

    Raises:
        ValueError: the shapes of values, names and faint cells differ.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or table.shape != (len(rows), len(columns)):
        raise ValueError(f"values must be [{len(rows)}, {len(columns)}] and not empty, got {list(table.shape)}")
    pale = np.zeros(table.shape, dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    if pale.shape != table.shape:
        raise ValueError(f"faint must be {list(table.shape)} like the values, got {list(pale.shape)}")
    known = np.isfinite(table)
    texts = np.array([_text(each, formats) if np.isfinite(each) else "" for each in table.ravel().tolist()])
    texts = texts.reshape(table.shape)
    figure, (axes,) = panel_figure(1, _inches(rows, columns, texts, title, names))
    points = _number_size(figure.get_figwidth(), rows, columns, texts)
    limit = float(np.abs(table[known]).max(initial=0)) or 1.0
    scale = scale or Normalize(-limit, limit)
    cells = colours(np.clip(np.asarray(scale(np.where(known, table, 0.0))), 0, 1))
    cells[pale, 3] *= PALE
    cells[~known] = to_rgba(UNKNOWN)
    for (row, column), colour in zip(np.ndindex(table.shape), cells.reshape(-1, 4), strict=True):
        if colour[3] > 0:
            axes.add_patch(Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, color=tuple(colour), linewidth=0))
    for row, column in np.argwhere(known & ~np.asarray(blank, dtype=bool)).tolist():
        is_pale = bool(pale[row, column])
        weight = "bold" if faint is not None and not is_pale else "normal"
        ink = FAINT_INK if is_pale else INK
        text = texts[row, column]
        axes.text(column, row, text, ha="center", va="center", fontsize=points, color=ink, weight=weight)
    _name_cells(axes, rows, columns)
    name_axes(axes, title, names[1], names[0])
    where, unit = np.argwhere(known), label.partition(":")[0]
    about = [f"{rows[row]}, {columns[column]}: {short_number(table[row, column])} {unit}" for row, column in where]
    add_tips(axes, where[:, 1], where[:, 0], about)
    bar = figure.colorbar(
        ScalarMappable(scale, colours), ax=axes, orientation="horizontal", shrink=0.7, aspect=26, pad=0.03, ticks=ticks
    )
    bar.ax.tick_params(labelsize=TEXT, color=LINE, length=2)
    bar.ax.minorticks_off()
    bar.ax.spines[:].set_visible(False)
    letters = int(figure.get_figwidth() / (_LETTER * TEXT))
    bar.set_label(fill(label, letters), fontsize=TEXT, color=INK)
    return figure


def _inches(
    rows: Sequence[str], columns: Sequence[str], texts: np.ndarray, title: str, names: tuple[str, str]
) -> tuple[float, float]:
    """Computes a size with space for the names of the rows, the numbers and the colour bar."""
    letter = _LETTER * TEXT
    cell = max(_NARROWEST, letter * (0.3 + max(map(len, texts.ravel().tolist()))))
    width = letter * max(map(len, rows)) + 0.15 + 0.2 * bool(names[0]) + cell * len(columns)
    above = 0.1 + 1.3 / 72 * TITLE * (1 + int(_LETTER * TITLE * len(title) / max(width, 1)))
    below = 0.2 + 0.2 * bool(names[1]) + (0.6 * letter * max(map(len, columns)) if _is_steep(columns, cell) else 0)
    return min(max(width, 2.6), WIDEST), _ROW * len(rows) + above + below + _LEGEND


def _number_size(width: float, rows: Sequence[str], columns: Sequence[str], texts: np.ndarray) -> float:
    """Computes the font size of the numbers in a figure, at most `TEXT`."""
    cell = (width - 0.35 - _LETTER * TEXT * max(map(len, rows))) / len(columns)
    needed = _LETTER * TEXT * 0.9 * max(map(len, texts.ravel().tolist()))
    return TEXT * min(1.0, max(cell / needed if needed else 1.0, 0.5))


def _is_steep(columns: Sequence[str], cell: float) -> bool:
    return _LETTER * TEXT * max(map(len, columns)) > cell


def _name_cells(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_xticks(np.arange(len(columns)), columns, fontsize=TEXT)
    figure = axes.get_figure(root=True)
    width = (figure.get_figwidth() if figure else WIDEST) - 0.35 - _LETTER * TEXT * max(map(len, rows))
    if _is_steep(columns, width / len(columns)):
        axes.set_xticklabels(columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(rows)), rows, fontsize=TEXT)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _text(value: float, form: Format) -> str:
    """Formats a number with a true minus sign; a value that rounds to zero has no sign."""
    text = f"{value:{form}}" if isinstance(form, str) else form(value)
    return text.replace("-", "\N{MINUS SIGN}") if any(digit in text for digit in "123456789") else text.lstrip("+-")
