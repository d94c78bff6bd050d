"""Samples that any program made."""

import zipfile
from pathlib import Path

import numpy as np
import torch

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.errors import UserError
from fmcgan.metric.score import LabelledImages


def read_samples(path: Path) -> LabelledImages:
    """Reads an ``.npz`` with ``images`` uint8 [N, 28, 28] and ``labels`` integer [N] in 0..9.

    Raises:
        UserError: says what is there and what was expected.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("images", "labels") if name in file}
    except FileNotFoundError:
        raise UserError(f"samples={path}: no such file; an .npz with images and labels is expected") from None
    except (OSError, ValueError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise UserError(f"samples={path} cannot be read as an .npz of plain arrays") from error
    if set(arrays) != {"images", "labels"}:
        raise UserError(f"samples={path} must hold the arrays images and labels, found {sorted(arrays) or 'neither'}")
    images, labels = arrays["images"], arrays["labels"]
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28) or len(images) < 2:
        raise UserError(f"images must be uint8 [N, 28, 28] with N >= 2, got {images.dtype} {list(images.shape)}")
    wrong_labels = labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]
    if wrong_labels or labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise UserError(
            f"labels must be whole numbers 0..{NUM_CLASSES - 1}, one for each of the {len(images)} images, "
            f"got {labels.dtype} {list(labels.shape)}"
        )
    return LabelledImages(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)))
