"""TensorBoard logger."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import ArrayLike
from PIL.Image import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer import event_file_writer

from fmcgan.app.errors import UserError


class TensorBoard(TensorBoardLogger):
    """Lightning's TensorBoard logger; raises a `UserError` if its files cannot be written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        threading.excepthook = _ignore_writer_thread

    def drop_after(self, images_seen: int) -> None:
        """Hides the entries that an earlier session wrote after its checkpoint."""
        with self._writing():
            start = SessionLog(status=SessionLog.START)  # hides entries from this step on
            self.experiment._get_file_writer().add_event(Event(session_log=start), images_seen + 1)

    def add_image(self, tag: str, image: ArrayLike | Image, images_seen: int) -> None:
        """Adds an image, grey [H, W] or in colour [H, W, 3]."""
        pixels = np.asarray(image)
        with self._writing():
            self.experiment.add_image(tag, pixels, images_seen, dataformats="HWC"[: pixels.ndim])

    def add_config(
        self, params: Mapping[str, object], text: str, scores: Mapping[str, float], images_seen: int
    ) -> None:
        """Adds the configuration as a text and as an entry of the HPARAMS tab, which a resumed run already has."""
        with self._writing():
            self.experiment.add_text("config", indent(text, "    "))  # an indented code block
        if images_seen == 0:
            self.log_hyperparams(dict(params), dict(scores) or None)

    def finish(self, files: Sequence[Path]) -> None:
        """Does nothing: the files are in the run folder."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds scalars."""
        with self._writing():
            super().log_metrics(metrics, step)

    def log_hyperparams(self, params: dict[str, object], metrics: dict[str, float] | None = None) -> None:
        """Adds an entry of the HPARAMS tab."""
        with self._writing():
            super().log_hyperparams(params, metrics)

    def save(self) -> None:
        """Flushes the files."""
        with self._writing():
            super().save()

    def finalize(self, status: str) -> None:
        """Closes the files; after a failure, ignores further errors."""
        with self._writing() if status == "success" else contextlib.suppress(Exception):
            super().finalize(status)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # Lightning wraps one into the other
            cause = error.__cause__ or error
            if not isinstance(cause, OSError):
                raise
            raise UserError(f"cannot write {Path(self.log_dir)}: {cause.strerror or cause}") from error


def _ignore_writer_thread(failed: threading.ExceptHookArgs) -> None:
    """Ignores errors of TensorBoard's writer thread, which the next write raises again."""
    if not isinstance(failed.thread, event_file_writer._AsyncWriterThread):
        threading.__excepthook__(failed)
