"""Samples that any program made: read where they can mean one thing only, else refused with what to do."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.data.images import to_uint8
from fmcgan.errors import UserError
from fmcgan.metric.samples_folder import read_folder

FLOAT_RULE = (
    "float images are read only if they are clearly in [-1, 1] (the darkest value of all at most -0.9) or clearly in "
    "[0, 1] (the darkest at most 0.1, the brightest at least 0.9, and others than 0 and 1)"
)
"""No garment fills its picture, so every set has black in it; sets in [0, 1] that lack white may be dark 0..255."""

_SHAPES = {(28, 28), (1, 28, 28), (28, 28, 1)}
_REMEDY = "np.savez(FILE, images=images, labels=labels) writes what is expected"

_log = logging.getLogger(__name__)


def read_samples(path: Path) -> tuple[Tensor, Tensor]:
    """Reads samples from an ``.npz`` or from a folder of PNGs (see `read_folder`).

    The ``.npz`` holds ``images`` [N, 28, 28], [N, 1, 28, 28] or [N, 28, 28, 1] and ``labels`` [N], N at least 2:

    - images are uint8 in 0..255, black 0, or float16, float32 or float64. Float images are read only if they are
      clearly in [-1, 1] (the darkest value of all at most -0.9) or clearly in [0, 1] (the darkest at most 0.1, the
      brightest at least 0.9, and others than 0 and 1). Nothing is clipped. uint8 images that floats seem to have been
      cut down to (nothing but 0 and 1, or 0, 1 and 255) are refused.
    - labels are of any integer type, 0..9. Classes without images are allowed and named in a warning.

    Nothing in the file is executed: pickled objects are refused.

    Args:
        path: of the file or the folder.

    Returns:
        Images uint8 [N, 1, 28, 28] and labels int64 [N], in the order of the file.

    Raises:
        UserError: what is there, what was expected and what to do.
    """
    try:
        arrays = read_folder(path) if path.is_dir() else _read_npz(path)
        images = _grey_levels(_stacked(arrays[0]))
        labels = _whole_labels(arrays[1], len(images))
    except UserError as error:
        raise UserError(f"samples={path}: {error}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UserError(f"samples={path}: cannot be read: {error.strerror or error}{where}") from error
    if missing := [name for label, name in enumerate(CLASS_NAMES) if not (labels == label).any()]:
        _log.warning("samples=%s: no images of %s", path, ", ".join(missing))
    return images, labels


def _read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    if not path.exists():
        raise UserError("no such file or folder; give an .npz with images and labels, or a folder of PNGs")
    content = path.read_bytes()
    if not content:
        raise UserError(f"the file is empty; {_REMEDY}")
    if content.startswith(b"\x93NUMPY"):
        raise UserError(f"one array (.npy) without labels, expected an .npz with images and labels; {_REMEDY}")
    if not content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise UserError(f"not an .npz (a pickle or another format), expected images and labels; {_REMEDY}")
    arrays = _unpacked(content)
    if not {"images", "labels"} <= set(arrays):
        found = ", ".join(list(arrays)[:5]) + (", ..." if len(arrays) > 5 else "")
        raise UserError(f"the arrays images and labels are expected, found {found or 'none'}; {_REMEDY}")
    for name in ("images", "labels"):
        if not isinstance(arrays[name], np.ndarray):  # numpy hands out as bytes what it does not know
            raise UserError(f"{name} is no array in numpy's format; {_REMEDY}")
    return arrays["images"], arrays["labels"]


def _unpacked(content: bytes) -> dict[str, Any]:
    """What an ``.npz`` holds under each name; only images and labels are unpacked."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] if name in ("images", "labels") else None for name in archive.files}
    except Exception as error:  # of a damaged file: a dozen types, which numpy and zipfile do not document
        if "Object arrays" in str(error):
            raise UserError(f"holds pickled objects, which are never read; save plain numbers: {_REMEDY}") from error
        detail = [*str(error).splitlines(), type(error).__name__][0]
        raise UserError(f"the .npz is damaged or cut short ({detail}); write it again") from error


