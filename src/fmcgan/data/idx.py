from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.archive import read_idx
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.info import DatasetInfo
from fmcgan.data.split import check_splits, describe

_FILES = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"


class IdxData(ImageDataModule):
    """Four files in the format and with the names of MNIST's, gzipped (``.gz``) or not, in a folder.

    Args:
        root: the folder.
        class_names: names of the classes; ``None``: numbers.
        flips: whether a mirrored image is as plausible as the original. The other arguments are those of
            `ImageDataModule`.
    """

    def __init__(
        self, root: str | Path, class_names: list[str] | None = None, flips: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        if not isinstance(root, str | Path) or not str(root):
            raise InvalidValueError(f"root must be the folder of the files, got {root!r}", "root")
        self.root, self.flips = expand_home(root), bool(flips)
        self.class_names = None if class_names is None else tuple(map(str, class_names))

    @cached_property
    def source(self) -> DatasetInfo:
        """Classes and shape in the files."""
        images, labels, _, _ = self._splits
        return describe(self.root, images, labels, self.class_names, self.resize.size, self.flips)

    def load(self) -> ImageSplits:
        """Reads the files. Raises `UserError` if one is missing or damaged."""
        return check_splits(self._splits, self.info, self.root)

    @cached_property
    def _splits(self) -> ImageSplits:
        return ImageSplits(*(tensor for split in ("train", "t10k") for tensor in self._read_split(split)))

    def _read_split(self, split: str) -> tuple[Tensor, Tensor]:
        images, labels = (self._read(f"{split}-{content}-ubyte") for content in ("images-idx3", "labels-idx1"))
        if images.ndim != 3 or labels.ndim != 1:
            shapes = f"{list(images.shape)} and {list(labels.shape)}"
            raise UserError(f"{self.root}: images must be [N, H, W] and labels [N], got {shapes} ({split})")
        return images.unsqueeze(1), labels.long()

    def _read(self, name: str) -> Tensor:
        found = [path for path in (self.root / name, self.root / f"{name}.gz") if path.is_file()]
        if not found:
            raise UserError(f"{self.root} has no file {name} or {name}.gz; data.root needs {_FILES}")
        return read_idx(found[0], "repair it")
