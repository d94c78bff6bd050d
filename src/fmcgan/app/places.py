"""Folders of the user, also where there is no home: in a container, a process may run as a user without one."""

import os
from pathlib import Path

from fmcgan.errors import UserError


def expanded(path: str | Path) -> Path:
    """A path with ``~`` replaced by the home folder.

    Raises:
        UserError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: there is no home folder for ~ here; give the whole path") from error


def cache_folder() -> Path | None:
    """``FMCGAN_CACHE``, or ``fmcgan`` in the user's cache folder; None where there is no home folder."""
    if given := os.environ.get("FMCGAN_CACHE"):
        return expanded(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fmcgan"
    except RuntimeError:
        return None
