"""Images/s of each arm on the quiet machine, as a user would have them."""

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fmcgan import run_folder
from fmcgan.errors import UserError
from study import budget
from study.arms import batch_size

log = logging.getLogger("study.speed")

TURNS = 2
WARM_UP = 5.0
"""Seconds of training that do not count: the first steps choose algorithms and fill the memory."""

SHORT_RUN = (
    "trainer.accelerator=cpu",
    "trainer.max_time=00:00:00:27",
    "trainer.max_epochs=1000",  # time ends it; a schedule until the end of the run still finds one
    "metric=[]",
    "callback=[recorder,run_record]",
    "callback.recorder.every_n_batches=4",  # a multiple of every penalty's interval; slow arms get a few rows too
)

Train = Callable[[Sequence[str]], None]


def train(overrides: Sequence[str]) -> None:
    """Runs ``python -m fmcgan.train`` in a process of its own, with the threads that it takes by itself.

    Raises:
        UserError: it failed; the text ends with what it said.
    """
    command = [sys.executable, "-m", "fmcgan.train", *overrides]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["nothing"]
        error = next((line for line in said if line.startswith("error: ")), said[-1])
        raise UserError(f"training ended with code {ended.returncode} and said: {error}")


def measure(arms: Sequence[str], page: Path, record: dict[str, Any], train: Train = train) -> list[str]:
    """Measures arms, which take turns, and writes each into the values beside the page as soon as it is known.

    The first turn of an arm also decides its precision (``trainer.precision=auto``, a trial of a few steps, which
    needs the quiet machine too); the later ones and the study keep it.

    Args:
        arms: names of experiments.
        page: the page of the study.
        record: on what machine, as `benchmarks.machine.record` gives it.
        train: runs one training with these overrides.

    Returns:
        The arms that failed.
    """
    turns: dict[str, list[float]] = {arm: [] for arm in arms}
    precisions = dict.fromkeys(arms, "auto")
    failed: list[str] = []
    for turn in range(TURNS):
        for arm in arms:
            if arm in failed:
                continue
            try:
                speed, precisions[arm] = _one_turn(arm, precisions[arm], train)
            except UserError as error:
                log.error("%s failed: %s", arm, error)
                failed.append(arm)
                continue
            turns[arm].append(speed)
            log.info("turn %d of %d  %s: %.0f images/s, %s", turn + 1, TURNS, arm, speed, precisions[arm])
            known = {"precision": precisions[arm], "batch_size": batch_size(arm)}
            budget.write_speed(page, arm, turns[arm], record, **known)
    return failed


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


def _one_turn(arm: str, precision: str, train: Train) -> tuple[float, str]:
    """Images/s of a short run, and its precision."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        train([f"experiment={arm}", *SHORT_RUN, f"trainer.precision={precision}", f"hydra.run.dir={folder}"])
        found = json.loads((folder / run_folder.ENVIRONMENT).read_text())["precision"]
        return rate(run_folder.read_metrics(folder / run_folder.METRICS_JSONL)), found
