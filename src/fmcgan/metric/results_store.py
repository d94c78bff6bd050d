"""What was measured of real images, kept on disk: no evaluation measures the same thing twice."""

import hashlib
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.user_dirs import cache_dir, expand_home

Arrays = dict[str, Tensor]

REVISION = 1
"""Raise it when a change of the code changes a value that is kept: what was kept before is then measured anew."""

SHIPPED = Path(__file__).parent / "measured"
"""What travels with the package, read after the user's own folder and never written by `Store`."""

_log = logging.getLogger(__name__)


class Store:
    """Files named by the hash of what they hold was computed from.

    Every file is written whole under another name and then renamed, so that of two processes that compute the same
    thing each finds nothing or all of it. A damaged file is computed anew; a folder that cannot be written costs time
    and a warning, never the evaluation.

    Args:
        folder: made when first needed; ``None`` takes `cache_folder`.
        shipped: a second folder to read from.
    """

    def __init__(self, folder: Path | str | None = None, shipped: Path = SHIPPED) -> None:
        self.folder = expand_home(folder) if folder else cache_dir()
        self.shipped = shipped
        self._warned = False

    def arrays(self, key: str, compute: Callable[[], Arrays]) -> Arrays:
        """The named tensors kept under a key, or else what ``compute`` gives.

        Args:
            key: says in full what the tensors are a function of.
            compute: makes them.
        """
        name = f"{_hashed(key)}.npz"
        found = self._read(name, _arrays_from)
        if found is None:
            found = compute()
            self._write(name, _arrays_to(found))
        return found

    def values(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The numbers kept under a key, or else what ``compute`` gives: anything that JSON holds exactly."""
        name = f"{_hashed(key)}.json"
        found = self._read(name, lambda content: _values_from(content, key))
        if found is None:
            found = compute()
            content = {"key": key, "values": found}
            self._write(name, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
        return found

    def _read(self, name: str, parse: Callable[[bytes], Any]) -> Any:
        for path in (self.folder / name, self.shipped / name):
            try:
                return parse(path.read_bytes())
            except FileNotFoundError:
                continue
            except Exception as error:  # numpy and zipfile raise many types on damaged files, most undocumented
                _log.warning("%s cannot be read (%s) and is measured anew", path, error)
        return None

    def _write(self, name: str, content: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            run_dir.write_atomically(self.folder / name, content)
        except (OSError, UserError) as error:
            if not self._warned:
                _log.warning(
                    "what is measured of real images is not kept: %s (FMCGAN_CACHE names another place)", error
                )
            self._warned = True


def _hashed(key: str) -> str:
    return hashlib.sha256(f"revision {REVISION}: {key}".encode()).hexdigest()[:32]


def _arrays_to(arrays: Arrays) -> bytes:
    content = io.BytesIO()
    plain: dict[str, Any] = {name: array.numpy() for name, array in arrays.items()}
    np.savez(content, **plain)
    return content.getvalue()


def _arrays_from(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def _values_from(content: bytes, key: str) -> dict[str, Any]:
    found = json.loads(content)
    if found["key"] != key:
        raise ValueError("it holds something else")
    return dict(found["values"])
