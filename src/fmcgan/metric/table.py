"""Results as text for people."""

from collections.abc import Sequence
from typing import Any

from fmcgan.app.escaping import markdown
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.metric.baselines import TITLES
from fmcgan.metric.evaluation import Results

BETTER = {"lower": "lower", "higher": "higher", "real": "near real data"}


def in_words(name: str, result: dict[str, Any]) -> str:
    """Such as ``fd_classifier_10k_test 1.234 (real data 0.02464)``."""
    floor = "" if result["floor"] is None else f" (real data {number(result['floor'])})"
    return f"{name} {number(result['value'])}{floor}"


def as_markdown(results: Results) -> str:
    """A table with one line a measurement: samples, interval, and the rows that were measured."""
    rows = [row for row in TITLES if any(row in result["rows"] for result in results.values())]
    head = ["score", "samples", "95 % interval", *(TITLES[row] for row in rows), "better"]
    lines = []
    for name, result in results.items():
        interval = result["interval"]
        sure = "" if interval is None else f"{number(interval[0])} to {number(interval[1])}"
        known = [number(result["rows"].get(row)) for row in rows]
        lines.append([markdown(name), number(result["value"]), sure, *known, BETTER[result["better"]]])
    return _table(head, lines, numbers=2 + len(rows))


def by_class_as_markdown(results: Results) -> str:
    """A table with one line for each measurement that tells classes apart, real data below it; empty if none does."""
    lines = []
    for name, result in results.items():
        if result["by_class"] is not None:
            lines.append([markdown(name), *map(number, result["by_class"])])
            if result["floor_by_class"] is not None:
                lines.append(["(real data)", *map(number, result["floor_by_class"])])
    return _table(["score", *CLASS_NAMES], lines, numbers=len(CLASS_NAMES)) if lines else ""


def number(value: float | None) -> str:
    """Four significant digits; a dash for what was not measured."""
    return "-" if value is None else f"{value:.4g}"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]], numbers: int) -> str:
    """A Markdown table that is aligned as plain text too; ``numbers`` columns after the first are right-aligned."""
    widths = [max(3, *(len(line[place]) for line in (head, *lines))) for place in range(len(head))]
    right = [0 < place <= numbers for place in range(len(head))]
    rule = ["-" * (width - 1) + ":" if is_right else "-" * width for width, is_right in zip(widths, right, strict=True)]
    cells = [
        [
            each.rjust(width) if is_right else each.ljust(width)
            for each, width, is_right in zip(line, widths, right, strict=True)
        ]
        for line in (head, *lines)
    ]
    text = ["| " + " | ".join(line) + " |" for line in (cells[0], rule, *cells[1:])]
    return "\n".join(text) + "\n"
