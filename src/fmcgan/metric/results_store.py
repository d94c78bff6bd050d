"""Cache on disk of values and arrays of real images."""

import hashlib
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, TypeVar

import numpy as np
import torch
from torch import Tensor

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.user_dirs import cache_dir, expand_home

Arrays = dict[str, Tensor]
Content = TypeVar("Content")


class StoredValue(TypedDict):
    """A value of a baseline."""

    value: float
    by_class: list[float | None] | None


REVISION = 1  # part of every key; increment it when a code change affects stored values
SHIPPED = Path(__file__).parent / "measured"
"""Values shipped with the package, read after the user's folder and never written by `Store`."""

_log = logging.getLogger(__name__)


class Store:
    """Cache of results in files named by the hash of a key, which identifies a computation and its inputs.

    Files are written atomically, so several processes may share a folder. Damaged files are recomputed. If the folder
    cannot be written, a warning is logged once and nothing is stored.

    Args:
        folder: created at the first write; ``None``: the user's cache folder.
        shipped: a second folder, which is only read.
    """

    def __init__(self, folder: Path | str | None = None, shipped: Path = SHIPPED) -> None:
        self.folder = expand_home(folder) if folder else cache_dir()
        self.shipped = shipped
        self._warned = False

    def has(self, key: str) -> bool:
        """Whether arrays are stored under a key."""
        return (self.folder / f"{_hashed(key)}.npz").is_file()

    def arrays(self, key: str, compute: Callable[[], Arrays]) -> Arrays:
        """Returns the tensors stored under a key, or computes and stores them as ``.npz``."""
        name = f"{_hashed(key)}.npz"
        found = self._read(name, _arrays_from)
        if found is None:
            found = compute()
            content = io.BytesIO()
            np.savez(content, allow_pickle=False, **{name: array.numpy() for name, array in found.items()})
            self._write(name, content.getvalue())
        return found

    def values(self, key: str, compute: Callable[[], dict[str, StoredValue]]) -> dict[str, StoredValue]:
        """Returns the values stored under a key, or computes and stores them as JSON."""
        name = f"{_hashed(key)}.json"
        found = self._read(name, lambda content: _values_from(content, key))
        if found is None:
            found = compute()
            content = {"key": key, "values": found}
            self._write(name, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
        return found

    def _read(self, name: str, parse: Callable[[bytes], Content]) -> Content | None:
        for path in (self.folder / name, self.shipped / name):
            try:
                return parse(path.read_bytes())
            except FileNotFoundError:
                continue
            except Exception as error:  # numpy and zipfile raise many types on damaged files, most undocumented
                _log.warning("%s cannot be read (%s), computing it again", path, error)
        return None

    def _write(self, name: str, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            run_dir.write_atomically(self.folder / name, content)
        except (OSError, UserError) as error:
            if not self._warned:
                _log.warning("results on real images are not stored: %s; set FMCGAN_CACHE to another folder", error)
            self._warned = True


def _hashed(key: str) -> str:
    return hashlib.sha256(f"revision {REVISION}: {key}".encode()).hexdigest()[:32]


def _arrays_from(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def _values_from(content: bytes, key: str) -> dict[str, StoredValue]:
    found = json.loads(content)
    if found["key"] != key:
        raise ValueError("it has another key")
    return dict(found["values"])
