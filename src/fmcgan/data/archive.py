"""The four Fashion-MNIST files on disk: fetched once, verified at every load, read without unpacking.

Names, MD5 checksums and mirrors are torchvision's, and so is the folder (``<root>/FashionMNIST/raw``): a download of
torchvision is used as it is. torchvision's own ``download_url`` is not used, because it has no timeout, writes a
progress bar that cannot be turned off and downloads onto the final name.
"""

import gzip
import logging
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
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
"""Bytes of the files that have torchvision's checksums: more is not read of any mirror."""

LOCK_SEC = 5
"""How long another process may hold the lock before a line says so."""

MIRROR_HELP = "set data.mirror=... (or FMCGAN_DATA_MIRROR) to a folder or an http(s):// address with the four files"

_LARGEST = 1 << 30  # bytes of an unpacked IDX file; the largest of Fashion-MNIST has 47 million


def ensure_archives(root: Path, mirror: str | None = None) -> Path:
    """Makes sure that the four files are there and unaltered; fetches those that are not.

    Any number of processes may call this at once: a lock in ``root`` lets one of them fetch, and a file gets its final
    name only after its checksum was verified.

    Args:
        root: the data folder; made if it is missing. It need not be writable when the files are complete.
        mirror: where to fetch from: a folder, or a ``file://`` or ``http(s)://`` address of one; ``None``:
            torchvision's mirrors.

    Returns:
        The folder that holds the four ``.gz`` files.

    Raises:
        UserError: the data folder cannot be used, the mirror is missing, or a file can not be had unaltered.
    """
    folder = root / "FashionMNIST" / "raw"
    try:
        if all(check_integrity(folder / name, md5) for name, md5 in FashionMNIST.resources):
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(root / "FashionMNIST.lock"):
            for name, md5 in FashionMNIST.resources:  # checked again: another process may have fetched it meanwhile
                if not check_integrity(folder / name, md5):
                    _fetch(folder / name, md5, _addresses(mirror))
    except (OSError, NotImplementedError) as error:  # a disk without locks
        raise UserError(
            f"the data folder {root} cannot be used: {error}; choose another: data.root=... (or FMCGAN_DATA_ROOT)"
        ) from error
    return folder


def read_idx(path: Path) -> Tensor:
    """Reads a gzipped IDX file of bytes, the format of MNIST (http://yann.lecun.com/exdb/mnist).

    Returns:
        uint8, in the shape that the file's header names.

    Raises:
        UserError: the file is not gzip, not IDX, or shorter or longer than its header says.
    """
    try:
        with gzip.open(path) as file:
            zeros, kind, n_dimensions = struct.unpack(">HBB", file.read(4))
            shape = struct.unpack(f">{n_dimensions}I", file.read(4 * n_dimensions))
            size = math.prod(shape)
            content = file.read(size + 1) if 0 < size < _LARGEST else b""  # to its end: that verifies the checksum
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path} cannot be read as gzipped IDX: {error}; delete it, and it is fetched again") from error
    if zeros != 0 or kind != 0x08 or not content or len(content) != size:
        raise UserError(f"{path} is not an IDX file of {shape} bytes; delete it, and it is fetched again")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(shape)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock; says so if another process does, and does not wait longer than that one may take."""
    patience: float = LOCK_SEC
    longest = sum(time_limit(size) for size in SIZES.values()) * len(FashionMNIST.mirrors)
    while True:
        try:
            with FileLock(path, timeout=patience):
                yield
                return
        except Timeout as error:
            if patience != LOCK_SEC:
                hint = "end it, or choose another folder: data.root=..."
                raise UserError(f"another process has held {path} for {format_duration(patience)}; {hint}") from error
            log.info("another process fetches the data (it holds %s); waiting for it", path)
            patience = longest


def _addresses(mirror: str | None) -> list[str]:
    """The addresses to try in turn, each ending in a slash."""
    if mirror is None:
        return list(FashionMNIST.mirrors)
    address = mirror if "://" in mirror else expand_home(mirror).absolute().as_uri()
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UserError(f"the data mirror {mirror} is no address ({error}); {MIRROR_HELP}") from error
    if parts.scheme == "file" and not Path(url2pathname(parts.path)).is_dir():
        raise UserError(f"the data mirror {mirror} is not a folder; {MIRROR_HELP}")
    return [address.rstrip("/") + "/"]


def _fetch(path: Path, md5: str, addresses: list[str]) -> None:
    """Puts a verified file at ``path``, from the first address that has it; the caller holds the lock."""
    failures = []
    if path.exists():
        damage = f"MD5 is {calculate_md5(path)}, should be {md5}"
        log.warning("%s is damaged (%s); fetching it again", path, damage)
        failures.append(f"{path}: {damage}")
    unverified = path.with_name(f"{path.name}.unverified")
    try:
        for address in addresses:
            log.info("fetching %s from %s", path.name, address)
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
        f"Fashion-MNIST cannot be fetched: {'; '.join(failures)}\n{MIRROR_HELP}, or put them in {path.parent}"
    )
