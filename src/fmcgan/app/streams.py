"""Messages never end a command: its standard streams, warnings and log files take whatever becomes of the reader."""

import io
import logging
import os
import re
import sys
from contextlib import suppress
from typing import Any

from fmcgan.app.escaping import visible

_BAR_MOVES = re.compile("\n*(\x1b\\[A)*")
"""What tqdm writes to move between bars."""


def use_utf8() -> None:
    """Starts the program again in Python's UTF-8 mode where the locale has another encoding (``LANG=C``).

    File names, and the files that other libraries read and write, would else fail on the first letter beyond ASCII.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1" and os.name == "posix":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def protect_streams() -> None:
    r"""Makes standard output and standard error accept everything: what cannot be written is dropped.

    A closed stream becomes an empty one; a full disk and a closed pipe are ignored; letters that the terminal's
    encoding lacks, and control characters, are written as in ``\x1b``. Streams that a notebook or a test has put in
    place stay as they are.
    """
    logging.raiseExceptions = False
    for number in range(3):  # else the next file that is opened would take the number, and get what C code prints
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream, original = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is None or stream is original:
            setattr(sys, name, _protected(stream, number))


def _protected(stream: Any, number: int) -> io.TextIOWrapper:
    if stream is None:
        return _Text(io.BufferedWriter(_Raw(os.devnull, "w")), encoding="utf-8", errors="backslashreplace")
    with suppress(OSError):
        stream.flush()
    at_once = stream.line_buffering or stream.write_through
    raw = io.BufferedWriter(_Raw(number, "w", closefd=False))
    return _Text(raw, encoding=stream.encoding, errors="backslashreplace", line_buffering=at_once)


class _Raw(io.FileIO):
    """A file whose writes do not fail."""

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return memoryview(data).nbytes if written is None else written


class _Text(io.TextIOWrapper):
    """Text without control characters, but those of a progress bar."""

    def write(self, text: str) -> int:
        lines = text if _BAR_MOVES.fullmatch(text) else "\r".join(map(visible, text.split("\r")))
        super().write(lines)
        return len(text)


class LogFile(logging.FileHandler):
    """A log file that is given up where it cannot be written, instead of the run."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, without control characters."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return visible(super().format(record))
