"""The files of a published data set on disk: downloaded once, verified at every load.

Names, MD5 checksums, mirrors and folders are torchvision's. Its ``download_url`` is not used: it has no timeout, always
writes a progress bar and does not write atomically.
"""

import gzip
import logging
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torchvision.datasets.utils import calculate_md5, check_integrity

from fmcgan.app.errors import UserError
from fmcgan.app.progress import format_duration
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.download import download, time_limit

log = logging.getLogger(__name__)

LOCK_SEC = 5  # seconds before a line says that another process holds the lock
_LARGEST = 1 << 30  # bytes of an unpacked IDX file; the largest of EMNIST have 88 million


@dataclass(frozen=True)
class Archives:
    """Where the files of a data set come from, and where they go.

    Args:
        title: of the data set, in messages.
        folder: below the data folder, as torchvision names it.
        md5: checksum of each file, by name.
        mirrors: addresses, each ending in a slash.
        sizes: most bytes that are read of each file.
    """

    title: str
    folder: str
    md5: Mapping[str, str]
    mirrors: Sequence[str]
    sizes: Mapping[str, int]

    @property
    def mirror_help(self) -> str:
        """How to name another mirror."""
        files = f"the {len(self.md5)} files" if len(self.md5) > 1 else next(iter(self.md5))
        return f"set data.mirror=... (or FMCGAN_DATA_MIRROR) to a folder or an http(s):// address with {files}"


def ensure_archives(archives: Archives, root: Path, mirror: str | None = None) -> Path:
    """Downloads missing or damaged files, one process at a time (by a lock in ``root``); returns their folder.

    Args:
        archives: the files.
        root: the data folder, created if missing; may be read-only when the files are complete.
        mirror: a folder, or a ``file://`` or ``http(s)://`` address of one; ``None``: torchvision's mirrors.

    Raises:
        UserError: the data folder cannot be used, the mirror is missing, or a file cannot be downloaded undamaged.
    """
    folder = root / archives.folder
    try:
        if all(check_integrity(folder / name, md5) for name, md5 in archives.md5.items()):
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(root / f"{Path(archives.folder).parts[0]}.lock", archives):
            for name, md5 in archives.md5.items():  # again: another process may have downloaded it
                if not check_integrity(folder / name, md5):
                    _fetch(folder / name, archives, _addresses(archives, mirror))
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a file system without locks
        raise UserError(
            f"the data folder {root} cannot be used: {error}; choose another: data.root=... (or FMCGAN_DATA_ROOT)"
        ) from error
    return folder


def read_idx(path: Path, remedy: str = "delete it to download it again") -> Tensor:
    """Reads an IDX file, gzipped if named ``.gz``, by `parse_idx`."""
    try:
        with path.open("rb") as file:
            return parse_idx(file, path.suffix == ".gz")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as IDX: {error}; {remedy}") from error


def parse_idx(file: IO[bytes], gzipped: bool = True) -> Tensor:
    """Reads uint8 values in the IDX format (http://yann.lecun.com/exdb/mnist). Raises `ValueError` if damaged."""
    try:
        with gzip.open(file) if gzipped else nullcontext(file) as stream:
            zeros, kind, n_dimensions = struct.unpack(">HBB", stream.read(4))
            shape = struct.unpack(f">{n_dimensions}I", stream.read(4 * n_dimensions))
            size = math.prod(shape)
            content = stream.read(size + 1) if 0 < size < _LARGEST else b""  # reading to the end checks the checksum
    except (EOFError, zlib.error, struct.error) as error:
        raise ValueError(str(error)) from error
    if zeros != 0 or kind != 0x08 or not content or len(content) != size:
        raise ValueError(f"it is not an IDX file of {shape} bytes")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(shape)


def _locked(path: Path, archives: Archives) -> AbstractContextManager[object]:
    """Acquires a lock. Waits as long as a download by another process may take."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=LOCK_SEC)
    except Timeout:
        log.info("waiting: another process downloads the data (it holds %s)", path)
    longest = sum(time_limit(size) for size in archives.sizes.values()) * len(archives.mirrors)
    try:
        return lock.acquire(timeout=longest)
    except Timeout as error:
        hint = "stop it, or choose another folder: data.root=..."
        raise UserError(f"another process has held {path} for {format_duration(longest)}; {hint}") from error


def _addresses(archives: Archives, mirror: str | None) -> list[str]:
    """Returns the addresses to try in this order, each ending in a slash."""
    if mirror is None:
        return list(archives.mirrors)
    address = mirror if "://" in mirror else expand_home(mirror).absolute().as_uri()
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UserError(f"the data mirror {mirror} is not an address ({error}); {archives.mirror_help}") from error
    if parts.scheme == "file" and not Path(url2pathname(parts.path)).is_dir():
        raise UserError(f"the data mirror {mirror} is not a folder; {archives.mirror_help}")
    return [address.rstrip("/") + "/"]


def _fetch(path: Path, archives: Archives, addresses: list[str]) -> None:
    """Downloads a verified file to ``path`` from the first address that has it; the caller holds the lock."""
    md5, failures = archives.md5[path.name], []
    if path.exists():
        damage = f"MD5 is {calculate_md5(path)}, should be {md5}"
        log.warning("%s is damaged (%s); downloading it again", path, damage)
        failures.append(f"{path}: {damage}")
    unverified = path.with_name(f"{path.name}.unverified")
    try:
        for address in addresses:
            log.info("downloading %s from %s", path.name, address)
            failure = download(f"{address}{path.name}", unverified, archives.sizes[path.name])
            if failure is None and (found := calculate_md5(unverified)) != md5:
                failure = f"{address}{path.name}: MD5 is {found}, should be {md5}"
            if failure is None:
                unverified.replace(path)
                return
            failures.append(failure)
    finally:
        unverified.unlink(missing_ok=True)
    where = f"put {'them' if len(archives.md5) > 1 else 'it'} in {path.parent}"
    raise UserError(f"{archives.title} cannot be downloaded: {'; '.join(failures)}\n{archives.mirror_help}, or {where}")
