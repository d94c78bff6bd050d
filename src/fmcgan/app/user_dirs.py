"""Home, cache and temporary folders, also for a user without a home folder (as in some containers)."""

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
    """Sets ``HOME`` to a private temporary folder if there is none: several libraries need one when imported."""
    try:
        if Path.home().is_dir():
            return
    except RuntimeError:
        os.environ.setdefault("USER", str(_user_id()))  # torch's compiler needs a user name
    os.environ["HOME"] = str(private_temp_dir())
    log.warning("there is no home folder; caches are in %s (set HOME=FOLDER to change it)", private_temp_dir())


@cache
def private_temp_dir() -> Path:
    """Returns a temporary folder that no other user can write into: cached files may be code."""
    folder = Path(tempfile.gettempdir()) / f"fmcgan-{_user_id()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == _user_id() and not found.st_mode & 0o022:
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="fmcgan-"))


def set_numba_cache_dir() -> None:
    """Sets numba's cache folder if it would find no writable one, which makes importing UMAP fail."""
    ensure_home()
    umap = importlib.util.find_spec("umap")
    package = Path(umap.origin).parent if umap and umap.origin else Path()
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    if "NUMBA_CACHE_DIR" not in os.environ and not any(map(_is_writable, (package, default))):
        os.environ["NUMBA_CACHE_DIR"] = str(private_temp_dir() / "numba")


def expand_home(path: str | Path) -> Path:
    """Replaces ``~`` in a path by the home folder. Raises `UserError` if there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: there is no home folder for ~; give the whole path") from error


def cache_dir() -> Path:
    """Returns ``FMCGAN_CACHE``, or ``fmcgan`` in the user's cache folder."""
    if given := os.environ.get("FMCGAN_CACHE"):
        return expand_home(given)
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "fmcgan"
    ensure_home()
    return Path.home() / ".cache" / "fmcgan"


def _is_writable(folder: Path) -> bool:
    """Whether a folder can be written, or made below its nearest existing parent."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _user_id() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
