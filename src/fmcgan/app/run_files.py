"""Reads the files of a run.

Each reader returns plain types that fit its schema (`fmcgan.app.run_schema`), or ``None`` if there is no such file. NaN
and infinity, as in old tables, are read as ``None``.

Raises:
    UserError: every reader, if a file is invalid, too large or not regular; names file, field and problem.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from fmcgan.app.errors import UserError
from fmcgan.app.renamed import rename_overrides, upgrade_config
from fmcgan.app.run_schema import (
    Config,
    Environment,
    Evaluation,
    Findings,
    Numbers,
    Overrides,
    Precisions,
    Result,
    Row,
    Trackers,
)
from fmcgan.app.untrusted_data import check_data, check_schema, read_file

LARGEST_YAML = 1_000_000  # bytes; a configuration has some 5,000, and 1,000 long class names, twice, up to 500,000
LARGEST_JSON = 50_000_000
LARGEST_TABLE = 2_000_000_000  # some 500 bytes a row
_ADVICE = "Restore the file, or leave this run out"
_UNREADABLE = (ValueError, RecursionError, LookupError, AttributeError, TypeError, OverflowError, yaml.YAMLError)
"""Errors of the parsers; that of YAML also raises lookup errors."""

Record = dict[str, Any]  # a parsed file: nested mappings, lists, texts and numbers that fit a schema


def leaves_of(part: object, name: str = "") -> Record:
    """Returns the values below a mapping that are no mappings, by their keys joined with dots."""
    if not isinstance(part, Mapping):
        return {name: part}
    below = (leaves_of(value, f"{name}.{each}".strip(".")) for each, value in part.items())
    return dict(pair for leaves in below for pair in leaves.items())


def read_config(path: Path) -> Record | None:
    """Reads a ``config.yaml`` and replaces old names."""
    config = _read(path, _yaml, Config, LARGEST_YAML)
    return None if config is None else upgrade_config(config)


def read_overrides(path: Path) -> list[str]:
    """Reads Hydra's list of overrides and replaces old names; empty if there is no list."""
    return rename_overrides(_read(path, _yaml, Overrides, LARGEST_YAML) or [])


def read_metrics(path: Path) -> list[Record]:
    """Reads the rows of a ``metrics.jsonl``, none if there is no file. Omits an incomplete last line."""
    if not os.path.lexists(path):
        return []
    *lines, unfinished = read_file(path, LARGEST_TABLE).split(b"\n")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_row(line))
        except _UNREADABLE as error:
            raise UserError(f"{path}, line {number}: {_reason(error)}. Delete that line to read the others") from error
    try:
        return [*rows, _row(unfinished)]
    except (json.JSONDecodeError, UnicodeDecodeError):
        return rows
    except _UNREADABLE as error:
        raise UserError(f"{path}, last line: {_reason(error)}. {_ADVICE}") from error


def read_epochs(path: Path) -> list[dict[str, str]]:
    """Reads the rows of an ``epochs.csv``, none if there is no file. Omits an incomplete last row."""
    if not os.path.lexists(path):
        return []
    try:
        whole, newline, _ = read_file(path, LARGEST_TABLE).rpartition(b"\n")
        rows = list(csv.DictReader(io.StringIO((whole + newline).decode(), newline="")))
        for row in rows:
            if None in row or None in row.values() or not 0 < int(row["epoch"]) < 10**15:
                raise ValueError(f"row {row}")
    except (*_UNREADABLE, csv.Error) as error:
        raise UserError(f"{path} is not a table of epochs: {_reason(error)}. Delete it to start a new one") from error
    return rows


def _row(line: bytes) -> Record:
    row: Record = _json(line.decode())
    check_data(row)
    check_schema(row, Numbers)
    check_schema(row, Row)
    return row


def _read(path: Path, parse: Callable[[str], Any], schema: object, max_bytes: int) -> Any:
    if not os.path.lexists(path):
        return None
    try:
        found = parse(read_file(path, max_bytes).decode())
        check_data(found)
        check_schema(found, schema)
    except _UNREADABLE as error:
        raise UserError(f"{path}: {_reason(error)}. {_ADVICE}") from error
    return found


def _json_reader(schema: object) -> Callable[[Path], Record | None]:
    return partial(_read, parse=_json, schema=schema, max_bytes=LARGEST_JSON)


_json = partial(json.loads, parse_constant=lambda _: None)
# Each reads the file of its name, such as ``result.json``.
read_result = _json_reader(Result)
read_environment = _json_reader(Environment)
read_evaluation = _json_reader(Evaluation)
read_findings = _json_reader(Findings)
read_trackers = _json_reader(Trackers)
read_precisions = _json_reader(Precisions)


class _PlainLoader(yaml.SafeLoader):
    """A YAML loader without aliases, since a few of them can expand to more values than fit into memory."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ValueError(f"line {self.peek_event().start_mark.line + 1}: an alias, which is not allowed")
        return super().compose_node(parent, index)


_yaml = partial(yaml.load, Loader=_PlainLoader)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, AttributeError | LookupError | TypeError):
        return "a value does not fit its tag"
    mark = getattr(error, "problem_mark", None)
    text = f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark is not None else str(error)
    return f"{' '.join(text.split())[:200] or type(error).__name__}"
