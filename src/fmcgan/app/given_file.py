"""Opens files that a user names or that lie in a folder from elsewhere: regular files only, up to a known size."""

import stat
from pathlib import Path

from fmcgan.app.errors import UserError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_file(path: Path, largest: int) -> int:
    """Checks that a path leads to a regular file: reading a pipe or a device may never end.

    Args:
        path: a file, or a link to one.
        largest: size in bytes that is still read.

    Returns:
        Its size in bytes.

    Raises:
        UserError: it is not there, not a regular file, or larger.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}; a regular file is needed here")
    if found.st_size > largest:
        raise UserError(
            f"{path} has {found.st_size / 1e6:,.1f} MB; such a file of this program has at most {largest / 1e6:,.1f} MB"
        )
    return found.st_size


def read_file(path: Path, largest: int) -> bytes:
    """Reads a file that `check_file`, whose arguments it takes, accepts.

    Raises:
        UserError: it is not accepted, or cannot be read.
    """
    check_file(path, largest)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
