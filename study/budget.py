"""Converts equal training times to a number of images for each arm.

The speed of each arm is measured once, on an otherwise idle machine (`study.speed`). Runs end after a number of images,
so that their results do not depend on the load of the machine.
"""

import math
import statistics
from pathlib import Path
from typing import Any

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json
from study import results_store
from study.arms import BASE, SAME_WORK, Table, experiment

TRAINING_IMAGES = 60_000

Speeds = dict[str, dict[str, Any]]
"""By arm: ``images_per_second``, ``budget`` in images, ``precision``, ``batch_size``, ``record`` (date of the record of
the machine), and the measurements: ``turns`` (images/s alone with all cores) or ``pairs`` (images/s of arm and base in
parallel; none if another arm does the same computation). The speed is the median of the turns, or the speed of the base
times the median ratio of the pairs, of this arm or of the arm with the same computation."""


def epochs_and_batches(budget: int, batch_size: int, available: int = TRAINING_IMAGES) -> tuple[int, int]:
    """Converts a budget in images to the Trainer's ``max_epochs`` and ``limit_train_batches``.

    Lightning silently reduces a limit that is larger than an epoch of ``available`` images. So the budget is divided
    evenly among the fewest epochs, with an error of at most half a batch per epoch.
    """
    whole_number(budget=budget)
    whole_number(batch_size=batch_size, available=available)
    if batch_size > available:
        raise UserError(f"batch_size must be at most {available}, the number of training images, got {batch_size}")
    batches = max(1, round(budget / batch_size))
    epochs = math.ceil(batches / (available // batch_size))
    return epochs, round(batches / epochs)


def values_file(page: Path) -> Path:
    """Returns the JSON file beside the page."""
    return page.with_suffix(".json")


def read(page: Path) -> results_store.Entry:
    """Reads all stored values of the study; empty if there are none. Raises `UserError` if the file is damaged."""
    return results_store.content(values_file(page))


def speeds(page: Path) -> Speeds:
    """Returns the speed of each arm. Arms measured relative to the base need the speed of the base."""
    arms, time = _arms(page), seconds(page)
    base = statistics.median(arms[BASE]["turns"]) if BASE in arms else None
    known = {}
    for arm, measured in arms.items():
        if "turns" in measured:
            rate = statistics.median(measured["turns"])
        elif base is not None:
            pairs = measured["pairs"] or arms.get(SAME_WORK.get(arm, BASE), {}).get("pairs", [])
            rate = base * statistics.median([own / of_base for own, of_base in pairs] or [1.0])
        else:
            continue
        known[arm] = {"images_per_second": rate, "budget": round(time * rate)} | measured
    return known


def speeds_of(table: Table, page: Path) -> Speeds:
    """Returns the speed and the budget of each arm of a table.

    Args:
        table: of the study.
        page: of the table of ingredients, beside which the measurements are stored. An arm with overrides is as fast as
            its experiment.
    """
    known = speeds(page)
    if table.seconds is None:
        return known
    found = {}
    for arm in table.arms:
        name = experiment(arm)
        same = known.get(name) or known.get(SAME_WORK.get(name, name))
        if same:
            found[arm] = same | {"budget": round(table.seconds * same["images_per_second"])}
    return found


def seconds(page: Path) -> int:
    """Returns the training time of every arm; 0 before the first measurement."""
    return int(read(page).get("speed", {}).get("seconds", 0))


def records(page: Path) -> Speeds:
    """Returns machine, versions and command of each measurement (`benchmarks.machine.record`) by date."""
    return read(page).get("speed", {}).get("records", {})


def write_speed(page: Path, arm: str, record: results_store.Entry, seconds: int, **measured: object) -> None:
    """Stores the measurements of an arm, in place of earlier ones. Removes records that no arm refers to.

    Args:
        page: of the study.
        arm: name of the experiment.
        record: of the machine, with its ``date``.
        seconds: training time of every arm.
        measured: ``turns`` or ``pairs``, ``precision`` and ``batch_size``.
    """
    values = read(page)
    arms = _arms(page) | {arm: measured | {"record": record["date"]}}
    used = {each["record"] for each in arms.values()}
    origins = {date: each for date, each in (records(page) | {record["date"]: record}).items() if date in used}
    values_file(page).parent.mkdir(parents=True, exist_ok=True)
    write_json(values_file(page), values | {"speed": {"seconds": seconds, "records": origins, "arms": arms}})


def _arms(page: Path) -> Speeds:
    return read(page).get("speed", {}).get("arms", {})
