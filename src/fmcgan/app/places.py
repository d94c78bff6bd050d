"""Folders of the user, also where there is no home: a container may run as a user that it does not know."""

import importlib.util
import logging
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from fmcgan.app.errors import UserError

log = logging.getLogger(__name__)


def ensure_home() -> None:
    """Gives a process without a home folder, or whose home folder is not there, a private one in the temporary folder.

    Half a dozen libraries ask for it while they are imported, and fail or warn each in its own way.
    """
    try:
        if Path.home().is_dir():
            return
    except RuntimeError:
        os.environ.setdefault("USER", str(_user()))  # nor has it a name then, for which torch's compiler asks
    os.environ["HOME"] = str(private_folder())
    log.warning("there is no home folder here; caches are in %s (HOME=FOLDER names another place)", private_folder())


@cache
def private_folder() -> Path:
    """A folder in the temporary folder that nobody else can write into: what is cached there may be code."""
    folder = Path(tempfile.gettempdir()) / f"fmcgan-{_user()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == _user() and not found.st_mode & 0o022:
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="fmcgan-"))


def let_numba_cache() -> None:
    """Names a folder for numba's cache where it would find none, and refuse to be imported by UMAP."""
    ensure_home()
    package = importlib.util.find_spec("umap")
    beside = Path(package.origin).parent if package and package.origin else Path()
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if "NUMBA_CACHE_DIR" not in os.environ and not any(map(_can_be_written, (beside, usual / "numba"))):
        os.environ["NUMBA_CACHE_DIR"] = str(private_folder() / "numba")


def expanded(path: str | Path) -> Path:
    """A path with ``~`` replaced by the home folder.

    Raises:
        UserError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: there is no home folder for ~ here; give the whole path") from error


def cache_folder() -> Path:
    """``FMCGAN_CACHE``, or ``fmcgan`` in the user's cache folder."""
    if given := os.environ.get("FMCGAN_CACHE"):
        return expanded(given)
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "fmcgan"
    ensure_home()
    return Path.home() / ".cache" / "fmcgan"


def _can_be_written(folder: Path) -> bool:
    """Whether a folder can be, or made below the nearest one that is there."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
