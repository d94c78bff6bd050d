"""TensorBoard's files of a run."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer import event_file_writer

from fmcgan.app.errors import UserError


class TensorBoard(TensorBoardLogger):
    """Lightning's logger that ends a run with one line where its files cannot be written, as all files of a run do.

    Of a resumed run, TensorBoard shows what was written up to its checkpoint and then what follows.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        threading.excepthook = _report_thread

    def drop_after(self, images_seen: int) -> None:
        """Makes TensorBoard forget what an earlier session wrote after its checkpoint."""
        with self._writing():
            start = SessionLog(status=SessionLog.START)  # drops what has this step or a later one
            self.experiment._get_file_writer().add_event(Event(session_log=start), images_seen + 1)

    def add_image(self, tag: str, grey: Any, images_seen: int) -> None:
        """Adds a grey image [H, W]."""
        with self._writing():
            self.experiment.add_image(tag, np.asarray(grey), images_seen, dataformats="HW")

    def add_text(self, tag: str, text: str) -> None:
        """Adds a text in Markdown."""
        with self._writing():
            self.experiment.add_text(tag, text)

    def log_metrics(self, *args: Any, **kwargs: Any) -> None:
        """Adds scalars."""
        with self._writing():
            super().log_metrics(*args, **kwargs)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Adds what HPARAMS shows."""
        with self._writing():
            super().log_hyperparams(*args, **kwargs)

    def save(self) -> None:
        """Writes what waits in memory."""
        with self._writing():
            super().save()

    def finalize(self, status: str) -> None:
        """Closes the files; after a failure, whose own line counts, in silence."""
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


def _report_thread(failed: Any) -> None:
    """Leaves an error of TensorBoard's own thread to the next write, which raises it again."""
    if not isinstance(failed.thread, event_file_writer._AsyncWriterThread):
        threading.__excepthook__(failed)
