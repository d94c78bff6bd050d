"""The lock of a run folder, so that two processes never train into it. It ends with its process."""

import contextlib
import errno
import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import LOCK

log = logging.getLogger(__name__)

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)
_OWNER = re.compile(r"process (\d{1,9}) on (\S+)")
_held: dict[Path, FileLock] = {}


class RunningElsewhereError(UserError):
    """Another process writes into the folder."""


def lock(folder: Path) -> bool:
    """Locks a folder until `unlock` or the end of the process.

    Returns whether this call locked it: False if this process holds the lock, or the file system has no locks.

    Raises:
        RunningElsewhereError: another process holds the lock. The message names the process if it is known.
    """
    path = folder.absolute() / LOCK
    if path in _held:
        return False
    owner = ""
    with contextlib.suppress(OSError):
        owner = path.read_text(encoding="utf-8", errors="replace")[:100].strip()
    held = FileLock(path)
    try:
        held.acquire(timeout=0)
    except Timeout:
        writer = owner or "another process"
        raise RunningElsewhereError(f"{os.path.relpath(folder)} is being written by {writer}") from None
    except (OSError, NotImplementedError) as error:
        _raise_unless_no_locks(error)
        log.warning("%s: this file system has no locks; start only one run in this folder", folder)
        return False
    _held[path] = held
    with contextlib.suppress(OSError):  # the text only informs other processes
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    return True


def unlock(folder: Path) -> None:
    """Unlocks a folder and removes the lock file."""
    path = folder.absolute() / LOCK
    held = _held.pop(path, None)
    if held is not None:
        with contextlib.suppress(OSError):  # before the release: another process may lock a new file
            path.unlink()
        with contextlib.suppress(OSError):
            held.release()


def unlock_all() -> None:
    """Unlocks all folders of this process."""
    for path in list(_held):
        unlock(path.parent)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder in a context, with the errors of `lock`."""
    mine = lock(folder)
    try:
        yield
    finally:
        if mine:
            unlock(folder)


def is_locked(folder: Path) -> bool:
    """Whether another process holds the lock. Creates no file."""
    path = folder.absolute() / LOCK
    if path in _held or not path.exists():
        return False
    try:
        with locked(folder):
            return False
    except RunningElsewhereError:
        return True
    except OSError:
        return False


def owner(folder: Path) -> int | None:
    """Returns the process of this machine that holds the lock of a folder, if it is another one and known."""
    if not is_locked(folder):
        return None
    with contextlib.suppress(OSError):
        text = (folder / LOCK).read_text(encoding="utf-8", errors="replace")[:100]
        found = _OWNER.fullmatch(text.strip())
        return int(found[1]) if found and found[2] == socket.gethostname() else None
    return None


@contextlib.contextmanager
def exclusive(file: Path, seconds: float = -1) -> Iterator[None]:
    """Waits for a lock file and holds it in a context. On a file system without locks, it does not wait.

    Raises `TimeoutError` after so many seconds; a negative number sets no limit.
    """
    held = FileLock(file, timeout=seconds)
    try:
        held.acquire()
    except (OSError, NotImplementedError) as error:
        _raise_unless_no_locks(error)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            held.release()


def _raise_unless_no_locks(error: OSError | NotImplementedError) -> None:
    if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
        raise error
