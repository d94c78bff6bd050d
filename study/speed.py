"""Images/s of each arm on the quiet machine.

The base runs alone with all cores, as a user would have it. Such a run is 10 to 20 % faster or slower half a minute
later, which is more than most ingredients cost. So an arm that changes an ingredient of the base runs beside it, both
at once with half of the cores each: what slows one slows the other, and their ratio holds still. Large networks gain
more from all cores than the base does: they, whole recipes and the base take turns with all of them, and so does every
arm on a GPU. An experiment that is no arm of the table runs alone.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_environment, read_metrics
from study import budget
from study.arms import ARMS, BASE, SAME_WORK, WITH_ALL_CORES, batch_size
from study.jobs import last_word
from study.place import CPU, Place, cores

log = logging.getLogger("study.speed")

TURNS = 2
WARM_UP = 5.0
"""Seconds of training that do not count: the first steps choose algorithms and fill the memory."""

SHORT_RUN = (
    "trainer.max_time=00:00:00:20",
    "trainer.max_epochs=1000",  # time ends it; a schedule until the end of the run still finds one
    "metric=[]",
    "callback=[metrics_logger,run_info]",
)

Train = Callable[[Sequence[Sequence[str]]], None]


def train(runs: Sequence[Sequence[str]]) -> None:
    """Runs ``python -m fmcgan.train`` once for each list of overrides, all at once.

    A run alone takes the threads that it takes by itself, runs side by side share the cores.

    Raises:
        UserError: one failed; the text ends with what it said.
    """
    threads = {"OMP_NUM_THREADS": str(max(1, cores() // len(runs)))} if len(runs) > 1 else {}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "fmcgan.train", *overrides],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | threads,
        )
        for overrides in runs
    ]
    said = [process.communicate()[1] for process in started]
    for process, text in zip(started, said, strict=True):
        if process.returncode:
            raise UserError(f"training ended with code {process.returncode} and said: {last_word(text)}")


def measure(
    arms: Sequence[str], page: Path, record: dict[str, Any], train: Train = train, place: Place = CPU
) -> list[str]:
    """Measures arms, which take turns, and writes each into the values beside the page as soon as it is known.

    The first turn of an arm alone also decides its precision (``trainer.precision=auto``, a trial of a few steps, which
    needs the quiet machine too); the later ones and the study keep it. An arm beside the base has the base's.

    Args:
        arms: names of experiments; the base is measured first.
        page: the page of the study.
        record: on what machine, as `benchmarks.machine.record` gives it.
        train: runs trainings side by side with these overrides.
        place: cores or GPU.

    Returns:
        The arms that failed.

    Raises:
        UserError: an arm is to be measured beside the base, of which no speed is known.
    """
    relative = [arm for arm in arms if compared_with_the_base(arm)]
    alone = [arm for arm in arms if arm not in relative]
    failed: list[str] = []
    for turn in range(TURNS):
        for arm in [*alone, *relative]:
            if arm in failed:
                continue
            try:
                take_turn = _relative_to_the_base if arm in relative else _alone
                measured = take_turn(arm, page, train, place, turn)
            except UserError as error:
                log.error("%s failed: %s", arm, error)
                failed.append(arm)
                continue
            budget.write_speed(page, arm, record, place.seconds, **measured)
            rate = budget.speeds(page)[arm]["images_per_second"]
            log.info("turn %d of %d  %s: %.0f images/s, %s", turn + 1, TURNS, arm, rate, measured["precision"])
    return failed


def compared_with_the_base(arm: str) -> bool:
    """Whether this is an arm of the table, so that what counts is how many times faster than the base it is."""
    return arm in ARMS and arm != BASE


def rate(rows: Sequence[dict[str, float]]) -> float:
    """Images/s of training between the first row after the warm-up and the last one.

    Args:
        rows: of ``metrics.jsonl``.

    Raises:
        UserError: there are fewer than two such rows.
    """
    settled = [row for row in rows if "images_per_second" in row and row["seconds"] >= WARM_UP]
    if len(settled) < 2:
        raise UserError(f"too slow to be measured: {len(settled)} rows of metrics.jsonl after {WARM_UP:g} s")
    first, last = settled[0], settled[-1]
    return (last["images_seen"] - first["images_seen"]) / (last["seconds"] - first["seconds"])


def _alone(arm: str, page: Path, train: Train, place: Place, turn: int) -> dict[str, Any]:
    """One more turn of an arm that has the machine for itself."""
    known = budget.speeds(page)[arm] if turn else {}
    [(speed, precision)] = _short_runs([arm], known.get("precision", "auto"), train, place)
    return {"turns": [*known.get("turns", []), speed], "precision": precision, "batch_size": batch_size(arm)}


def _relative_to_the_base(arm: str, page: Path, train: Train, place: Place, turn: int) -> dict[str, Any]:
    """One more turn of an arm and the base: side by side, or one after the other."""
    speeds = budget.speeds(page)
    if BASE not in speeds:
        raise UserError(f"it is measured beside {BASE}, of which no speed is known: name {BASE} too")
    precision, size = speeds[BASE]["precision"], batch_size(arm)
    if arm in SAME_WORK:  # `budget.speeds` takes that of the other
        if SAME_WORK[arm] not in speeds:
            raise UserError(f"it has the speed of {SAME_WORK[arm]}, which is not known: name {SAME_WORK[arm]} too")
        return {"pairs": [], "precision": precision, "batch_size": size}
    order = [arm, BASE] if turn % 2 == 0 else [BASE, arm]  # neither always starts first
    together = [order] if place.shared and arm not in WITH_ALL_CORES else [[each] for each in order]
    measured = [each for names in together for each in _short_runs(names, precision, train, place)]
    rates = {name: speed for name, (speed, _) in zip(order, measured, strict=True)}
    earlier = speeds[arm]["pairs"] if turn else []
    return {"pairs": [*earlier, [rates[arm], rates[BASE]]], "precision": precision, "batch_size": size}


def _short_runs(arms: Sequence[str], precision: str, train: Train, place: Place) -> list[tuple[float, str]]:
    """Images/s and precision of a short run of each arm, side by side."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"run_{place}" for place in range(len(arms))]
        rows = f"callback.metrics_logger.every_n_batches={place.rows_every}"
        same = (f"trainer.accelerator={place.accelerator}", f"trainer.precision={precision}", rows, *SHORT_RUN)
        each = zip(arms, folders, strict=True)
        train([[f"experiment={arm}", *same, f"hydra.run.dir={folder}"] for arm, folder in each])
        return [
            (
                rate(read_metrics(folder / run_dir.METRICS_JSONL)),
                (read_environment(folder / run_dir.ENVIRONMENT) or {})["precision"],
            )
            for folder in folders
        ]
