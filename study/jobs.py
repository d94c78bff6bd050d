"""Runs the trainings of the study: each arm with each seed, several processes in parallel.

A job is ``python -m fmcgan.train -m`` with one seed, in a sweep folder of its arm. So `train` skips finished
runs, resumes interrupted runs, and refuses to mix runs of different budgets. Two jobs of one thread use two cores
better than one job of two threads, with the same results (`study.budget`).
"""

import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fmcgan.app import run_dir
from fmcgan.app.overrides import quoted
from study.arms import TABLES, Table, arm_overrides, folder_name
from study.budget import Speeds, epochs_and_batches

log = logging.getLogger("study.run")

PAUSE = 0.5  # seconds between checks of the running jobs

PROTOCOL = (
    "callback.evaluation.every_n_epochs=10",  # the last epoch is always evaluated
    "callback.samples.epochs=null",  # which some recipes set
    "callback.samples.every_n_epochs=5",
    "metric=[frechet,gan_test,class_frechet,manifold]",
)


class Process(Protocol):
    """The interface of a running job, a subset of `subprocess.Popen`."""

    def poll(self) -> int | None:
        """Returns the exit code, or None while it runs."""

    def wait(self) -> int:
        """Waits for the end and returns the exit code."""

    def terminate(self) -> None:
        """Asks the process to save a checkpoint and exit."""


@dataclass(frozen=True)
class Job:
    """One training: the arm, the seed, the run folder, the images seen, and the overrides of ``fmcgan.train -m``."""

    arm: str
    seed: int
    folder: Path
    images: int
    overrides: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether the run is finished, by this or an earlier start."""
        return (self.folder / run_dir.RESULT).is_file()

    @property
    def output(self) -> Path:
        """The file of the output of the process."""
        return self.folder.with_suffix(".log")

    @property
    def last_error(self) -> str:
        """The last error in the output."""
        return last_error(self.output.read_text(encoding="utf-8", errors="replace") if self.output.is_file() else "")

    def __str__(self) -> str:
        return f"{self.arm} seed {self.seed}"


def planned(
    arms: Sequence[str],
    seeds: Sequence[int],
    speeds: Speeds,
    folder: Path,
    accelerator: str = "cpu",
    table: Table = TABLES["ingredients"],
) -> list[Job]:
    """Returns all jobs, ordered by seed and then by arm, so that the table fills evenly."""
    replaced = {each.partition("=")[0] for each in table.overrides}
    protocol = (each for each in PROTOCOL if each.partition("=")[0] not in replaced)
    same = (f"trainer.accelerator={accelerator}", *protocol, *table.overrides)
    return [_job(arm, seed, speeds, folder, same) for seed in seeds for arm in arms]


def _job(arm: str, seed: int, speeds: Speeds, folder: Path, same: Sequence[str]) -> Job:
    measured, arm_folder, name = speeds[arm], folder / folder_name(arm), f"seed_{seed}"
    epochs, batches = epochs_and_batches(measured["budget"], measured["batch_size"])
    overrides = (
        *arm_overrides(arm),
        f"seed={seed}",
        f"trainer.max_epochs={epochs}",
        f"trainer.limit_train_batches={batches}",
        f"trainer.precision={measured['precision']}",
        *same,
        f"hydra.sweep.dir={quoted(str(arm_folder))}",
        f"hydra.sweep.subdir={name}",
    )
    return Job(arm, seed, arm_folder / name, epochs * batches * measured["batch_size"], overrides)


def launch(job: Job, threads: int | None) -> Process:
    """Starts a job with its output in `Job.output`. The number of threads may be ``None`` for the default.

    The job has its own session, so that Ctrl-C reaches it only once, through `sweep`: a second signal would stop a
    training without a checkpoint.
    """
    job.output.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    command = [sys.executable, "-m", "fmcgan.train", "-m", *job.overrides]
    with job.output.open("a") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )


def last_error(output: str) -> str:
    """Returns the last error in the output of a command, or else its last line."""
    lines = output.replace("\r", "\n").strip().splitlines() or ["nothing"]
    return next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1]).removeprefix("error: ")


def sweep(
    jobs: Sequence[Job],
    workers: int,
    start: Callable[[Job], Process],
    on_failure: Callable[[Job], None] = lambda job: None,
) -> list[Job]:
    """Runs all jobs, several in parallel. A failed job does not stop the others.

    An exception such as Ctrl-C first stops the running jobs, waits for them, and is then raised.

    Args:
        jobs: in the order of their starts.
        workers: jobs in parallel.
        start: starts a job.
        on_failure: called at once with each failed job.

    Returns:
        The failed jobs.
    """
    waiting, tally = deque(jobs), _JobProgress(len(jobs), workers)
    running: dict[Job, tuple[Process, float, bool]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.popleft()
                running[job] = start(job), time.monotonic(), job.finished
            time.sleep(PAUSE)
            for job, (process, begin, before) in list(running.items()):
                if process.poll() is not None:
                    del running[job]
                    success = process.poll() == 0 and job.finished
                    tally.note(job, success, time.monotonic() - begin, before)
                    if not success:
                        on_failure(job)
    finally:
        processes = [process for process, _, _ in running.values()]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    return tally.failed


class _JobProgress:
    """Counts and logs finished, failed and remaining jobs, with the remaining time."""

    def __init__(self, jobs: int, workers: int) -> None:
        self.left = jobs
        self.workers = workers
        self.done = 0
        self.failed: list[Job] = []
        self._seconds: list[float] = []

    def note(self, job: Job, success: bool, seconds: float, before: bool) -> None:
        """Counts an ended job. The mean time omits jobs that had finished before."""
        self.left -= 1
        self.done += success
        if not success:
            self.failed.append(job)
        elif not before:
            self._seconds.append(seconds)
        word = "FAILED" if not success else "finished before" if before else f"done in {_clock(seconds)}"
        where = "" if success else f", see {os.path.relpath(job.output)}"
        log.info("%s: %s%s; %s", job, word, where, self)

    def __str__(self) -> str:
        text = f"{self.done} done, {len(self.failed)} failed, {self.left} left"
        if not self.left or not self._seconds:
            return text
        mean = sum(self._seconds) / len(self._seconds)
        return f"{text}, about {_clock(mean * self.left / self.workers)}"


def _clock(seconds: float) -> str:
    """Formats seconds as hours, minutes and seconds: 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
