"""Finds and reads run folders."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmcgan.app import run_dir
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.run_files import Record, read_config, read_metrics, read_overrides, read_result
from fmcgan.data.garments import info_of
from fmcgan.data.info import DatasetInfo

Row = dict[str, float]

_RUN_FILES = (run_dir.CONFIG, run_dir.METRICS_JSONL, run_dir.RESULT, run_dir.TRAIN_LOG)
_RESULT_DEFAULTS: dict[str, object] = {
    "hardware": "not known",
    "command": "not known",
    "images_per_second": None,
    "final": {},
    "parameters": {},
}
"""Values of keys that a result lacks."""


@dataclass(frozen=True)
class Run:
    """Contents of a run folder.

    Args:
        overrides: of the command line, in the order typed, such as ``("loss=wgan_gp", "seed=0")``.
        seed: from the result or the configuration; None if neither exists.
        rows: of ``metrics.jsonl``, in the order written.
        result: of ``result.json``; None unless the run reached its configured end.
        info: of the data set; None for older runs, which do not name it: its images are like Fashion-MNIST's.
        pruned: whether a search stopped the run.
        config: of ``config.yaml``; empty if there is none.
    """

    folder: Path
    overrides: tuple[str, ...]
    seed: int | None
    rows: tuple[Row, ...]
    result: Mapping[str, Any] | None
    info: DatasetInfo | None = None
    pruned: bool = False
    config: Record = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether the run reached its configured end."""
        return self.result is not None

    @property
    def status(self) -> str:
        """``finished``, ``pruned`` or ``not finished``."""
        return "finished" if self.finished else "pruned" if self.pruned else "not finished"

    @cached_property
    def evaluations(self) -> tuple[Row, ...]:
        """Rows with metrics, including the final metrics of ``result.json``."""
        found = [row for row in self.rows if any(key.startswith("score/") for key in row)]
        if self.result is not None and (not found or found[-1]["images_seen"] < self.result["images_seen"]):
            scores = {f"score/{name}": _number(score["value"]) for name, score in self.result["scores"].items()}
            if scores:
                clock = {"images_seen": self.result["images_seen"], "seconds": self.result["training_seconds"]}
                found.append(clock | scores)
        return tuple(found)

    @property
    def images_seen(self) -> int:
        """Images seen at the last row or the result, whichever is more; 0 without either."""
        return int(self._last("images_seen", "images_seen"))

    @property
    def seconds(self) -> float:
        """Training seconds at the last row or the result, whichever is more; both are rounded."""
        return self._last("seconds", "training_seconds")

    def length(self, clock: str) -> float:
        """Returns the length of the run in ``images_seen`` or ``seconds``."""
        return self.seconds if clock == "seconds" else self.images_seen

    def loss_formula(self, network: str) -> Record:
        """Returns the options that define the loss of ``generator`` or ``discriminator``, with all its terms."""
        discriminator = (self.config.get("network") or {}).get("discriminator") or {}
        auxiliary = (discriminator.get("conditioning") or {}).get("weight")  # of the cross-entropy of an AC-GAN
        terms = ("loss",) if network == "generator" else ("loss", "penalty", "regularizer")
        return {"auxiliary": auxiliary} | {term: self.config.get(term) for term in terms}

    def curve(self, key: str, clock: str = "images_seen") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns ``images_seen`` or ``seconds`` [N] and the values [N] of a key, of the rows that have the key."""
        rows = self.evaluations if key.startswith("score/") else self.rows
        known = [(row[clock], row[key]) for row in rows if key in row]
        x, y = np.array(known, dtype=np.float64).reshape(-1, 2).T
        return x, y

    def _last(self, row_key: str, result_key: str) -> float:
        in_rows = self.rows[-1][row_key] if self.rows else 0.0
        return max(in_rows, self.result[result_key]) if self.result is not None else in_rows


def read_run(folder: Path) -> Run:
    """Reads a run folder; missing files of a failed or unfinished run are empty or None.

    Raises:
        UserError: the folder is not a run folder, or a file in it cannot be read.
    """
    if not _is_run(folder):
        raise UserError(f"{folder} is not a run folder: it has none of {', '.join(_RUN_FILES)}")
    config = read_config(folder / run_dir.CONFIG) or {}
    result = read_result(folder / run_dir.RESULT)
    if result is not None and result["status"] != "finished":
        result = None
    rows = read_metrics(folder / run_dir.METRICS_JSONL)
    return Run(
        folder=folder,
        overrides=tuple(read_overrides(folder / run_dir.HYDRA_OVERRIDES)),
        seed=(result or config).get("seed"),
        rows=tuple({key: _number(value) for key, value in row.items()} for row in rows),
        result=None if result is None else _RESULT_DEFAULTS | result,
        info=_info(folder, result, config),
        pruned=run_dir.is_pruned(folder),
        config=config,
    )


def _info(folder: Path, *records: Record | None) -> DatasetInfo | None:
    """Returns the data set of a run, from the first of its records that names it."""
    try:
        return next((info_of(each) for each in records if each and each.get("dataset")), None)
    except InvalidValueError as error:
        raise UserError(f"{folder}: {error}; leave this run out") from error


def find_runs(path: Path) -> list[Path]:
    """Finds the run folders at or below a folder; numbers in their names are sorted as numbers.

    Raises:
        UserError: there is no such folder, or no run in it.
    """
    if not path.is_dir():
        raise UserError(f"there is no folder {path}; give a run folder or a folder above several run folders")
    found = _runs_below(path)
    if not found:
        raise UserError(
            f"no run found in {path}; give a run folder (with {run_dir.METRICS_JSONL}) "
            "or a folder above several run folders"
        )
    return found


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _RUN_FILES)


def _runs_below(folder: Path) -> list[Path]:
    if _is_run(folder):
        return [folder]
    below = [child for child in folder.iterdir() if child.is_dir() and not child.is_symlink()]
    seen = [child for child in below if not child.name.startswith(".")]
    return [run for child in sorted(seen, key=_by_number) for run in _runs_below(child)]


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sorts ``2_loss-a`` before ``10_loss-a``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]+)", path.name)]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
