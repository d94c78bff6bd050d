"""Progress of a training within an evaluation: a bar in a terminal, else log lines."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from fmcgan.app.progress import progress_bar

_log = logging.getLogger(__name__)


@contextmanager
def epoch_progress(name: str, total: int, epochs_between_lines: int) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar with the time left in a terminal, else logs a line every few epochs.

    Yields a function to call after each epoch, with the numbers of epochs done and of all epochs.
    """
    start = time.monotonic()
    with progress_bar(desc=name, total=total, unit=" epochs", disable=None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.update()
            if bar.disable and done % epochs_between_lines == 0 and done < total:
                left = tqdm.format_interval((time.monotonic() - start) / done * (total - done))
                _log.info("%s: epoch %d of %d, %s left", name, done, total, left)

        yield progress
