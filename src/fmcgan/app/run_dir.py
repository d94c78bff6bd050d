"""Names of the files in a run folder, and safe ways to write them. Every module may import this one."""

import contextlib
import json
import os
from pathlib import Path

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import decodable

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
METRICS_JSONL = "metrics.jsonl"
METRICS_CSV = "metrics.csv"
EPOCHS_CSV = "epochs.csv"
RESULT = "result.json"  # written last, by a finished run
ERROR = "error.json"  # written by a failed or pruned job of a sweep; a killed run leaves neither
EVALUATION = "evaluation.json"
OUTPUTS = "outputs"  # usual folder of the runs, in the current folder
HOME = "index.html"  # of a run: its samples, curves, scores and links; of outputs/: the list of runs
TENSORBOARD = "tensorboard"
WANDB = "wandb"
LOGGERS = (TENSORBOARD, "csv", WANDB)  # folders of loggers
TRACKERS = "trackers.json"  # the ids that a resumed run continues
SAMPLES = "samples"
REAL_IMAGES = "real.png"  # a grid of training images, to compare samples with
CHECKPOINTS = "checkpoints"
LAST_CHECKPOINT = f"{CHECKPOINTS}/last.ckpt"
BEST_CHECKPOINT = f"{CHECKPOINTS}/best.ckpt"
UNFINISHED = ".unfinished-"  # in the name of a file being written; leftovers can be deleted
LOSS_FIGURE = "loss.png"
GRADIENT_NORM_FIGURE = "grad_norm.png"
HYDRA = ".hydra"
HYDRA_OVERRIDES = f"{HYDRA}/overrides.yaml"
TRAIN_LOG = "train.log"  # written first, so that a run that failed at once is found too
MULTIRUN = "multirun.yaml"
LOCK = ".lock"
PRECISION = ".precision.json"  # of a sweep: what trainer.precision=auto is for its jobs
PRECISION_LOCK = ".precision.lock"
COMPARISON = "comparison"
WRITTEN = (
    *(CONFIG, ENVIRONMENT, METRICS_JSONL, METRICS_CSV, EPOCHS_CSV, RESULT, ERROR, LOSS_FIGURE, GRADIENT_NORM_FIGURE),
    *(HOME, HYDRA, TRAIN_LOG, MULTIRUN, LOCK, PRECISION, PRECISION_LOCK, *LOGGERS, TRACKERS, SAMPLES, CHECKPOINTS),
    REAL_IMAGES,
)
"""What a training run, or a sweep, writes into its folder."""


def run_name(folder: Path) -> str:
    """Returns the path of a run folder below ``outputs``; elsewhere, the name of the folder."""
    _, is_below, name = folder.resolve().as_posix().rpartition(f"/{OUTPUTS}/")
    return name if is_below else folder.resolve().name


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes text (UTF-8) or bytes atomically: first beside the final name, then renamed.

    If the folder cannot be written or the disk is full, removes the unfinished file and raises `UserError`.
    """
    data = decodable(content).encode() if isinstance(content, str) else content
    unfinished = path.with_name(f"{path.name}{UNFINISHED}{os.getpid()}")
    try:
        unfinished.unlink(missing_ok=True)
        with unfinished.open("xb") as file:  # "x" never follows an existing link
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        _remove(unfinished)
        if not isinstance(error, OSError):
            raise
        unchanged = " The earlier file of that name is unchanged." if path.exists() else ""
        size = f"{len(data) / 1e6:.1f} MB"
        raise UserError(f"cannot write {path} ({size}): {error.strerror or error}.{unchanged}") from error


def append_line(path: Path, line: str) -> None:
    """Appends a line to a file. Raises `UserError` if the file cannot be written or the disk is full."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(decodable(line) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, content: object) -> None:
    """Writes JSON atomically, indented, keys in the given order. Raises `ValueError` for NaN and infinity."""
    write_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def remove_unfinished(folder: Path) -> None:
    """Removes the unfinished files that a killed run left in its folder."""
    for name in (*WRITTEN, f"{CHECKPOINTS}/*", f"{SAMPLES}/*"):
        for leftover in folder.glob(f"{name}{UNFINISHED}*"):
            _remove(leftover)


def is_pruned(folder: Path) -> bool:
    """Whether a search stopped the run in this folder before its end."""
    try:
        found = json.loads((folder / ERROR).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("status") == "pruned"


def refuse_links(folder: Path, *names: str) -> None:
    """Refuses links that lead out of an untrusted folder, which itself may be a link.

    Args:
        folder: such as a run folder.
        names: entries to be written; folders are searched.

    Raises:
        UserError: names the link and its target.
    """
    inside = folder.resolve()
    for entry in map(folder.joinpath, names):
        is_searched = entry.is_dir() and not entry.is_symlink() and entry.name != WANDB  # which has links of its own
        below = entry.rglob("*") if is_searched else ()
        for path in (entry, *below):
            if path.is_symlink() and not (target := Path(os.path.realpath(path))).is_relative_to(inside):
                raise UserError(
                    f"{os.path.relpath(path)} is a link to {target}, out of {os.path.relpath(folder)}; nothing is"
                    " written through such links. Remove the link, or choose another folder"
                )


def _remove(unfinished: Path) -> None:
    with contextlib.suppress(OSError):  # its folder may be gone; the earlier error is reported
        unfinished.unlink(missing_ok=True)
