"""Stores the results of runs in a JSON file beside the page, so that run folders can be deleted.

A stored finished run is neither trained nor evaluated again until it is removed. A failed run is stored until it
succeeds, since conclusions from the other runs of an arm would be biased.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json
from fmcgan.app.run_files import read_environment
from fmcgan.comparison.runs import Run

SCORE_FIELDS = ("value", "floor", "better", "n")  # stored fields of a score, and by_class if it has classes

Entry = dict[str, Any]
"""One run: ``arm``, ``seed``, ``images_seen``, ``parameters`` by network, ``seconds`` of training, ``made`` (date,
hardware, commit and torch) and ``scores`` (`SCORE_FIELDS` by name). Old entries lack ``seconds`` and ``made``."""

Failure = dict[str, Any]  # a failed run: ``arm``, ``seed`` and ``why``, its last error


def new_entry(arm: str, run: Run, scores: Mapping[str, Entry], names: Iterable[str]) -> Entry:
    """Returns the stored entry of a finished run, with those of the named scores that the run has."""
    result: Entry = dict(run.result or {})
    known = {name: {fact: scores[name].get(fact) for fact in SCORE_FIELDS} for name in names if name in scores}
    for name, stored in known.items():
        if scores[name].get("by_class") is not None:
            stored["by_class"] = scores[name]["by_class"]
    return {
        "arm": arm,
        "seed": run.seed,
        "images_seen": result["images_seen"],
        "parameters": dict(result["parameters"]),
        "seconds": result["training_seconds"],
        "made": _made(run.folder / run_dir.ENVIRONMENT),
        "scores": known,
    }


def _made(environment: Path) -> dict[str, str | None] | None:
    """Returns date, hardware, commit and torch of a run; ``None`` if unknown."""
    known = read_environment(environment)
    if known is None:
        return None
    commit, torch = (known.get("git") or {}).get("commit"), known.get("packages", {}).get("torch")
    return {"date": known.get("date"), "hardware": known.get("hardware"), "commit": commit, "torch": torch}


def as_run(entry: Entry) -> Run:
    """Converts an entry to a run."""
    result = {"status": "finished"} | {key: entry[key] for key in ("seed", "images_seen", "parameters", "scores")}
    return Run(folder=Path(), overrides=(), seed=entry["seed"], rows=(), result=result)


def content(values: Path) -> Entry:
    """Reads the file; empty if it does not exist. Raises `UserError` if it is damaged, as all readers below."""
    try:
        return json.loads(values.read_text(encoding="utf-8")) if values.exists() else {}
    except ValueError as error:
        raise UserError(f"{values} cannot be read: {error}") from error


def read(values: Path) -> list[Entry]:
    """Reads the entries of all runs."""
    entries: list[Entry] = content(values).get("runs", [])
    return entries


def merge_entries(old: Iterable[Entry], new: Iterable[Entry], arms: Iterable[str]) -> list[Entry]:
    """Merges entries in the order of the arms. New entries replace old ones of the same arm and seed."""
    order = {arm: index for index, arm in enumerate(arms)}
    known = {_key(each): each for each in [*old, *new]}
    return sorted(known.values(), key=lambda each: (order.get(each["arm"], len(order)), each["arm"], each["seed"] or 0))


def done(entries: Iterable[Entry]) -> set[tuple[str, int | None]]:
    """Returns arm and seed of each entry."""
    return {_key(each) for each in entries}


def write(values: Path, entries: list[Entry]) -> None:
    """Writes the entries and removes failures of the same runs. Other content of the file is unchanged."""
    failed = [each for each in failures(values) if _key(each) not in done(entries)]
    _put(values, runs=entries, **({"failed": failed} if "failed" in content(values) else {}))


def failures(values: Path) -> list[Failure]:
    """Reads the failed runs whose training has not succeeded since."""
    failed: list[Failure] = content(values).get("failed", [])
    return failed


def add_failure(values: Path, failure: Failure) -> None:
    """Stores a failure, in place of an earlier failure of the same run."""
    _put(values, failed=[*(each for each in failures(values) if _key(each) != _key(failure)), failure])


def forget(values: Path, arms: Collection[str]) -> int:
    """Removes all runs of some arms and returns their number."""
    before = {"runs": read(values), "failed": failures(values)}
    left = {name: [each for each in runs if each["arm"] not in arms] for name, runs in before.items()}
    dropped = sum(len(before[name]) - len(left[name]) for name in before)
    if dropped:
        _put(values, **{name: runs for name, runs in left.items() if name in content(values)})
    return dropped


def _put(values: Path, **changed: object) -> None:
    values.parent.mkdir(parents=True, exist_ok=True)
    write_json(values, content(values) | changed)


def _key(entry: Entry | Failure) -> tuple[str, int | None]:
    return entry["arm"], entry["seed"]
