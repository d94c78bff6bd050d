"""The trainings of the study: each arm with each seed, a few side by side, each a process of its own.

A job is ``python -m fmcgan.train -m`` with one seed, in a sweep folder of its arm: so the program itself skips what is
finished, goes on from the checkpoint of what was interrupted, and refuses to mix runs of another budget with these.
Two jobs of one thread each use two cores better than one job of two threads; why that does not change a result is
said in `study.budget`.
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
from study.arms import folder_name
from study.budget import Speeds, epochs_and_batches

log = logging.getLogger("study.run")

PAUSE = 0.5
"""Seconds between two looks at what runs."""

PROTOCOL = (
    "callback.evaluation.every_n_epochs=10",  # the last epoch is always scored
    "callback.samples.epochs=null",  # which some recipes set
    "callback.samples.every_n_epochs=5",
    "metric=[frechet,gan_test,class_frechet,manifold]",
)


class Process(Protocol):
    """What is asked of a running job; `subprocess.Popen` has it."""

    def poll(self) -> int | None:
        """The exit code, None while it runs."""

    def wait(self) -> int:
        """The exit code, when it is there."""

    def terminate(self) -> None:
        """Asks it to save and end."""


@dataclass(frozen=True)
class Job:
    """One training.

    Args:
        arm: name of the experiment.
        seed: of the run.
        folder: of the run.
        images: that it is to see.
        overrides: of ``python -m fmcgan.train -m``.
    """

    arm: str
    seed: int
    folder: Path
    images: int
    overrides: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, now or at an earlier start."""
        return (self.folder / run_dir.RESULT).is_file()

    @property
    def output(self) -> Path:
        """The file that takes what the process says."""
        return self.folder.with_suffix(".log")

    @property
    def last_word(self) -> str:
        """What it said of its end."""
        return last_word(self.output.read_text(encoding="utf-8", errors="replace") if self.output.is_file() else "")

    def __str__(self) -> str:
        return f"{self.arm} seed {self.seed}"


def planned(
    arms: Sequence[str], seeds: Sequence[int], speeds: Speeds, folder: Path, accelerator: str = "cpu"
) -> list[Job]:
    """All jobs: every arm with the first seed, then every arm with the second, ...: so the table fills evenly.

    Args:
        arms: names of experiments, each of which has a speed.
        seeds: of the runs.
        speeds: what `study.speed` measured.
        folder: of the study.
        accelerator: of the Trainer.
    """
    return [_job(arm, seed, speeds, folder, accelerator) for seed in seeds for arm in arms]


def _job(arm: str, seed: int, speeds: Speeds, folder: Path, accelerator: str) -> Job:
    measured, place, name = speeds[arm], folder / folder_name(arm), f"seed_{seed}"
    epochs, batches = epochs_and_batches(measured["budget"], measured["batch_size"])
    quoted = str(place).replace("\\", "\\\\").replace("'", "\\'")
    overrides = (
        f"experiment={arm}",
        f"seed={seed}",
        f"trainer.max_epochs={epochs}",
        f"trainer.limit_train_batches={batches}",
        f"trainer.precision={measured['precision']}",
        f"trainer.accelerator={accelerator}",
        *PROTOCOL,
        f"hydra.sweep.dir='{quoted}'",
        f"hydra.sweep.subdir={name}",
    )
    return Job(arm, seed, place / name, epochs * batches * measured["batch_size"], overrides)


def launch(job: Job, threads: int | None) -> Process:
    """Starts a job; what it says goes into `Job.output`.

    It has a session of its own, so that Ctrl-C in the terminal reaches it once, through `sweep`: at a second signal a
    training stops without saving.

    Args:
        job: which.
        threads: how many it may use; ``None`` leaves that to it.
    """
    job.output.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    command = [sys.executable, "-m", "fmcgan.train", "-m", *job.overrides]
    with job.output.open("a") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )


def last_word(said: str) -> str:
    """The last error that a command told, or else the last line of what it said."""
    lines = said.replace("\r", "\n").strip().splitlines() or ["nothing"]
    return next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1]).removeprefix("error: ")


def sweep(
    jobs: Sequence[Job],
    workers: int,
    start: Callable[[Job], Process],
    failing: Callable[[Job], None] = lambda job: None,
) -> list[Job]:
    """Runs all jobs, so many side by side. One that fails does not stop the others.

    Whatever ends this early (Ctrl-C) is passed on when all running jobs have been asked to stop and have ended.

    Args:
        jobs: in the order of their turns.
        workers: how many at once.
        start: starts a job.
        failing: is told of each job that fails, at once.

    Returns:
        The jobs that failed.
    """
    waiting, tally = deque(jobs), _Tally(len(jobs), workers)
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
                        failing(job)
    finally:
        processes = [process for process, _, _ in running.values()]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    return tally.failed


class _Tally:
    """Counts and says what is done, what failed, what is left and how long that will take.

    Args:
        jobs: how many there are.
        workers: how many run at once.
    """

    def __init__(self, jobs: int, workers: int) -> None:
        self.left = jobs
        self.workers = workers
        self.done = 0
        self.failed: list[Job] = []
        self._seconds: list[float] = []

    def note(self, job: Job, success: bool, seconds: float, before: bool) -> None:
        """A job has ended; the time of one that was finished before says nothing of the others'."""
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
    """Hours, minutes and seconds: 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
