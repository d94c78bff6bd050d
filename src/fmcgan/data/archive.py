"""The four Fashion-MNIST files on disk: downloaded once, verified at every load.

Names, MD5 checksums, mirrors and folder are torchvision's. Its ``download_url`` is not used: it has no timeout, always
writes a progress bar and does not write atomically.
"""

import gzip
import logging
import math
import struct
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import torch
from filelock import FileLock, Timeout
from torch import Tensor
from torchvision.datasets import FashionMNIST
from torchvision.datasets.utils import calculate_md5, check_integrity

from fmcgan.app.errors import UserError
from fmcgan.app.progress import format_duration
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.download import download, time_limit

log = logging.getLogger(__name__)

SIZES = {
    "train-images-idx3-ubyte.gz": 26_421_880,
    "train-labels-idx1-ubyte.gz": 29_515,
    "t10k-images-idx3-ubyte.gz": 4_422_102,
    "t10k-labels-idx1-ubyte.gz": 5_148,
}
"""Bytes of each file, and the most that is read from a mirror."""

LOCK_SEC = 5  # seconds before a line says that another process holds the lock
MIRROR_HELP = "set data.mirror=... (or FMCGAN_DATA_MIRROR) to a folder or an http(s):// address with the four files"
_LARGEST = 1 << 30  # bytes of an unpacked IDX file; the largest of Fashion-MNIST has 47 million


def ensure_archives(root: Path, mirror: str | None = None) -> Path:
    """Downloads missing or damaged files, one process at a time (by a lock in ``root``); returns their folder.

    Args:
        root: the data folder, created if missing; may be read-only when the files are complete.
        mirror: a folder, or a ``file://`` or ``http(s)://`` address of one; ``None``: torchvision's mirrors.

    Raises:
        UserError: the data folder cannot be used, the mirror is missing, or a file cannot be downloaded undamaged.
    """
    folder = root / "FashionMNIST" / "raw"
    try:
        if all(check_integrity(folder / name, md5) for name, md5 in FashionMNIST.resources):
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(root / "FashionMNIST.lock"):
            for name, md5 in FashionMNIST.resources:  # again: another process may have downloaded it
                if not check_integrity(folder / name, md5):
                    _fetch(folder / name, md5, _addresses(mirror))
    except (OSError, NotImplementedError) as error:  # NotImplementedError: a file system without locks
        raise UserError(
            f"the data folder {root} cannot be used: {error}; choose another: data.root=... (or FMCGAN_DATA_ROOT)"
        ) from error
    return folder


def read_idx(path: Path) -> Tensor:
    """Reads a gzipped IDX file of uint8 values (http://yann.lecun.com/exdb/mnist), or raises `UserError`."""
    try:
        with gzip.open(path) as file:
            zeros, kind, n_dimensions = struct.unpack(">HBB", file.read(4))
            shape = struct.unpack(f">{n_dimensions}I", file.read(4 * n_dimensions))
            size = math.prod(shape)
            content = file.read(size + 1) if 0 < size < _LARGEST else b""  # reading to the end verifies the checksum
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path} cannot be read as gzipped IDX: {error}; delete it to download it again") from error
    if zeros != 0 or kind != 0x08 or not content or len(content) != size:
        raise UserError(f"{path} is not an IDX file of {shape} bytes; delete it to download it again")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(shape)


def _locked(path: Path) -> AbstractContextManager[object]:
    """Acquires a lock. Waits as long as a download by another process may take."""
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=LOCK_SEC)
    except Timeout:
        log.info("waiting: another process downloads the data (it holds %s)", path)
    longest = sum(time_limit(size) for size in SIZES.values()) * len(FashionMNIST.mirrors)
    try:
        return lock.acquire(timeout=longest)
    except Timeout as error:
        hint = "stop it, or choose another folder: data.root=..."
        raise UserError(f"another process has held {path} for {format_duration(longest)}; {hint}") from error


def _addresses(mirror: str | None) -> list[str]:
    """Returns the addresses to try in this order, each ending in a slash."""
    if mirror is None:
        return list(FashionMNIST.mirrors)
    address = mirror if "://" in mirror else expand_home(mirror).absolute().as_uri()
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UserError(f"the data mirror {mirror} is not an address ({error}); {MIRROR_HELP}") from error
    if parts.scheme == "file" and not Path(url2pathname(parts.path)).is_dir():
        raise UserError(f"the data mirror {mirror} is not a folder; {MIRROR_HELP}")
    return [address.rstrip("/") + "/"]


def _fetch(path: Path, md5: str, addresses: list[str]) -> None:
    """Downloads a verified file to ``path`` from the first address that has it; the caller holds the lock."""
    failures = []
    if path.exists():
        damage = f"MD5 is {calculate_md5(path)}, should be {md5}"
        log.warning("%s is damaged (%s); downloading it again", path, damage)
        failures.append(f"{path}: {damage}")
    unverified = path.with_name(f"{path.name}.unverified")
    try:
        for address in addresses:
            log.info("downloading %s from %s", path.name, address)
            failure = download(f"{address}{path.name}", unverified, SIZES[path.name])
            if failure is None and (found := calculate_md5(unverified)) != md5:
                failure = f"{address}{path.name}: MD5 is {found}, should be {md5}"
            if failure is None:
                unverified.replace(path)
                return
            failures.append(failure)
    finally:
        unverified.unlink(missing_ok=True)
    raise UserError(
        f"Fashion-MNIST cannot be downloaded: {'; '.join(failures)}\n{MIRROR_HELP}, or put them in {path.parent}"
    )
