"""The four Fashion-MNIST files on disk: fetched once, verified at every load, read without unpacking.

Names, MD5 checksums and mirrors are torchvision's, and so is the folder (``<root>/FashionMNIST/raw``): a download of
torchvision is used as it is. torchvision's own ``download_url`` is not used, because it has no timeout, writes a
progress bar that cannot be turned off and downloads onto the final name.
"""

import gzip
import logging
import math
import shutil
import struct
import zlib
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname, urlopen

import torch
from filelock import FileLock
from torch import Tensor
from torchvision.datasets import FashionMNIST
from torchvision.datasets.utils import calculate_md5, check_integrity

from fmcgan.errors import UserError

log = logging.getLogger(__name__)

TIMEOUT_SEC = 30
"""How long a mirror may stay silent."""

MIRROR_HELP = "set data.mirror=... (or FMCGAN_DATA_MIRROR) to a folder or an http(s):// address with the four files"


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
        with FileLock(root / "FashionMNIST.lock"):
            for name, md5 in FashionMNIST.resources:  # checked again: another process may have fetched it meanwhile
                if not check_integrity(folder / name, md5):
                    _fetch(folder / name, md5, _addresses(mirror))
    except OSError as error:
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
        content = gzip.decompress(path.read_bytes())
        zeros, kind, n_dimensions = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{n_dimensions}I", content, offset=4)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path} cannot be read as gzipped IDX: {error}; delete it, and it is fetched again") from error
    start = 4 + 4 * n_dimensions
    if zeros != 0 or kind != 0x08 or len(content) - start != math.prod(shape):
        raise UserError(f"{path} is not an IDX file of {shape} bytes; delete it, and it is fetched again")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(shape)


def _addresses(mirror: str | None) -> list[str]:
    """The addresses to try in turn, each ending in a slash."""
    if mirror is None:
        return list(FashionMNIST.mirrors)
    address = mirror if "://" in mirror else Path(mirror).expanduser().absolute().as_uri()
    parts = urlsplit(address)
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
            failure = _download(f"{address}{path.name}", unverified, md5)
            if failure is None:
                unverified.replace(path)
                return
            failures.append(failure)
    finally:
        unverified.unlink(missing_ok=True)
    raise UserError(
        f"Fashion-MNIST cannot be fetched: {'; '.join(failures)}\n{MIRROR_HELP}, or put them in {path.parent}"
    )


def _download(source: str, path: Path, md5: str) -> str | None:
    """Copies ``source`` to ``path``; returns what is wrong with the source, if anything is."""
    with path.open("wb") as file:
        try:
            with urlopen(source, timeout=TIMEOUT_SEC) as response:
                shutil.copyfileobj(response, file)
        except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none
            return f"{source}: {error}"
    found = calculate_md5(path)
    return None if found == md5 else f"{source}: MD5 is {found}, should be {md5}"
