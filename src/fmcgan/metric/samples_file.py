"""Samples that any program made: read where they can mean one thing only, else refused with what to do."""

import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.app.errors import UserError
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.data.images import to_uint8
from fmcgan.metric.samples_folder import read_folder
from fmcgan.metric.samples_npz import read_npz

FLOAT_RULE = (
    "float images are read only if they are clearly in [-1, 1] (the darkest value of all at most -0.9) or clearly in "
    "[0, 1] (the darkest at most 0.1, the brightest at least 0.9, and others than 0 and 1)"
)
"""No garment fills its picture, so every set has black in it; sets in [0, 1] that lack white may be dark 0..255."""

_SHAPES = {(28, 28), (1, 28, 28), (28, 28, 1)}
_WHOLE = f"labels must be whole numbers 0..{NUM_CLASSES - 1}"
_BLOCK = 1000  # images at a time

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
        pixels, classes = read_folder(path) if path.is_dir() else read_npz(path, _check)
        _check(pixels, classes)
        pixels = pixels.reshape(-1, 1, 28, 28)
        images = _uncut(pixels) if pixels.dtype == np.uint8 else _from_float(pixels)
        labels = _whole_labels(classes)
    except UserError as error:
        raise UserError(f"samples={path}: {error}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UserError(f"samples={path}: cannot be read: {error.strerror or error}{where}") from error
    if missing := [name for label, name in enumerate(CLASS_NAMES) if not (labels == label).any()]:
        _log.warning("samples=%s: no images of %s", path, ", ".join(missing))
    return images, labels


def _check(images: Any, labels: Any) -> None:
    """Refuses arrays that cannot be samples by their ``dtype`` and ``shape``, before they are unpacked."""
    if images.shape[1:] not in _SHAPES or images.shape[0] < 2:
        remedy = "; images.reshape(-1, 28, 28) restores the rows" if images.shape[1:] == (784,) else ""
        raise UserError(
            "images must be grey, [N, 28, 28], [N, 1, 28, 28] or [N, 28, 28, 1] with N of at least 2, "
            f"got {images.dtype} {list(images.shape)}{remedy}"
        )
    if images.dtype != np.uint8 and not (images.dtype.kind == "f" and images.dtype.itemsize <= 8):
        raise UserError(
            "images must be uint8 in 0..255, or float16, float32 or float64, "
            f"got {images.dtype}; convert to uint8 0..255"
        )
    count = images.shape[0]
    expected, given = f"{_WHOLE}, one for each of the {count} images", f"got {labels.dtype} {list(labels.shape)}"
    if labels.shape == (count, NUM_CLASSES):
        raise UserError(f"{expected}, {given}; of one-hot labels or scores save labels.argmax(1)")
    if labels.shape != (count,):
        remedy = "; save labels.reshape(-1)" if math.prod(labels.shape) == count else ""
        raise UserError(f"{expected}, {given}{remedy}")
    if labels.dtype.kind not in "iu":
        raise UserError(f"{expected}, {given}; save them as integers, labels.astype('int64')")


def _blocks(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Parts of the images: what is computed of all of them at once would need several times their memory."""
    return (images[start : start + _BLOCK] for start in range(0, len(images), _BLOCK))


def _uncut(images: NDArray[np.uint8]) -> Tensor:
    """Refuses what is left when floats in [0, 1] or [-1, 1] are cast to uint8: 0 and 1, and 255 where it was -1."""
    counts = sum(np.bincount(block.reshape(-1), minlength=256) for block in _blocks(images))
    levels = set(np.flatnonzero(counts).tolist())
    if levels <= {0, 1, 255} and (1 in levels or levels == {0}):
        raise UserError(
            f"the uint8 images have no grey level but {', '.join(map(str, sorted(levels)))}, as if floats in [0, 1] or "
            "[-1, 1] had been cast; "
            "expected 0..255: scale before the conversion, (255 * images).round().astype('uint8') for [0, 1]"
        )
    return torch.from_numpy(np.ascontiguousarray(images))


def _from_float(images: NDArray[Any]) -> Tensor:
    strange = images.size - sum(np.count_nonzero(np.isfinite(block)) for block in _blocks(images))
    if strange:
        raise UserError(
            f"{strange:,} of the {images.size:,} values of images are NaN or infinite; all must be finite: "
            "mend the program that made them"
        )
    low, high = images.min(), images.max()
    if -1 <= low <= -0.9 and high <= 1:
        return _as_uint8(images, lambda pixels: pixels)
    between = any(((block > 0) & (block < 1)).any() for block in _blocks(images))
    if 0 <= low <= 0.1 and 0.9 <= high <= 1 and between:
        return _as_uint8(images, lambda pixels: 2 * pixels - 1)
    remedy = "clip or scale them to the range that is meant, or save uint8 0..255"
    if low >= 0 and high > 2:
        remedy = "if they are in 0..255, save images.round().clip(0, 255).astype('uint8')"
    raise UserError(f"{FLOAT_RULE}, got {images.dtype} from {low!s} to {high!s};\n{remedy}")


def _as_uint8(images: NDArray[Any], scaled: Callable[[Tensor], Tensor]) -> Tensor:
    read = torch.empty(images.shape, dtype=torch.uint8)
    for place, block in zip(read.split(_BLOCK), _blocks(images), strict=True):
        place[:] = to_uint8(scaled(torch.from_numpy(block.astype(np.float32))))
    return read


def _whole_labels(labels: NDArray[Any]) -> Tensor:
    """Labels of any integer type as int64."""
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        names = ", ".join(f"{label} {name}" for label, name in enumerate(CLASS_NAMES))
        given = f"got {labels.min()}..{labels.max()}"
        raise UserError(f"{_WHOLE}, one for each of the {len(labels)} images, {given};\nthe classes are {names}")
    return torch.from_numpy(labels.astype(np.int64))
