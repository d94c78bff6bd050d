"""What the tables say of runs, kept in a JSON file beside the page: a table outlives the run folders.

A finished run that is kept counts as done: it is neither trained nor evaluated again until it is forgotten. One that
failed is kept too, until it is trained with success: an arm is not to be judged by those of its runs that survived.
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

FACTS = ("value", "floor", "better", "n")
"""What is kept of a score."""

Entry = dict[str, Any]
"""Of one run: ``arm``, ``seed``, ``images_seen``, ``parameters`` by player, ``seconds`` of training, ``made``: date,
hardware, commit and torch, and ``scores``: `FACTS` by name. Of old runs ``seconds`` and ``made`` are not known."""

Failure = dict[str, Any]
"""Of a run that failed: ``arm``, ``seed``, and ``why``, what it said last."""


def entry(arm: str, run: Run, scores: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> Entry:
    """What is kept of a finished run.

    Args:
        arm: name of its experiment.
        run: the run.
        scores: as in ``result.json`` or ``evaluation.json``.
        names: those of the table; one that the run does not have is left out.
    """
    result: Mapping[str, Any] = run.result or {}
    known = {name: {fact: scores[name].get(fact) for fact in FACTS} for name in names if name in scores}
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
    """When, on what and with what a run was made; None if it did not say."""
    known = read_environment(environment)
    if known is None:
        return None
    commit, torch = (known.get("git") or {}).get("commit"), known.get("packages", {}).get("torch")
    return {"date": known.get("date"), "hardware": known.get("hardware"), "commit": commit, "torch": torch}


def as_run(kept: Entry) -> Run:
    """A run that knows what was kept of it."""
    result = {"status": "finished"} | {key: kept[key] for key in ("seed", "images_seen", "parameters", "scores")}
    return Run(folder=Path(), overrides=(), seed=kept["seed"], rows=(), result=result)


def content(values: Path) -> dict[str, Any]:
    """All that the file holds; empty if there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return json.loads(values.read_text(encoding="utf-8")) if values.exists() else {}
    except ValueError as error:
        raise UserError(f"{values} cannot be read: {error}") from error


def read(values: Path) -> list[Entry]:
    """All runs that are kept.

    Raises:
        UserError: the file is damaged.
    """
    entries: list[Entry] = content(values).get("runs", [])
    return entries


def joined(kept: Iterable[Entry], new: Iterable[Entry], arms: Iterable[str]) -> list[Entry]:
    """Old and new: a new entry takes the place of the old one of its arm and seed.

    Args:
        kept: old entries.
        new: new ones.
        arms: names of experiments in the order wanted; entries of other ones are last.
    """
    order = {arm: place for place, arm in enumerate(arms)}
    known = {_key(each): each for each in [*kept, *new]}
    return sorted(known.values(), key=lambda each: (order.get(each["arm"], len(order)), each["arm"], each["seed"] or 0))


def done(entries: Iterable[Entry]) -> set[tuple[str, int | None]]:
    """Arm and seed of each entry."""
    return {_key(each) for each in entries}


def write(values: Path, entries: list[Entry]) -> None:
    """Writes the entries; a failure of a run that is among them goes, whatever else the file holds stays."""
    failed = [each for each in failures(values) if _key(each) not in done(entries)]
    _put(values, runs=entries, **({"failed": failed} if "failed" in content(values) else {}))


def failures(values: Path) -> list[Failure]:
    """Runs that failed and have not been trained with success since.

    Raises:
        UserError: the file is damaged.
    """
    failed: list[Failure] = content(values).get("failed", [])
    return failed


def note_failure(values: Path, failure: Failure) -> None:
    """Keeps that a run failed, in place of an earlier failure of it."""
    _put(values, failed=[*(each for each in failures(values) if _key(each) != _key(failure)), failure])


def forget(values: Path, arms: Collection[str]) -> int:
    """Drops all runs of some arms, whose recipe has changed.

    Returns:
        How many were dropped.
    """
    before = {"runs": read(values), "failed": failures(values)}
    left = {name: [each for each in runs if each["arm"] not in arms] for name, runs in before.items()}
    dropped = sum(len(before[name]) - len(left[name]) for name in before)
    if dropped:
        _put(values, **{name: runs for name, runs in left.items() if name in content(values)})
    return dropped


def _put(values: Path, **changed: Any) -> None:
    values.parent.mkdir(parents=True, exist_ok=True)
    write_json(values, content(values) | changed)


def _key(kept: Entry | Failure) -> tuple[str, int | None]:
    return kept["arm"], kept["seed"]
