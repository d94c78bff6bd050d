"""The names of the files in a run folder, and safe ways to write them. Any room may import this file."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import decodable

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
METRICS_JSONL = "metrics.jsonl"
METRICS_CSV = "metrics.csv"
EPOCHS_CSV = "epochs.csv"
RESULT = "result.json"
TENSORBOARD = "tensorboard"
SAMPLES = "samples"
CHECKPOINTS = "checkpoints"
LAST_CHECKPOINT = f"{CHECKPOINTS}/last.ckpt"
BEST_CHECKPOINT = f"{CHECKPOINTS}/best.ckpt"
UNFINISHED = ".unfinished-"
"""Stands in the name of a file that is being written; what a kill leaves of one can be thrown away."""
LOSS_FIGURE = "loss.png"
GRADIENT_NORM_FIGURE = "grad_norm.png"
HYDRA = ".hydra"
HYDRA_OVERRIDES = f"{HYDRA}/overrides.yaml"
TRAIN_LOG = "train.log"
"""Written by Hydra before anything else, so that also a run which failed at once is found."""
MULTIRUN = "multirun.yaml"
LOCK = ".lock"
COMPARISON = "comparison"
WRITTEN = (
    *(CONFIG, ENVIRONMENT, METRICS_JSONL, METRICS_CSV, EPOCHS_CSV, RESULT, LOSS_FIGURE, GRADIENT_NORM_FIGURE),
    *(HYDRA, TRAIN_LOG, MULTIRUN, LOCK, TENSORBOARD, SAMPLES, CHECKPOINTS),
)
"""What a training run, or a sweep, writes into its folder."""


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file so that its final name only ever holds the whole content, even if the process is killed.

    Args:
        path: the final name; the content is first written beside it and then renamed over it.
        content: text (UTF-8) or bytes.

    Raises:
        UserError: the folder cannot be written or the disk is full; the half-written file is removed.
    """
    data = decodable(content).encode() if isinstance(content, str) else content
    unfinished = path.with_name(f"{path.name}{UNFINISHED}{os.getpid()}")
    try:
        unfinished.unlink(missing_ok=True)
        with unfinished.open("xb") as file:  # never through a link that somebody left there
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        _remove(unfinished)
        untouched = " The earlier file of that name is untouched." if path.exists() else ""
        raise UserError(
            f"cannot write {path} ({len(data) / 1e6:.1f} MB): {error.strerror or error}.{untouched}"
        ) from error
    except BaseException:
        _remove(unfinished)
        raise


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file.

    Raises:
        UserError: the file cannot be written or the disk is full.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(decodable(line) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, content: Any) -> None:
    """Writes JSON atomically, indented, keys in the order given; NaN and infinity are refused (`ValueError`)."""
    write_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def remove_unfinished(folder: Path) -> None:
    """Removes what a kill has left of the files that a run was writing."""
    within = (f"{each}/*" for each in (CHECKPOINTS, SAMPLES))
    for name in (*WRITTEN, *within):
        for leftover in folder.glob(f"{name}{UNFINISHED}*"):
            _remove(leftover)


def _remove(unfinished: Path) -> None:
    with contextlib.suppress(OSError):  # its folder may be gone; the error that led here is the one to tell
        unfinished.unlink(missing_ok=True)
