"""What a terminal shows after a program has written into it."""

import fcntl
import os
import re
import struct
import termios
import time
from collections.abc import Iterator

_PART = re.compile(r"\x1b\[A|\x1b\[\d*m|[\r\n]|.", re.DOTALL)


def set_columns(terminal: int, columns: int) -> None:
    """Sets the width of a pseudo-terminal."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))


def written_to(terminal: int, seconds: float = 120) -> str:
    """Reads all that is written into a pseudo-terminal until its other side is closed."""
    content, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux: the last process has closed it
            break
        if not part:
            break
        content += part
    return content.decode()


def screen(text: str, columns: int) -> list[str]:
    """Returns the lines on a screen of unlimited height: what a later character covers is gone.

    Knows carriage return, newline, cursor up and colours; a full line goes on in the next one.
    """
    lines: list[list[str]] = [[]]
    row = column = 0
    for part in _parts(text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
        elif part == "\x1b[A":
            row = max(row - 1, 0)
        else:
            if column == columns:
                row, column = row + 1, 0
            lines += [[] for _ in range(row + 1 - len(lines))]
            lines[row] += [" "] * (column + 1 - len(lines[row]))
            lines[row][column] = part
            column += 1
        lines += [[] for _ in range(row + 1 - len(lines))]
    return ["".join(line).rstrip() for line in lines]


def _parts(text: str) -> Iterator[str]:
    for found in _PART.finditer(text):
        if not found[0].endswith("m") or len(found[0]) == 1:
            yield found[0]
