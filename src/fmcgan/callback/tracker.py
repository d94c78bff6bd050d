"""What loggers receive beside scalars, and loggers of services that may be out of reach."""

import logging
import os
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger
from numpy.typing import ArrayLike
from PIL.Image import Image

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_trackers

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
_MAX_UNSENT = 10_000  # calls; a row of metrics has some 2 kB, a grid of samples 80 kB


@runtime_checkable
class Tracker(Protocol):
    """A logger that receives more than scalars and hyper-parameters, which every Lightning logger receives.

    `trackers_of` finds trackers by these methods, so a user's own logger may be one.
    """

    def drop_after(self, images_seen: int) -> None:
        """Removes or hides what an earlier session logged after the checkpoint that is resumed."""

    def add_config(
        self, params: Mapping[str, object], text: str, scores: Mapping[str, float], images_seen: int
    ) -> None:
        """Adds the configuration, flat and as YAML. `scores` names the final ones; `images_seen` is 0 in a new run."""

    def add_image(self, name: str, pixels: ArrayLike | Image, images_seen: int) -> None:
        """Adds an image, uint8, grey [H, W] or in colour [H, W, 3]."""

    def finish(self, files: Sequence[Path]) -> None:
        """Adds the files of a finished run and closes it. Nothing is logged afterwards."""


def trackers_of(trainer: Trainer) -> list[Tracker]:
    """Returns the loggers of a run that are trackers."""
    return [logger for logger in trainer.loggers if isinstance(logger, Tracker)]


class RemoteTracker(Logger):
    """Sends a run to a service through the service's Lightning logger, on rank 0.

    The run is opened before training, and an error then ends the command. Later errors do not: calls that fail are
    repeated in order, at most once a minute. A resumed run continues the run of its folder. Services cannot delete
    points, so rows between the last checkpoint and a kill appear twice.

    Args:
        service: as messages call it.
        save_dir: the run folder.
        run_name: of the run, or of its sweep; ``None``: the path of the folder.
    """

    def __init__(self, service: str, save_dir: str, run_name: str | None = None) -> None:
        super().__init__()
        self._service = service
        self._folder = Path(save_dir)
        self._run_name = os.path.relpath(self._folder)
        if run_name is not None:  # a job of a sweep has its own folder in that of the sweep
            self._run_name = run_name if self._folder.name == run_name else f"{run_name}/{self._folder.name}"
        self._logger: Any = None
        self._unsent: deque[Callable[[], object]] = deque(maxlen=_MAX_UNSENT)
        self._retry_at = 0.0
        self._warned = False

    @abstractmethod
    def _open(self, run_id: str | None) -> tuple[Any, str]:
        """Starts a run, or continues one; returns the service's logger and the id of the run."""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The service's own object. Lightning asks for it before training, which opens the run.

        Raises:
            UserError: the service cannot be reached or refuses the run.
        """
        if self._logger is None:
            path = self._folder / run_dir.TRACKERS
            ids = read_trackers(path) or {}
            is_resumed = any((self._folder / run_dir.CHECKPOINTS).glob("*.ckpt"))  # else this run replaces that one
            try:
                self._logger, run_id = self._open(ids.get(self._service) if is_resumed else None)
            except Exception as error:
                raise UserError(f"{self._service} cannot open a run: {_first_line(error)}") from error
            run_dir.write_json(path, ids | {self._service: run_id})
        return self._logger.experiment

    @property
    def name(self) -> str:
        """The service."""
        return self._service

    @property
    def version(self) -> None:
        """None: the file `run_dir.TRACKERS` has the id of the run."""

    def drop_after(self, images_seen: int) -> None:
        """Does nothing: services cannot delete points."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends scalars."""
        self._send(self._logger.log_metrics, dict(metrics), step)

    def log_hyperparams(self, params: Mapping[str, object]) -> None:
        """Sends hyper-parameters."""
        self._send(self._logger.log_hyperparams, dict(params))

    def add_config(
        self, params: Mapping[str, object], text: str, scores: Mapping[str, float], images_seen: int
    ) -> None:
        """Sends the configuration as that of the run."""
        self.log_hyperparams(params)

    def finalize(self, status: str) -> None:
        """Closes the run after a failure; `finish` closes a finished one."""
        if self._logger is not None and status != "success":
            self._retry_at = 0.0
            self._send(self._close, False)

    def finish(self, files: Sequence[Path]) -> None:
        """Sends the files and closes the run."""
        self._retry_at = 0.0
        self._send(self._add_files, [file for file in files if file.is_file()])
        self._send(self._close, True)
        if self._unsent:
            log.warning("%s did not receive the last %d entries", self._service, len(self._unsent))

    @abstractmethod
    def _add_files(self, files: Sequence[Path]) -> None:
        """Uploads files."""

    @abstractmethod
    def _close(self, success: bool) -> None:
        """Marks the run as finished or failed."""

    def _send(self, call: Callable[..., object], *values: object) -> None:
        self._unsent.append(partial(call, *values))
        if time.monotonic() < self._retry_at:
            return
        try:
            while self._unsent:
                self._unsent[0]()
                self._unsent.popleft()
        except Exception as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            if not self._warned:
                reason = _first_line(error)
                log.warning("%s: %s; training continues, and this is sent again later", self._service, reason)
                self._warned = True


def add_artifact(kind: Callable[[str, str], Any], run: Any, files: Sequence[Path]) -> None:
    """Uploads files as one artefact of a run of W&B, or of Trackio, which has the same interface.

    Args:
        kind: the service's class ``Artifact``.
        run: the service's own object.
        files: that exist.
    """
    artifact = kind(f"run-{run.id}", "run")
    for file in files:
        artifact.add_file(str(file))
    run.log_artifact(artifact)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().partition("\n")[0][:300]


def relative_to_here(value: Any) -> Any:
    """Shortens the paths in a text that lie in the working folder, so that no service learns where that is."""
    return value.replace(f"{Path.cwd()}{os.sep}", "") if isinstance(value, str) else value
