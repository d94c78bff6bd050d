"""Writes tables of measured values into marked blocks of a document."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clock import Row
from fmcgan.app.run_dir import write_atomically, write_json
from fmcgan.comparison.tables import number
from fmcgan.report.html import NO_VALUE

Measured = dict[str, Any]  # ``rows``, and the record of the machine (`benchmarks.machine.record`)


def write(page: Path, name: str, measured: dict[str, Any]) -> str:
    """Writes the table of a part into its block of the page, and its values into the JSON file beside the page.

    Args:
        page: Markdown file; created if missing.
        name: of the part and of its block.
        measured: ``rows`` and the record of `benchmarks.machine.record`.

    Returns:
        The block.
    """
    values = page.with_suffix(".json")
    known = json.loads(values.read_text(encoding="utf-8")) if values.exists() else {}
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    block = f"{table(measured['rows'])}\n\n{origin(measured)}"
    write_json(values, known | {name: measured})
    write_atomically(page, replace_block(text, name, block))
    return block


def replace_block(text: str, name: str, block: str) -> str:
    """Replaces the text between ``<!-- name:begin -->`` and ``<!-- name:end -->``; appends both markers if missing."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if begin not in text:
        text = f"{text.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{begin} is not followed by {end}")
    return f"{before}{begin}\n{block}\n{end}{after}"


def table(rows: Sequence[Row]) -> str:
    """Builds a table with one column per key; a measured value shows its median and quartiles."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = {key: all(not isinstance(row.get(key), str) for row in rows) for key in columns}
    lines = [columns, ["---:" if numeric[key] else "---" for key in columns]]
    lines += [[_cell(row.get(key)) for key in columns] for row in rows]
    return joined(lines)


def joined(lines: Sequence[Sequence[str]]) -> str:
    """Joins head, rule and rows of cells to a Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def origin(measured: dict[str, Any]) -> str:
    """Returns one line: machine, versions, commit, date and command."""
    packages = ", ".join(f"{name} {measured['packages'][name]}" for name in ("torch", "lightning", "fmcgan"))
    instructions = re.sub("_", "-", " ".join(measured["instructions"]["processor"]))
    git = measured["git"]
    commit = f", commit {git['commit'][:10]}{' with changes' if git['changed'] else ''}" if git else ""
    parts = [measured["hardware"], instructions, measured["data"], f"Python {measured['python']}, {packages}{commit}"]
    return f"*{'; '.join(filter(None, parts))}; {measured['date'][:10]}; `{measured['command']}`*"


def _cell(value: object) -> str:
    if value is None:
        return NO_VALUE
    if isinstance(value, dict):
        median = value["median"]
        low, high = (number(each, like=median) for each in value["quartiles"])
        return f"{number(median)} ({low} to {high})" if value["n"] > 1 else number(median)
    return number(value) if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
