"""What the tables say of finished runs, kept in a JSON file beside the page: a table outlives the run folders.

A run that is kept counts as done: it is neither trained nor evaluated again until it is forgotten.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from fmcgan.errors import UserError
from fmcgan.report.run import Run
from fmcgan.run_folder import write_json

FACTS = ("value", "floor", "better", "n")
"""What is kept of a score."""

Entry = dict[str, Any]
"""Of one run: ``arm``, ``seed``, ``images_seen``, ``parameters`` by player, and ``scores``: `FACTS` by name."""


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
        "scores": known,
    }


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
        return json.loads(values.read_text()) if values.exists() else {}
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
    """Writes the entries; whatever else the file holds stays."""
    values.parent.mkdir(parents=True, exist_ok=True)
    write_json(values, content(values) | {"runs": entries})


def forget(values: Path, arms: Collection[str]) -> int:
    """Drops all runs of some arms, whose recipe has changed.

    Returns:
        How many were dropped.
    """
    entries = read(values)
    left = [each for each in entries if each["arm"] not in arms]
    if len(left) < len(entries):
        write(values, left)
    return len(entries) - len(left)


def _key(kept: Entry) -> tuple[str, int | None]:
    return kept["arm"], kept["seed"]
