"""Images in NumPy arrays."""

import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.app.checks import number, seed_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.info import DatasetInfo
from fmcgan.data.split import check_splits, describe, split

_KEYS = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("images", "labels"),
)
_EXPECTED = "train_images, train_labels, test_images and test_labels, or images and labels"


class NpzData(ImageDataModule):
    """Images in an ``.npz`` file.

    It holds ``train_images``, ``train_labels``, ``test_images`` and ``test_labels`` (or ``x_train``, ``y_train``,
    ``x_test`` and ``y_test``), or ``images`` and ``labels``, of which test images are drawn. Images are uint8 [N, H, W]
    or [N, H, W, 1 or 3], labels whole numbers 0..K - 1, [N] or [N, 1]. An array ``class_names`` may name the classes.

    Args:
        path: the file.
        class_names: names of the classes; ``None``: those in the file, else numbers.
        flips: whether a mirrored image is as plausible as the original.
        test_share: share of the test images if the file has none.
        split_seed: of that choice. The other arguments are those of `ImageDataModule`.
    """

    def __init__(
        self,
        path: str | Path,
        class_names: list[str] | None = None,
        flips: bool = False,
        test_share: float = 0.2,
        split_seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not isinstance(path, str | Path) or not str(path):
            raise InvalidValueError(f"path must be an .npz file, got {path!r}", "path")
        number(0.01, 0.9, test_share=test_share)
        seed_number(split_seed=split_seed)
        self.path, self.flips = expand_home(path), bool(flips)
        self.class_names = None if class_names is None else tuple(map(str, class_names))
        self.test_share, self.split_seed = test_share, split_seed

    @cached_property
    def source(self) -> DatasetInfo:
        """Classes and shape of the arrays."""
        return self._source_of_arrays()

    def _source_of_arrays(self) -> DatasetInfo:
        images, labels = self._arrays[:2]
        names = self.class_names or self._named
        return describe(self.path, images, labels, names, self.resize.size, self.flips)

    def load(self) -> ImageSplits:
        """Reads the file. Raises `UserError` if an array is missing or of another form."""
        images, labels, *test = self._arrays
        drawn = None if test else split(images, labels, self.test_share, self.split_seed)
        return check_splits(drawn or ImageSplits(images, labels, *test), self.info, self.path)

    @cached_property
    def _arrays(self) -> tuple[Tensor, ...]:
        with self._opened() as file:
            keys = next((keys for keys in _KEYS if set(keys) <= set(file)), None)
            if keys is None:
                raise UserError(f"{self.path} holds {', '.join(file) or 'nothing'}, expected arrays {_EXPECTED}")
            arrays = [self._array(file, key) for key in keys]
        tensors = [
            _images(array, f"{self.path}: {key}") if index % 2 == 0 else _labels(array, f"{self.path}: {key}")
            for index, (key, array) in enumerate(zip(keys, arrays, strict=True))
        ]
        return tuple(tensors)

    @cached_property
    def _named(self) -> tuple[str, ...] | None:
        with self._opened() as file:
            return tuple(map(str, self._array(file, "class_names").tolist())) if "class_names" in file else None

    def _opened(self) -> Any:
        if not self.path.is_file():
            raise UserError(f"{self.path}: no such file; give data.path=FILE.npz with arrays {_EXPECTED}")
        try:
            file = np.load(self.path, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.path} is not a readable .npz file; np.savez writes such a file") from error
        if not isinstance(file, Mapping):
            raise UserError(f"{self.path} holds a single array, expected an .npz with arrays {_EXPECTED}")
        return file

    def _array(self, file: Mapping[str, NDArray[Any]], key: str) -> NDArray[Any]:
        try:
            return file[key]
        except Exception as error:  # many types for damaged or pickled members
            raise UserError(f"{self.path}: {key} cannot be read ({type(error).__name__}); save plain arrays") from error


def _images(array: NDArray[Any], where: str) -> Tensor:
    if array.ndim == 3:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise UserError(f"{where} must be uint8 [N, H, W] or [N, H, W, 1 or 3], got {array.dtype} {list(array.shape)}")
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def _labels(array: NDArray[Any], where: str) -> Tensor:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size == 0 or array.min() < 0:
        given = f"got {array.dtype} {list(array.shape)}"
        raise UserError(f"{where} must be whole numbers 0..K - 1, [N] or [N, 1] (one class each), {given}")
    return torch.from_numpy(array.astype(np.int64))