def _stacked(images: NDArray[Any]) -> NDArray[Any]:
    """Images as [N, 1, 28, 28]."""
    if images.shape[1:] in _SHAPES and len(images) >= 2:
        return np.ascontiguousarray(images.reshape(-1, 1, 28, 28))
    remedy = "; images.reshape(-1, 28, 28) restores the rows" if images.shape[1:] == (784,) else ""
    raise UserError(
        "images must be grey, [N, 28, 28], [N, 1, 28, 28] or [N, 28, 28, 1] with N of at least 2, "
        f"got {images.dtype} {list(images.shape)}{remedy}"
    )


def _grey_levels(images: NDArray[Any]) -> Tensor:
    """Images of any readable type as uint8."""
    if images.dtype == np.uint8:
        return _uncut(images)
    if images.dtype.kind == "f" and images.dtype.itemsize <= 8:  # of either byte order
        return _from_float(images)
    raise UserError(
        f"images must be uint8 in 0..255, or float16, float32 or float64, got {images.dtype}; convert to uint8 0..255"
    )


def _uncut(images: NDArray[np.uint8]) -> Tensor:
    """Refuses what is left when floats in [0, 1] or [-1, 1] are cast to uint8: 0 and 1, and 255 where it was -1."""
    between = ((images > 1) & (images < 255)).any()
    if not between and ((images == 1).any() or not images.any()):
        levels = ", ".join(str(level) for level in (0, 1, 255) if (images == level).any())
        raise UserError(
            f"the uint8 images have no grey level but {levels}, as if floats in [0, 1] or [-1, 1] had been cast; "
            "expected 0..255: scale before the conversion, (255 * images).round().astype('uint8') for [0, 1]"
        )
    return torch.from_numpy(images)


def _from_float(images: NDArray[np.floating]) -> Tensor:
    strange = images.size - np.count_nonzero(np.isfinite(images))
    if strange:
        raise UserError(
            f"{strange:,} of the {images.size:,} values of images are NaN or infinite; all must be finite: "
            "mend the program that made them"
        )
    low, high = images.min(), images.max()
    pixels = torch.from_numpy(images.astype(np.float32))
    if -1 <= low <= -0.9 and high <= 1:
        return to_uint8(pixels)
    if 0 <= low <= 0.1 and 0.9 <= high <= 1 and ((images > 0) & (images < 1)).any():
        return to_uint8(2 * pixels - 1)
    remedy = "clip or scale them to the range that is meant, or save uint8 0..255"
    if low >= 0 and high > 2:
        remedy = "if they are in 0..255, save images.round().clip(0, 255).astype('uint8')"
    raise UserError(f"{FLOAT_RULE}, got {images.dtype} from {low!s} to {high!s};\n{remedy}")


def _whole_labels(labels: NDArray[Any], count: int) -> Tensor:
    """Labels of any readable type as int64."""
    expected = f"labels must be whole numbers 0..{NUM_CLASSES - 1}, one for each of the {count} images"
    given = f"got {labels.dtype} {list(labels.shape)}"
    if labels.shape == (count, NUM_CLASSES):
        raise UserError(f"{expected}, {given}; of one-hot labels or scores save labels.argmax(1)")
    if labels.shape != (count,):
        remedy = "; save labels.reshape(-1)" if labels.size == count else ""
        raise UserError(f"{expected}, {given}{remedy}")
    if labels.dtype.kind not in "iu":
        raise UserError(f"{expected}, {given}; save them as integers, labels.astype('int64')")
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        names = ", ".join(f"{label} {name}" for label, name in enumerate(CLASS_NAMES))
        raise UserError(f"{expected}, got {labels.min()}..{labels.max()};\nthe classes are {names}")
    return torch.from_numpy(labels.astype(np.int64))
