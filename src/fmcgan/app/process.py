"""The process and its machine: command, processor, stopping signals, and streams and log files that never raise."""

import io
import logging
import os
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from fmcgan.app.escaping import visible

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BAR_MOVES = re.compile("\n*(\x1b\\[A)*")  # control characters that tqdm writes to move between bars


def stop_signals() -> list[int]:
    """Returns SIGINT, SIGTERM and SIGHUP (closed terminal), without those that ``nohup`` ignores."""
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    return [each for each in numbers if each == signal.SIGINT or signal.getsignal(each) != signal.SIG_IGN]


def requeue_signals() -> list[int]:
    """Returns SIGUSR2 if a launcher of jobs has set a handler, which puts the job back into its queue."""
    number = getattr(signal, "SIGUSR2", None)
    return [number] if number is not None and callable(signal.getsignal(number)) else []


def use_utf8() -> None:
    """Restarts the program in Python's UTF-8 mode if the locale has another encoding (``LANG=C``).

    Otherwise file names, and files that other libraries read and write, fail on the first character beyond ASCII.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1" and os.name == "posix":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def protect_streams() -> None:
    r"""Makes standard output and standard error ignore failed writes and escape control characters, as in ``\x1b``.

    Characters that the terminal's encoding lacks are escaped too. Streams that a notebook has replaced are unchanged.
    """
    logging.raiseExceptions = False
    for number in range(3):  # else the next opened file gets a closed descriptor, and C code prints into it
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None or stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _protected(stream, number))


def _protected(stream: TextIO | None, number: int) -> io.TextIOWrapper:
    if not isinstance(stream, io.TextIOWrapper):
        nowhere = io.BufferedWriter(_SafeFile(os.devnull, "w"))
        return _EscapingStream(nowhere, encoding="utf-8", errors="backslashreplace")
    with suppress(OSError):
        stream.flush()
    unbuffered = stream.line_buffering or stream.write_through
    raw = io.BufferedWriter(_SafeFile(number, "w", closefd=False))
    return _EscapingStream(raw, encoding=stream.encoding, errors="backslashreplace", line_buffering=unbuffered)


class _SafeFile(io.FileIO):
    """A file that ignores failed writes."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


class _EscapingStream(io.TextIOWrapper):
    """A text stream that escapes control characters, except those of a progress bar."""

    def write(self, text: str) -> int:
        lines = text if _BAR_MOVES.fullmatch(text) else "\r".join(map(visible, text.split("\r")))
        super().write(lines)
        return len(text)


class LogFile(logging.FileHandler):
    """A log file whose write errors do not end the run."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        """Formats a record and escapes control characters."""
        return visible(super().format(record))
