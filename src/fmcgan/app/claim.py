"""The folder of a run before Hydra writes into it: its own name, its lock, and no earlier run in it.

A refused start leaves an earlier run as it was, and no new folder.
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
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from fmcgan.app import ranks, run_dir, run_lock
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import quoted

log = logging.getLogger(__name__)

_BEFORE_TRAINING = {run_dir.HYDRA, run_dir.TRAIN_LOG, run_dir.MULTIRUN, run_dir.LOCK}
_BEFORE_TRAINING |= {run_dir.CONFIG, run_dir.ENVIRONMENT, run_dir.TENSORBOARD}
"""What is written before there is anything worth keeping."""

_KEEPS_CHECKPOINTS = "fmcgan.callback.checkpointing.Checkpointing"
_NEEDED = 1_000_000  # bytes: a small checkpoint is as large
_made: list[Path] = []
"""Folders that this process has made for its run or sweep, the innermost first."""


class Claim(Callback):
    """Hydra callback that takes possession of the folder of a run or a sweep."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Names and locks the folder of a single run; ends the process if it is another run's."""
        if ranks.is_other_rank(OmegaConf.select(config, "trainer.devices")):
            return  # the first process has claimed it for all
        with _or_exit():
            folder = _make(config.hydra.run)
            run_lock.lock(folder)
            _check_space(folder)
            check_folder(folder, OmegaConf.select(config, "ckpt_path"))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Names the folder of a sweep; its jobs are locked one by one."""
        with _or_exit():
            folder = _make(config.hydra.sweep)
            _check_space(folder)
            typed = [each for each in config.hydra.overrides.hydra if not each.startswith("hydra.sweep.dir=")]
            with open_dict(config):  # the jobs' configurations are composed anew
                config.hydra.overrides.hydra = [*typed, f"hydra.sweep.dir={quoted(str(folder))}"]


def check_folder(folder: Path, checkpoint: str | None) -> None:
    """Refuses to write one run over another.

    Rows of a run that was stopped before its first checkpoint are not kept: nothing can resume them.

    Raises:
        UserError: the folder holds a run that is not resumed from `checkpoint`.
    """
    if checkpoint is not None and Path(checkpoint).resolve().parent.parent == folder.resolve():
        return
    where = os.path.relpath(folder)
    if holds_run(folder):
        checkpoint = shlex.quote(f"ckpt_path={quoted(f'{where}/{run_dir.LAST_CHECKPOINT}')}")
        resume = f"{checkpoint} resumes it (a larger trainer.max_epochs if it is finished)"
        how = f"{resume}; " if (folder / run_dir.LAST_CHECKPOINT).is_file() else ""
        raise UserError(f"{where} holds a run already. {how}another hydra.run.dir begins a new one")


def holds_run(folder: Path) -> bool:
    """Whether a new run in this folder would lose something: a result, a checkpoint, rows that are all there is."""
    if (folder / run_dir.RESULT).exists() or any((folder / run_dir.CHECKPOINTS).glob("*.ckpt")):
        return True
    rows = folder / run_dir.METRICS_JSONL
    return rows.is_file() and rows.stat().st_size > 0 and not _saves_checkpoints(folder)


def _saves_checkpoints(folder: Path) -> bool:
    """Whether the run of this folder would have saved one, had it come so far."""
    for config in (folder / run_dir.CONFIG, folder / run_dir.HYDRA / "config.yaml"):
        with contextlib.suppress(OSError, ValueError):
            return _KEEPS_CHECKPOINTS in config.read_text(encoding="utf-8")
    return False


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _NEEDED:
        raise UserError(f"{os.path.relpath(folder)} cannot hold a run: its disk has {free / 1e3:.0f} kB left")


def leave(failed: bool) -> None:
    """Frees what this process has locked; after a failure before training, removes the folders it made."""
    if failed and _made and not _names(_made[0]) - _BEFORE_TRAINING:
        for handler in logging.root.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
        for name in _names(_made[0]) - {run_dir.LOCK}:
            path = _made[0] / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    run_lock.unlock_all()
    if failed:
        with contextlib.suppress(OSError):  # one that is not empty stays
            for folder in _made:
                folder.rmdir()
    _made.clear()


def keep() -> None:
    """Lets `leave` remove nothing: the log of a fault of the program is worth reading."""
    _made.clear()


def _make(node: DictConfig) -> Path:
    """Makes the folder ``node.dir``; one that is named by the time gets another name if another process was faster."""
    asked = Path(node.dir)
    by_time = "${now:" in str(OmegaConf.to_container(node, resolve=False)["dir"])  # type: ignore[index, call-overload]
    missing = [folder for folder in (asked, *asked.parents) if not folder.exists()]
    for number in itertools.count(2):
        try:
            asked.mkdir(parents=True, exist_ok=not by_time)
            break
        except FileExistsError:
            if not by_time:
                raise
            asked = asked.with_name(f"{Path(node.dir).name}_{number}")
    with open_dict(node):
        node.dir = str(asked)
    _made[:] = [asked, *missing[1:]] if by_time else missing
    return asked


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir()}
    except OSError:
        return set()


@contextlib.contextmanager
def _or_exit() -> Iterator[None]:
    """Ends the process with one line: Hydra makes a warning of any other exception of a callback."""
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
