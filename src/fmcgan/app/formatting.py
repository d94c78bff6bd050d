"""Numbers and tables as text, for terminals, Markdown files and pages."""

import math
import shutil
from collections.abc import Collection, Sequence


def short_number(value: float | None, missing: str = "-") -> str:
    """Formats a number with four significant digits: ``0.02464``, ``12.3``, ``12,345``, ``∞``.

    ``None`` and NaN become `missing`.
    """
    if value is None or math.isnan(value):
        return missing
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def decimal_number(value: float, like: float | None = None, missing: str = "-") -> str:
    """Formats a number with about four digits and fixed decimals: ``0.8612``, ``12.34``, ``1,234``.

    `like`, if given, sets the number of decimals, so that a mean and its deviation align. Values that are not finite
    become `missing`.
    """
    if not math.isfinite(value):
        return missing
    size = abs(value if like is None else like)
    decimals = 2 if size == 0 else min(max(3 - math.floor(math.log10(size)), 0), 6)
    return f"{value:,.{decimals}f}"


def percent(share: float, digits: int = 0) -> str:
    """Formats a share, 0..1, as percent: ``percent(0.042, 1)`` is ``4.2 %``."""
    return f"{100 * share:.{digits}f} %"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Writes a Markdown table whose columns are aligned in plain text too, with a final newline.

    Args:
        head: titles of the columns.
        rows: cells, already escaped.
        right: indices of the columns to align to the right.
    """
    widths = [max(3, *(len(cells[column]) for cells in (head, *rows))) for column in range(len(head))]
    rule = ["-" * (width - 1) + (":" if column in right else "-") for column, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        sized = enumerate(zip(cells, widths, strict=True))
        aligned = (cell.rjust(width) if column in right else cell.ljust(width) for column, (cell, width) in sized)
        return f"| {' | '.join(aligned)} |\n"

    return "".join(map(line, (head, rule, *rows)))


def wrapped_list(head: str, items: Sequence[str], columns: int) -> str:
    """Joins items by commas after a head, in lines of at most so many columns; an item is not broken."""
    lines = [head]
    for index, item in enumerate(items):
        text = item + "," * (index < len(items) - 1)
        if len(lines[-1]) + 1 + len(text) > columns:
            lines.append(f"  {text}")
        else:
            lines[-1] += f" {text}"
    return "\n".join(lines)


def terminal_columns() -> int:
    """Returns the width of the terminal in characters; 80 without one. The environment variable COLUMNS sets it."""
    return shutil.get_terminal_size((80, 24)).columns


def text_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], columns: int, right: Collection[int] = (), fewest: int = 1
) -> str:
    """Writes a table for a terminal, with a final newline: its first columns, as many as fit.

    Args:
        head: titles of the columns.
        rows: cells.
        columns: width of the terminal in characters.
        right: indices of the columns to align to the right.
        fewest: number of columns that are always written; the first is cut if they do not fit.
    """
    widths = [max(len(cells[index]) for cells in (head, *rows)) for index in range(len(head))]
    while len(widths) > fewest and sum(widths) + 2 * (len(widths) - 1) > columns:
        widths.pop()
    excess = sum(widths) + 2 * (len(widths) - 1) - columns
    widths[0] = max(widths[0] - max(excess, 0), 4)

    def line(cells: Sequence[str]) -> str:
        first = cells[0] if len(cells[0]) <= widths[0] else f"{cells[0][: widths[0] - 3]}..."
        sized = enumerate(zip((first, *cells[1:]), widths, strict=False))
        return "  ".join(cell.rjust(n) if index in right else cell.ljust(n) for index, (cell, n) in sized).rstrip()

    return "".join(f"{line(cells)}\n" for cells in (head, *rows))
