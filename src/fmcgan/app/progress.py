"""Progress of long operations: a bar in a terminal, occasional lines in a log, both with the remaining time."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

FIRST_SEC, EVERY_SEC = 10, 60
"""Without a terminal: seconds until the first line, and between lines."""


@contextmanager
def progress_bar(*items: Any, **options: Any) -> Iterator["tqdm[Any]"]:
    """Opens a bar of tqdm. While it is open, log lines for the terminal appear above it instead of within it.

    Args:
        items: at most one iterable, whose items the bar yields.
        options: of `tqdm.tqdm`.
    """
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    with tqdm(*items, **options) as bar, nullcontext() if bar.disable else logging_redirect_tqdm():
        yield bar


class Progress:
    """Context manager that shows the progress of an operation.

    Args:
        total: number of items; ``None`` if unknown.
        what: the items, such as ``images``, or ``bytes``.
        name: shown in front of the bar or the line.
    """

    def __init__(self, total: int | None, what: str, name: str = "") -> None:
        layout = "{desc}{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} " + what + ", {rate_fmt}, {remaining} left"
        unit = "B" if what == "bytes" else f" {what}"
        options = {"total": total, "unit": unit, "unit_scale": True, "bar_format": layout, "desc": name}
        self._open = ExitStack()  # disable=None: only in a terminal
        self._bar = self._open.enter_context(progress_bar(dynamic_ncols=True, disable=None, **options))
        self._total, self._what, self._name = total, what, name
        self._done = 0
        self._start = time.monotonic()
        self._next = self._start + FIRST_SEC

    def __enter__(self) -> Self:
        """Returns itself. The time is measured from the construction."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the bar and leaves it visible."""
        self._open.close()

    def update(self, n: int) -> None:
        """Adds ``n`` finished items."""
        self._done += n
        self._bar.update(n)
        now = time.monotonic()
        if self._bar.disable and now >= self._next:
            self._next = now + EVERY_SEC
            log.info(self._line(now - self._start))

    def _line(self, seconds: float) -> str:
        done = f"{self._name}{' ' * bool(self._name)}{self._done:,}"
        if self._total is None:
            return f"{done} {self._what}"
        left = seconds * (self._total - self._done) / max(self._done, 1)
        return f"{done} of {self._total:,} {self._what}, about {format_duration(left)} left"


@contextmanager
def epoch_progress(name: str, total: int, epochs_between_lines: int) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar with the time left in a terminal, else logs a line every few epochs.

    Yields a function to call after each epoch, with the numbers of epochs done and of all epochs.
    """
    from tqdm import tqdm

    start = time.monotonic()
    with progress_bar(desc=name, total=total, unit=" epochs", disable=None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.update()
            if bar.disable and done % epochs_between_lines == 0 and done < total:
                left = tqdm.format_interval((time.monotonic() - start) / done * (total - done))
                log.info("%s: epoch %d of %d, %s left", name, done, total, left)

        yield progress


def format_duration(seconds: float) -> str:
    """Formats seconds: ``12 s``, ``3 min``, ``5.2 hours``, ``4.1 days``."""
    for unit, name in ((86400 * 365, "years"), (86400, "days"), (3600, "hours")):
        if seconds >= unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
