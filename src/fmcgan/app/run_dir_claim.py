"""Claims a run folder before Hydra writes into it: makes it, locks it, and refuses earlier runs and links.

A refused start changes no earlier run and leaves no new folder.
"""

import contextlib
import itertools
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from fmcgan.app import checks, run_dir, run_lock
from fmcgan.app.distributed import Meeting, check_launch, is_launched_from_outside, is_nonzero_rank, rank
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import quoted
from fmcgan.app.workers import share_cores

_BEFORE_TRAINING = {run_dir.HYDRA, run_dir.TRAIN_LOG, run_dir.MULTIRUN, run_dir.LOCK}
_BEFORE_TRAINING |= {run_dir.CONFIG, run_dir.ENVIRONMENT, run_dir.TRACKERS, *run_dir.LOGGERS}
"""Files that a run writes before there are results."""

_CHECKPOINTING = "fmcgan.callback.checkpointing.Checkpointing"
_MIN_FREE_BYTES = 1_000_000  # the size of a small checkpoint
_created: list[Path] = []
"""Folders that this process made for its run or sweep, the innermost first."""


class ClaimRunDir(Callback):
    """Hydra callback that claims the folder of a run or a sweep.

    Args:
        launch_timeout: seconds that the processes of srun or torchrun wait for each other when they start.
    """

    sweep_dir: Path | None = None  # of this process's sweep, if it runs one

    def __init__(self, launch_timeout: float = 300.0) -> None:
        self._launch_timeout = launch_timeout

    def on_run_start(self, config: DictConfig, **kwargs: object) -> None:
        """Makes and locks the folder of a single run. Ends the process if it belongs to another run."""
        with _exit_on_error():
            devices = [OmegaConf.select(config, f"trainer.{key}", default=1) for key in ("devices", "num_nodes")]
            if is_launched_from_outside(*devices):
                check_launch(*devices)
                checks.number(minimum=1, **{"hydra.callbacks.claim_run_dir.launch_timeout": self._launch_timeout})
                meeting = Meeting(self._launch_timeout)
                if is_nonzero_rank(*devices):
                    _join(config, meeting.folder())
                else:
                    meeting.wait_for_all()
                    with _refusal_announced(meeting):
                        meeting.announce(self._claim(config))
            elif not is_nonzero_rank(*devices):  # rank 0 has claimed it
                self._claim(config)
            else:
                run_dir.refuse_links(Path(config.hydra.run.dir), *run_dir.WRITTEN)

    def _claim(self, config: DictConfig) -> Path:
        run_dir.refuse_links(Path(config.hydra.run.dir), *run_dir.WRITTEN)
        folder = _create(config.hydra.run)
        run_lock.lock(folder)
        _check_space(folder)
        refuse_overwriting(folder, OmegaConf.select(config, "ckpt_path"))
        return folder

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:
        """Makes the folder of a sweep. Each job locks its own folder."""
        sweep = Path(config.hydra.sweep.dir)
        with _exit_on_error():
            for folder in (sweep, *sweep.glob("*/")):
                run_dir.refuse_links(folder, *run_dir.WRITTEN)
            folder = _create(config.hydra.sweep)
            _check_space(folder)
            share_cores(config)
        given = [each for each in config.hydra.overrides.hydra if not each.startswith("hydra.sweep.dir=")]
        with open_dict(config):  # each job composes its own configuration
            config.hydra.overrides.hydra = [*given, f"hydra.sweep.dir={quoted(str(folder))}"]
        ClaimRunDir.sweep_dir = folder.absolute()


def refuse_overwriting(folder: Path, checkpoint: str | None) -> None:
    """Refuses a folder that `holds_run`, unless that run is resumed from `checkpoint`."""
    if checkpoint is not None and Path(checkpoint).resolve().parent.parent == folder.resolve():
        return
    if holds_run(folder):
        where = os.path.relpath(folder)
        resume = shlex.quote(f"ckpt_path={quoted(f'{where}/{run_dir.LAST_CHECKPOINT}')}")
        can_resume = (folder / run_dir.LAST_CHECKPOINT).is_file()
        how = f"{resume} resumes it (a finished run needs a larger trainer.max_epochs); " if can_resume else ""
        raise UserError(f"{where} already holds a run. {how}another hydra.run.dir starts a new run")


def holds_run(folder: Path) -> bool:
    """Whether a new run in this folder would destroy a result, a checkpoint, or metrics that nothing else records."""
    if (folder / run_dir.RESULT).exists() or any((folder / run_dir.CHECKPOINTS).glob("*.ckpt")):
        return True
    metrics = folder / run_dir.METRICS_JSONL
    return metrics.is_file() and metrics.stat().st_size > 0 and not _saves_checkpoints(folder)


def release(failed: bool) -> None:
    """Unlocks all folders of this process. After a failure before training, removes the folders that it made."""
    if failed and _created and not _names(_created[0]) - _BEFORE_TRAINING:
        for handler in logging.root.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        for name in _names(_created[0]) - {run_dir.LOCK}:
            path = _created[0] / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    run_lock.unlock_all()
    if failed:
        with contextlib.suppress(OSError):  # a folder is removed only if empty
            for folder in _created:
                folder.rmdir()
    _created.clear()


def keep_files() -> None:
    """Makes `release` remove nothing, to preserve the log of an unexpected error."""
    _created.clear()


def _saves_checkpoints(folder: Path) -> bool:
    for config in (folder / run_dir.CONFIG, folder / run_dir.HYDRA / "config.yaml"):
        with contextlib.suppress(OSError, ValueError):
            return _CHECKPOINTING in config.read_text(encoding="utf-8")
    return False


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _MIN_FREE_BYTES:
        raise UserError(
            f"{os.path.relpath(folder)} cannot hold a run: its disk has {free / 1e3:.0f} kB free,"
            f" {_MIN_FREE_BYTES / 1e3:,.0f} kB are needed. Free some space, or choose a folder on another disk"
        )


def _create(node: DictConfig) -> Path:
    """Makes the folder ``node.dir``. A name from the clock gets a number if it is taken."""
    wanted = Path(node.dir)
    from_clock = "${now:" in str(node._get_node("dir"))
    missing = [folder for folder in (wanted, *wanted.parents) if not folder.exists()]
    folder = wanted
    for number in itertools.count(2):
        try:
            folder.mkdir(parents=True, exist_ok=not from_clock)
            break
        except FileExistsError:
            if not from_clock:
                raise
            folder = wanted.with_name(f"{wanted.name}_{number}")
    with open_dict(node):
        node.dir = str(folder)
    _created[:] = [folder, *missing[1:]] if from_clock else missing
    return folder


def _join(config: DictConfig, folder: Path) -> None:
    """Lets a process of another rank log into the run folder, beside the files of rank 0."""
    run_dir.refuse_links(folder, *run_dir.WRITTEN)
    with open_dict(config):
        config.hydra.run.dir = str(folder)
        config.hydra.output_subdir = None
        config.hydra.job.name = f"{config.hydra.job.name}_rank_{rank()}"


@contextlib.contextmanager
def _refusal_announced(meeting: Meeting) -> Iterator[None]:
    try:
        yield
    except BaseException:
        meeting.announce(None)
        raise


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


@contextlib.contextmanager
def _exit_on_error() -> Iterator[None]:
    """Ends the process with one line: Hydra turns all other exceptions of a callback into warnings."""
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
