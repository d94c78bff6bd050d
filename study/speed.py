"""Measures the images/s of each arm on an otherwise idle machine.

The base runs alone on all cores. Its speed varies by 10 to 20 % within half a minute, more than the cost of most
ingredients. So an arm that changes one ingredient runs in parallel with the base, each on half of the cores, and their
ratio is measured. Large networks and recipes (`WITH_ALL_CORES`) alternate with the base on all cores, as does every arm
on a GPU. An experiment that is not in the table runs alone.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_environment, read_metrics
from study import budget
from study.arms import ARMS, BASE, SAME_WORK, WITH_ALL_CORES, batch_size
from study.hardware import CPU, Hardware, cores
from study.jobs import last_error
from study.results_store import Entry

log = logging.getLogger("study.speed")

TURNS = 2
WARM_UP = 5.0  # seconds of training that are not measured: the first steps choose algorithms and allocate memory

SHORT_RUN = (
    "trainer.max_time=00:00:00:20",
    "trainer.max_epochs=1000",  # schedules need a length; the time limit ends the run
    "metric=[]",
    "callback=[metrics_logger,run_info]",
)

Train = Callable[[Sequence[Sequence[str]]], None]


def train(runs: Sequence[Sequence[str]]) -> None:
    """Runs ``python -m fmcgan.train`` in parallel for each list of overrides; parallel runs share the cores.

    Raises:
        UserError: a run failed. The message ends with its last error.
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
    outputs = [process.communicate()[1] for process in started]
    for process, text in zip(started, outputs, strict=True):
        if process.returncode:
            raise UserError(f"training ended with exit code {process.returncode}: {last_error(text)}")


def measure(
    arms: Sequence[str], page: Path, record: Entry, train: Train = train, hardware: Hardware = CPU
) -> list[str]:
    """Measures arms in turns. Stores each measurement beside the page at once.

    The first turn of an arm that runs alone also chooses its precision (``trainer.precision=auto``), which later turns
    and the study use. Other arms have the precision of the base.

    Args:
        arms: names of experiments. The base is measured first.
        page: the page of the study.
        record: of the machine (`benchmarks.machine.record`).
        train: runs trainings in parallel.
        hardware: CPU or GPU.

    Returns:
        The arms that failed.
    """
    relative = [arm for arm in arms if is_relative_to_base(arm)]
    alone = [arm for arm in arms if arm not in relative]
    failed: list[str] = []
    for turn in range(TURNS):
        for arm in [*alone, *relative]:
            if arm in failed:
                continue
            try:
                take_turn = _relative_to_base if arm in relative else _alone
                measured = take_turn(arm, page, train, hardware, turn)
            except UserError as error:
                log.error("%s failed: %s", arm, error)
                failed.append(arm)
                continue
            budget.write_speed(page, arm, record, hardware.seconds, **measured)
            rate = budget.speeds(page)[arm]["images_per_second"]
            log.info("turn %d of %d  %s: %.0f images/s, %s", turn + 1, TURNS, arm, rate, measured["precision"])
    return failed


def is_relative_to_base(arm: str) -> bool:
    """Whether the speed of this arm is measured relative to the base."""
    return arm in ARMS and arm != BASE


def rate(rows: Sequence[dict[str, float]]) -> float:
    """Returns the images/s between the first row of ``metrics.jsonl`` after the warm-up and the last.

    Raises:
        UserError: there are fewer than two rows.
    """
    measured = [row for row in rows if "images_per_second" in row and row["seconds"] >= WARM_UP]
    if len(measured) < 2:
        raise UserError(f"too slow to measure: {len(measured)} rows of metrics.jsonl after {WARM_UP:g} s, 2 are needed")
    first, last = measured[0], measured[-1]
    return (last["images_seen"] - first["images_seen"]) / (last["seconds"] - first["seconds"])


def _alone(arm: str, page: Path, train: Train, hardware: Hardware, turn: int) -> Entry:
    """Measures one more turn of an arm that runs alone."""
    known = budget.speeds(page)[arm] if turn else {}
    [(speed, precision)] = _short_runs([arm], known.get("precision", "auto"), train, hardware)
    return {"turns": [*known.get("turns", []), speed], "precision": precision, "batch_size": batch_size(arm)}


def _relative_to_base(arm: str, page: Path, train: Train, hardware: Hardware, turn: int) -> Entry:
    """Measures one more turn of an arm and the base, in parallel or one after the other."""
    speeds = budget.speeds(page)
    if BASE not in speeds:
        raise UserError(f"it is measured relative to {BASE}, whose speed is unknown: measure {BASE} too")
    precision, size = speeds[BASE]["precision"], batch_size(arm)
    if arm in SAME_WORK:  # `budget.speeds` uses the speed of the other arm
        if SAME_WORK[arm] not in speeds:
            raise UserError(f"it has the speed of {SAME_WORK[arm]}, which is unknown: measure {SAME_WORK[arm]} too")
        return {"pairs": [], "precision": precision, "batch_size": size}
    order = [arm, BASE] if turn % 2 == 0 else [BASE, arm]  # alternate the order
    together = [order] if hardware.shared and arm not in WITH_ALL_CORES else [[each] for each in order]
    measured = [each for names in together for each in _short_runs(names, precision, train, hardware)]
    rates = {name: speed for name, (speed, _) in zip(order, measured, strict=True)}
    earlier = speeds[arm]["pairs"] if turn else []
    return {"pairs": [*earlier, [rates[arm], rates[BASE]]], "precision": precision, "batch_size": size}


def _short_runs(arms: Sequence[str], precision: str, train: Train, hardware: Hardware) -> list[tuple[float, str]]:
    """Returns images/s and precision of parallel short runs, one of each arm."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"run_{index}" for index in range(len(arms))]
        rows = f"callback.metrics_logger.every_n_batches={hardware.rows_every}"
        same = (f"trainer.accelerator={hardware.accelerator}", f"trainer.precision={precision}", rows, *SHORT_RUN)
        each = zip(arms, folders, strict=True)
        train([[f"experiment={arm}", *same, f"hydra.run.dir={folder}"] for arm, folder in each])
        return [
            (
                rate(read_metrics(folder / run_dir.METRICS_JSONL)),
                (read_environment(folder / run_dir.ENVIRONMENT) or {})["precision"],
            )
            for folder in folders
        ]
