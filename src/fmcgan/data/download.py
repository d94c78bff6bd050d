"""Download of one file of known size, bounded in bytes and in time."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname, urlopen

from fmcgan.app.progress import Progress, format_duration

TIMEOUT_SEC = 30  # seconds without data after which a mirror counts as broken
SLOWEST = 20_000  # bytes per second below which a mirror counts as broken, after the first minute
_BLOCK = 1 << 16  # bytes at a time


def time_limit(size: int) -> float:
    """Returns the seconds that a download of ``size`` bytes may take."""
    return 2 * TIMEOUT_SEC + size / SLOWEST


def download(source: str, path: Path, size: int) -> str | None:
    """Copies ``source`` to ``path`` in a thread, which bounds the total time also for a slow mirror.

    Args:
        source: a ``file://`` or ``http(s)://`` address; urllib follows no redirection to a ``file://``.
        path: the file to write. `OSError` if it cannot be written.
        size: largest size of the file in bytes.

    Returns:
        What is wrong with the source; ``None`` if nothing is.
    """
    stop, work = threading.Event(), Future[str | None]()
    end = time.monotonic() + time_limit(size)
    with Progress(size, "bytes", path.name.removesuffix(".unverified")) as counter:

        def run() -> None:
            try:
                work.set_result(_copy(source, path, size, counter, stop))
            except Exception as error:  # raised again in the caller's thread
                work.set_exception(error)

        threading.Thread(target=run, daemon=True).start()  # daemon: does not delay the end of the process
        try:
            while not work.done() and time.monotonic() < end:
                wait([work], timeout=min(1.0, time_limit(size)))
                counter.update(0)  # also while no data arrive
        finally:
            stop.set()
    if work.done():
        return work.result()
    return f"{source}: took longer than {format_duration(time_limit(size))}"


def _copy(source: str, path: Path, size: int, counter: Progress, stop: threading.Event) -> str | None:
    with path.open("wb") as file:
        try:
            for chunk in _chunks(source, size):
                if stop.is_set():
                    break
                file.write(chunk)
                counter.update(len(chunk))
        except _BadSourceError as error:
            return f"{source}: {error}"
    return None


class _BadSourceError(Exception):
    """An error of the source, not of the written file."""


def _chunks(source: str, size: int) -> Iterator[bytes]:
    parts = urlsplit(source)
    if parts.scheme == "file" and (local := Path(url2pathname(parts.path))).exists() and not local.is_file():
        raise _BadSourceError("is not a file")
    try:
        with urlopen(source, timeout=TIMEOUT_SEC) as response:
            announced = response.headers.get("Content-Length") or ""
            if announced.isdecimal() and len(announced) < 20 and int(announced) > size:
                raise _BadSourceError(f"sends {int(announced):,} bytes, the file has {size:,}")
            left = size
            while chunk := response.read1(_BLOCK):
                left -= len(chunk)
                if left < 0:
                    raise _BadSourceError(f"sends more than the {size:,} bytes of the file")
                yield chunk
    except (OSError, HTTPException, ValueError) as error:  # ValueError: not an address
        raise _BadSourceError(str(error)) from error
