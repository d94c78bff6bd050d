"""Jobs of a sweep in worker processes, which a launcher (joblib, submitit, Ray) starts in place of Hydra's own.

The main process composes the sweep and starts the launcher. A worker imports the task by its name and has not been
through `run_command`.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import FrameType

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import DictConfig, OmegaConf

from fmcgan.app.extras import require_extra
from fmcgan.app.overrides import parse
from fmcgan.app.process import stop_signals
from fmcgan.app.run_lock import owner

LAUNCHERS = {
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "submitit_slurm": "hydra_plugins.hydra_submitit_launcher",
    "ray": "hydra_plugins.hydra_ray_launcher",
}
"""Package of each launcher by its option of ``hydra/launcher=``."""

_SAVE_SECONDS = 60.0  # a batch, and a checkpoint of it on a slow disk
_THREADS = "OMP_NUM_THREADS"  # read by torch and by the libraries of numpy when they are loaded


def require_launcher(option: object) -> None:
    """Checks that the package of a launcher is installed. Raises `UserError` with the extra that has it."""
    if option in LAUNCHERS:
        extra = "ray" if option == "ray" else "launchers"
        require_extra(extra, f"hydra/launcher={option}", LAUNCHERS[str(option)])


def share_cores(config: DictConfig) -> None:
    """Gives each worker on this machine its share of the cores, unless the user has set ``OMP_NUM_THREADS``.

    Ray and SLURM assign cores themselves; `prepare_worker` reads those of SLURM.

    Args:
        config: of the sweep, in its main process before the launcher starts.
    """
    kind = str(OmegaConf.select(config, "hydra.launcher._target_")).rpartition(".")[2]
    if kind not in ("JoblibLauncher", "LocalLauncher"):
        return
    launcher, cores = config.hydra.launcher, available_cores()
    workers = _jobs_at_once(config)
    if kind == "JoblibLauncher":
        limit = launcher.n_jobs
        workers = min(workers, limit if limit > 0 else max(1, cores + 1 + limit))  # -1: all cores
    threads = launcher.get("cpus_per_task") or max(1, cores // workers)
    os.environ.setdefault(_THREADS, str(threads))


def available_cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _jobs_at_once(config: DictConfig) -> int:
    """Returns how many jobs the sweeper hands to the launcher at once."""
    sweeper = config.hydra.sweeper
    if not str(sweeper._target_).endswith(".BasicSweeper"):
        return int(sweeper.get("n_jobs") or 1)
    given = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    overrides = [parse(str(text)) for text in [*given, *config.hydra.overrides.task]]
    return len(BasicSweeper.split_arguments(overrides, sweeper.max_batch_size)[0])


def prepare_worker(stop: Callable[[int, FrameType | None], object]) -> None:
    """Gives a worker the signal handlers of a command, and its cores to torch. Called before each job.

    Args:
        stop: handles SIGINT, SIGTERM and SIGHUP until the training does. Launchers ignore them, or end the process.
    """
    if threading.current_thread() is threading.main_thread():
        for number in stop_signals():
            signal.signal(number, stop)
    if cores := os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE"):
        os.environ.setdefault(_THREADS, cores)


def requeue() -> None:
    """Lets submitit put a job back into the queue that was stopped by its signal, SIGUSR2 unless changed.

    Call it when the checkpoint is saved. It ends the process, or raises submitit's error if the job has no retries.
    """
    handler = signal.getsignal(signal.SIGUSR2)
    if callable(handler):
        handler(signal.SIGUSR2, None)


def stop_workers(sweep: Path) -> None:
    """Sends SIGTERM to the workers of this session on this machine, and waits until they have saved checkpoints.

    Jobs on other machines, and those of SLURM, continue: only their scheduler can stop them.
    """
    running = {job: process for job in sweep.glob("*/") if (process := _worker(job)) is not None}
    for process in running.values():
        os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + _SAVE_SECONDS
    while time.monotonic() < deadline and any(_worker(job) == process for job, process in running.items()):
        time.sleep(0.05)


def _worker(job: Path) -> int | None:
    """Returns the process that writes into a job's folder, if this session started it."""
    process = owner(job)
    try:
        ours = process not in (None, os.getpid()) and os.getsid(process or 0) == os.getsid(0)
    except OSError:  # it has ended
        return None
    return process if ours else None


def lost_job(error: BaseException) -> str | None:
    """Returns a message for a launcher's error about a worker that ended without a result; ``None`` for others."""
    if not (isinstance(error, BrokenProcessPool) or type(error).__module__.partition(".")[0] in ("submitit", "ray")):
        return None
    reason = " ".join(str(error).split())[:300]
    return (
        f"the launcher lost a job, which may have been killed or have run out of memory or time ({reason})."
        " The same command and hydra.sweep.dir continue the sweep: finished jobs are skipped, interrupted ones resumed"
    )
