"""Reader of samples from any program, an ``.npz`` or a folder; rejects ambiguous values and labels."""

import io
import logging
import math
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.app import memory
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.data.images import to_uint8
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import class_names
from fmcgan.metric.samples_folder import read_folder

FLOAT_RULE = (
    "float images must be clearly in [-1, 1] (minimum at most -0.9) or clearly in [0, 1] (minimum at most 0.1, maximum "
    "at least 0.9, some values strictly between 0 and 1)"
)
"""Sets of images usually contain black. Without white, values in [0, 1] may be dark images in 0..255."""

_REMEDY = "np.savez(FILE, images=images, labels=labels) writes such a file"
_BLOCK = 1000  # images processed at once
_ENCRYPTED = 0x2041  # flags: encrypted, strongly encrypted, central directory encrypted
_PACKED_BY_NUMPY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONGEST_HEADER = 16_384  # bytes; numpy refuses longer ones only after reading them

Pixels = NDArray[np.number]
Classes = NDArray[np.integer]
_log = logging.getLogger(__name__)


class Header(NamedTuple):
    """The header of an array in a file, whose values begin after ``start`` bytes."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran_order: bool
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_samples(path: Path, info: DatasetInfo) -> tuple[Tensor, Tensor]:
    """Reads samples from an ``.npz`` or from a folder of PNGs (see `read_folder`).

    The ``.npz`` holds ``images`` [N, H, W, C] or [N, C, H, W] of the shape in ``info``, grey ones also [N, H, W], and
    ``labels`` [N], N at least 2:

    - images are uint8 in 0..255, black 0, or float16, float32 or float64 by `FLOAT_RULE`. Values are not clipped. uint8
      images of 0 and 1, or of 0, 1 and 255 alone, are rejected: they look like floats that were cast.
    - labels are of any integer type, 0..K - 1. Classes without images are named in a warning.

    Pickled objects are rejected, so nothing in the file is executed.

    Returns:
        Images uint8 [N, C, H, W] and labels int64 [N], in the order of the file.

    Raises:
        UserError: the samples cannot be read or are ambiguous.
    """
    try:
        pixels, classes = read_folder(path, info) if path.is_dir() else _read_npz(path, info)
        _check(pixels, classes, info)
        if pixels.shape[1:] == (info.size, info.size, 3):
            pixels = np.moveaxis(pixels, -1, 1)
        pixels = pixels.reshape(-1, *info.shape)
        images = _from_uint8(pixels.astype(np.uint8, copy=False)) if pixels.dtype == np.uint8 else _from_float(pixels)
        labels = _int64_labels(classes, info)
    except UserError as error:
        raise UserError(f"samples={path}: {error}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UserError(f"samples={path}: cannot be read: {error.strerror or error}{where}") from error
    if missing := set(info.labels) - set(labels.tolist()):
        _log.warning("samples=%s: no images of %s", path, class_names(info, sorted(missing)))
    return images, labels


def _check(images: Header | Pixels, labels: Header | Classes, info: DatasetInfo) -> None:
    """Checks dtypes and shapes, before arrays are unpacked."""
    size, colour = info.size, info.channels == 3
    allowed = [(size, size, 3), (3, size, size)] if colour else [(size, size), (1, size, size), (size, size, 1)]
    if images.shape[1:] not in allowed or images.shape[0] < 2:
        remedy = f"; save images.reshape(-1, {size}, {size})" if images.shape[1:] == (size**2,) else ""
        *most, last = (f"[N, {', '.join(map(str, shape))}]" for shape in allowed)
        raise UserError(
            f"images must be {'colour' if colour else 'grey'}, {', '.join(most)} or {last} with N of at least "
            f"2, got {images.dtype} {list(images.shape)}{remedy}"
        )
    if images.dtype != np.uint8 and not (images.dtype.kind == "f" and images.dtype.itemsize <= 8):
        raise UserError(
            "images must be uint8 in 0..255, or float16, float32 or float64, "
            f"got {images.dtype}; convert to uint8 0..255"
        )
    count = images.shape[0]
    expected, given = (
        f"{_label_rule(info)}, one for each of the {count} images",
        f"got {labels.dtype} {list(labels.shape)}",
    )
    if labels.shape == (count, info.num_classes):
        raise UserError(f"{expected}, {given}; for one-hot labels or scores, save labels.argmax(1)")
    if labels.shape != (count,):
        remedy = "; save labels.reshape(-1)" if math.prod(labels.shape) == count else ""
        raise UserError(f"{expected}, {given}{remedy}")
    if labels.dtype.kind not in "iu":
        raise UserError(f"{expected}, {given}; save labels.astype('int64')")


def _label_rule(info: DatasetInfo) -> str:
    return f"labels must be whole numbers 0..{info.num_classes - 1}"


def _blocks(images: Pixels) -> Iterator[Pixels]:
    """Splits images into blocks, since computing with all at once takes several times their memory."""
    return (images[start : start + _BLOCK] for start in range(0, len(images), _BLOCK))


def _from_uint8(images: NDArray[np.uint8]) -> Tensor:
    """Rejects floats in [0, 1] or [-1, 1] that were cast to uint8: only 0 and 1, and 255 for -1."""
    counts = sum(np.bincount(block.reshape(-1), minlength=256) for block in _blocks(images))
    levels = set(np.flatnonzero(counts).tolist())
    if levels <= {0, 1, 255} and (1 in levels or levels == {0}):
        kind = "grey levels" if images.shape[1] == 1 else "levels"
        raise UserError(
            f"the uint8 images contain only the {kind} {', '.join(map(str, sorted(levels)))}, like floats in "
            "[0, 1] or [-1, 1] that were cast; expected 0..255: "
            "scale before the conversion, (255 * images).round().astype('uint8') for [0, 1]"
        )
    return torch.from_numpy(np.ascontiguousarray(images))


def _from_float(images: Pixels) -> Tensor:
    not_finite = images.size - sum(np.count_nonzero(np.isfinite(block)) for block in _blocks(images))
    if not_finite:
        raise UserError(
            f"{not_finite:,} of the {images.size:,} values of images are NaN or infinite; all must be finite: "
            "fix the program that wrote them"
        )
    low, high = images.min(), images.max()
    if -1 <= low <= -0.9 and high <= 1:
        return _as_uint8(images, lambda pixels: pixels)
    between = any(((block > 0) & (block < 1)).any() for block in _blocks(images))
    if 0 <= low <= 0.1 and 0.9 <= high <= 1 and between:
        return _as_uint8(images, lambda pixels: 2 * pixels - 1)
    remedy = "clip or scale them to one of these ranges, or save uint8 0..255"
    if low >= 0 and high > 2:
        remedy = "if they are in 0..255, save images.round().clip(0, 255).astype('uint8')"
    raise UserError(f"{FLOAT_RULE}, got {images.dtype} from {low!s} to {high!s};\n{remedy}")


def _as_uint8(images: Pixels, scaled: Callable[[Tensor], Tensor]) -> Tensor:
    read = torch.empty(images.shape, dtype=torch.uint8)
    for part, block in zip(read.split(_BLOCK), _blocks(images), strict=True):
        part[:] = to_uint8(scaled(torch.from_numpy(block.astype(np.float32))))
    return read


def _int64_labels(labels: Classes, info: DatasetInfo) -> Tensor:
    if labels.min() < 0 or labels.max() >= info.num_classes:
        expected, given = (
            f"{_label_rule(info)}, one for each of the {len(labels)} images",
            f"{labels.min()}..{labels.max()}",
        )
        raise UserError(f"{expected}, got {given};\nthe classes are {info.choices()}")
    return torch.from_numpy(labels.astype(np.int64))


def _read_npz(path: Path, info: DatasetInfo) -> tuple[Pixels, Classes]:
    """Reads the arrays ``images`` and ``labels``; other members of the archive are not opened."""
    if not path.is_file():
        problem = "neither a file nor a folder" if path.exists() else "no such file or folder"
        raise UserError(f"{problem}; give an .npz with images and labels, or a folder of PNGs")
    with path.open("rb") as file:
        start = file.read(8)
        if not start:
            raise UserError(f"the file is empty; {_REMEDY}")
        if not start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            found = "a single array (.npy)" if start.startswith(b"\x93NUMPY") else "not an .npz"
            raise UserError(f"{found}, expected an .npz with images and labels; {_REMEDY}")
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_archive(file, archive, info)
        except (UserError, MemoryError):
            raise
        except Exception as error:  # many types for damaged files, undocumented by numpy and zipfile
            if isinstance(error, OSError) and error.errno is not None:  # an error of the disk
                raise
            detail = printable([*str(error).splitlines(), type(error).__name__][0])
            raise UserError(f"the .npz is damaged or cut short ({detail}); write it again") from error


def _read_archive(file: IO[bytes], archive: zipfile.ZipFile, info: DatasetInfo) -> tuple[Pixels, Classes]:
    members = {name: _member(file, archive, name) for name in ("images", "labels")}
    headers = [_header(archive, name, member) for name, member in members.items()]
    images, labels = headers
    _check(images, labels, info)
    converted = images.shape[0] * (info.pixels + 8)  # bytes as uint8 images and int64 labels
    memory.require(
        images.nbytes + labels.nbytes + converted,
        f"unpacking images {images.dtype} {list(images.shape)}",
        "write fewer of them into a file, or as uint8",
    )
    pixels, classes = (_array(archive, member) for member in members.values())
    return cast(Pixels, pixels), cast(Classes, classes)  # `_check` has accepted their types


def _member(file: IO[bytes], archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Finds an array; rejects encryption, flagged in either header, and compression that numpy does not write."""
    members = [(info.filename.removesuffix(".npy"), info) for info in archive.infolist()]
    found = [info for each, info in members if each == name]
    if not found:
        listed = ", ".join([*(printable(each) for each, _ in members[:5]), *(["..."] if len(members) > 5 else [])])
        raise UserError(f"expected arrays images and labels, found {listed or 'none'}; {_REMEDY}")
    if len(found) > 1:
        raise UserError(f"it contains {name} {len(found)} times, expected once; {_REMEDY}")
    file.seek(found[0].header_offset)
    (flags,) = struct.unpack("<6xH", file.read(8))
    if (flags | found[0].flag_bits) & _ENCRYPTED:
        raise UserError(f"{name} is encrypted; write it without a password: {_REMEDY}")
    if found[0].compress_type not in _PACKED_BY_NUMPY:
        raise UserError(f"{name} has a compression that numpy does not write; {_REMEDY}")
    return found[0]


def _header(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> Header:
    with archive.open(member) as whole, io.BytesIO(whole.read(_LONGEST_HEADER)) as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise UserError(f"{name} is not an array in numpy's format; {_REMEDY}")
        version = tuple(stream.read(2))
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"unknown version {version} of the format")
        # Format 3.0 differs from 2.0 only in the names of fields, which these arrays do not have.
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
        header = Header(dtype, shape, fortran_order, stream.tell())
    if dtype.hasobject:
        raise UserError(f"{name} contains pickled objects, which are never read; save plain numbers: {_REMEDY}")
    if min(shape, default=0) < 0 or header.start + header.nbytes != member.file_size:
        raise ValueError(f"{name} is not as large as its header says")
    return header


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[np.generic]:
    """Unpacks an array; reading to its end verifies the checksum."""
    with archive.open(member) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise ValueError("more data than the header says")
    return array
