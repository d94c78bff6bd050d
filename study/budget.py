"""The budget of every arm, in images: what the same time of training gives on the quiet machine, and how it is spent.

Time is what the arms have in common, images are what is counted: the speed of each arm is measured once, with nothing
else going on (`study.speed`). A run that then sees so many images has the same result however the machine was shared
while it ran, up to the order of floating-point sums, which depends on the number of threads.
"""

import math
import statistics
from pathlib import Path
from typing import Any

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json
from study import kept
from study.arms import BASE, SAME_WORK

TRAINING_IMAGES = 60_000

Speeds = dict[str, dict[str, Any]]
"""By arm: ``images_per_second``, ``budget`` in images, ``precision``, ``batch_size``, ``record``, which is the date of
the record that tells the machine, and what was measured: ``turns``, images/s alone with all cores, or ``pairs``,
images/s of the arm and of the base in turns that they shared, none if it does the work of another arm. The speed is the
median of the turns, or that of the base times the median of the ratios, its own or those of the arm of its work."""


def epochs_and_batches(budget: int, batch_size: int, available: int = TRAINING_IMAGES) -> tuple[int, int]:
    """How a budget is written for the Trainer: ``max_epochs`` and ``limit_train_batches``.

    Lightning cuts a limit that is larger than an epoch to the epoch, without a word. So the budget is shared out evenly
    among the fewest epochs that can hold it: it is met to half a batch an epoch, or to one batch if it is less.

    Args:
        budget: images.
        batch_size: images in a batch.
        available: images in the training set.

    Returns:
        Epochs, and batches in each of them, at least 1 and at most those of the whole training set.
    """
    whole_number(budget=budget)
    whole_number(batch_size=batch_size, available=available)
    if batch_size > available:
        raise UserError(f"a batch of {batch_size} is more than the {available} training images")
    batches = max(1, round(budget / batch_size))
    epochs = math.ceil(batches / (available // batch_size))
    return epochs, round(batches / epochs)


def values_file(page: Path) -> Path:
    """The JSON file beside the page."""
    return page.with_suffix(".json")


def read(page: Path) -> dict[str, Any]:
    """All values of the study so far; empty if there are none.

    Raises:
        UserError: the file is damaged.
    """
    return kept.content(values_file(page))


def speeds(page: Path) -> Speeds:
    """What is known of each arm; one that was measured beside the base is left out while the base is not measured."""
    arms, time = _arms(page), seconds(page)
    base = statistics.median(arms[BASE]["turns"]) if BASE in arms else None
    known = {}
    for arm, measured in arms.items():
        if "turns" in measured:
            rate = statistics.median(measured["turns"])
        elif base is not None:
            pairs = measured["pairs"] or arms.get(SAME_WORK.get(arm, BASE), {}).get("pairs", [])
            rate = base * statistics.median([own / beside for own, beside in pairs] or [1.0])
        else:
            continue
        known[arm] = {"images_per_second": rate, "budget": round(time * rate)} | measured
    return known


def seconds(page: Path) -> int:
    """The time that every arm has; 0 before anything is measured."""
    return int(read(page).get("speed", {}).get("seconds", 0))


def records(page: Path) -> dict[str, dict[str, Any]]:
    """By date: machine, versions and command of a measurement, as `benchmarks.machine.record` gives them."""
    return read(page).get("speed", {}).get("records", {})


def write_speed(page: Path, arm: str, record: dict[str, Any], seconds: int, **measured: Any) -> None:
    """Puts what was measured of one arm in place of an earlier one; records to which no arm refers any more go.

    Args:
        page: the page of the study.
        arm: whose speed.
        record: on what machine, with its ``date``.
        seconds: the time that every arm has.
        measured: ``turns`` or ``pairs``, ``precision`` and ``batch_size``.
    """
    values = read(page)
    arms = _arms(page) | {arm: measured | {"record": record["date"]}}
    kept = {each["record"] for each in arms.values()}
    origins = {date: each for date, each in (records(page) | {record["date"]: record}).items() if date in kept}
    values_file(page).parent.mkdir(parents=True, exist_ok=True)
    write_json(values_file(page), values | {"speed": {"seconds": seconds, "records": origins, "arms": arms}})


def _arms(page: Path) -> dict[str, dict[str, Any]]:
    """By arm, what was measured."""
    return read(page).get("speed", {}).get("arms", {})
