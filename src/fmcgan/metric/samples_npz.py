"""Reader of samples from an ``.npz`` of any program; checks the headers of the arrays before unpacking them."""

import io
import math
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fmcgan.app import memory
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable

REMEDY = "np.savez(FILE, images=images, labels=labels) writes such a file"

_ENCRYPTED = 0x2041  # flags: encrypted, strongly encrypted, central directory encrypted
_PACKED_BY_NUMPY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_HEADER = 16_384  # bytes; numpy refuses longer ones only after reading them
_BLOCK = 1 << 20  # bytes unpacked at a time


class Header(NamedTuple):
    """The header of an array in the file."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran_order: bool
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.dtype.itemsize * math.prod(self.shape)


HeaderOrArray = Header | NDArray[np.number]
Check = Callable[[HeaderOrArray, HeaderOrArray], None]
Pair = tuple[NDArray[np.number], NDArray[np.integer]]


def read_npz(path: Path, check: Check) -> Pair:
    """Reads the arrays ``images`` and ``labels``; other members of the archive are not opened.

    ``check`` raises a `UserError` for headers of wrong dtype or shape.

    Raises:
        UserError: the file has another format, is damaged or encrypted, lacks an array or does not fit into memory.
        OSError: the file cannot be read.
    """
    if not path.is_file():
        problem = "neither a file nor a folder" if path.exists() else "no such file or folder"
        raise UserError(f"{problem}; give an .npz with images and labels, or a folder of PNGs")
    with path.open("rb") as file:
        _check_signature(file.read(8))
        try:
            return _read(file, check)
        except (UserError, MemoryError):
            raise
        except Exception as error:  # many types for damaged files, undocumented by numpy and zipfile
            if isinstance(error, OSError) and error.errno is not None:  # an error of the disk
                raise
            detail = printable([*str(error).splitlines(), type(error).__name__][0])
            raise UserError(f"the .npz is damaged or cut short ({detail}); write it again") from error


def _check_signature(start: bytes) -> None:
    if not start:
        raise UserError(f"the file is empty; {REMEDY}")
    if start.startswith(b"\x93NUMPY"):
        raise UserError(f"a single array (.npy), expected an .npz with images and labels; {REMEDY}")
    if not start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise UserError(f"not an .npz, expected an .npz with images and labels; {REMEDY}")


def _read(file: IO[bytes], check: Check) -> Pair:
    with zipfile.ZipFile(file) as archive:
        members = [_member(archive, name) for name in ("images", "labels")]
        headers = []
        for name, member in zip(("images", "labels"), members, strict=True):
            _check_member(file, name, member)
            headers.append(_header(archive, name, member))
        check(*headers)
        converted = headers[0].shape[0] * (784 + 8)  # bytes as uint8 images and int64 labels
        memory.require(
            sum(header.nbytes for header in headers) + converted,
            f"unpacking images {headers[0].dtype} {list(headers[0].shape)}",
            "write fewer of them into a file, or as uint8",
        )
        images, labels = (_array(archive, *each) for each in zip(members, headers, strict=True))
        return cast(Pair, (images, labels))  # `check` has accepted their types


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    found = [info for info in archive.infolist() if info.filename.removesuffix(".npy") == name]
    if not found:
        names = [printable(info.filename.removesuffix(".npy")) for info in archive.infolist()]
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise UserError(f"expected arrays images and labels, found {listed or 'none'}; {REMEDY}")
    if len(found) > 1:
        raise UserError(f"it contains {name} {len(found)} times, expected once; {REMEDY}")
    return found[0]


def _check_member(file: IO[bytes], name: str, member: zipfile.ZipInfo) -> None:
    """Rejects encryption, flagged in either header of the member, and compression that numpy does not write."""
    file.seek(member.header_offset)
    (flags,) = struct.unpack("<6xH", file.read(8))
    if (flags | member.flag_bits) & _ENCRYPTED:
        raise UserError(f"{name} is encrypted; write it without a password: {REMEDY}")
    if member.compress_type not in _PACKED_BY_NUMPY:
        raise UserError(f"{name} has a compression that numpy does not write; {REMEDY}")


def _header(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as whole, io.BytesIO(whole.read(_LONGEST_HEADER)) as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise UserError(f"{name} is not an array in numpy's format; {REMEDY}")
        version = tuple(stream.read(2))
        # Format 3.0 differs from 2.0 only in the names of fields, which these arrays do not have.
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"unknown version {version} of the format")
        shape, fortran_order, dtype = read(stream)
        header = Header(dtype, shape, fortran_order, stream.tell())
    if dtype.hasobject:
        raise UserError(f"{name} contains pickled objects, which are never read; save plain numbers: {REMEDY}")
    if min(shape, default=0) < 0 or header.start + header.nbytes != member.file_size:
        raise ValueError(f"{name} is not as large as its header says")
    return header


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: Header) -> NDArray[np.generic]:
    """Unpacks an array in place; reading to its end verifies the checksum."""
    array = np.empty(header.shape[::-1] if header.fortran_order else header.shape, header.dtype)
    rest = array.reshape(-1).view(np.uint8).data
    with archive.open(member) as stream:
        stream.read(header.start)
        while len(rest):
            block = stream.read(min(_BLOCK, len(rest)))
            if not block:
                raise EOFError("the archive ends too early")
            rest[: len(block)] = block
            rest = rest[len(block) :]
        if stream.read(1):
            raise ValueError("more data than the header says")
    return array.T if header.fortran_order else array
