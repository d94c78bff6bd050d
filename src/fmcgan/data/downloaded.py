"""Base classes of published data sets, whose files are downloaded once and verified at every load."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor
from torchvision.datasets import MNIST

from fmcgan.app import checks
from fmcgan.app.errors import UserError
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.archive import Archives, ensure_archives, read_idx
from fmcgan.data.datamodule import ImageDataModule, ImageSplits


class DownloadedData(ImageDataModule):
    """A data set that is downloaded on first use. The other arguments are those of `ImageDataModule`.

    Args:
        root: the data folder; a relative path starts at the current folder.
        mirror: a folder with the files, or a ``file://`` or ``http(s)://`` address of one; ``None`` (or an empty text):
            torchvision's mirrors.
    """

    def __init__(
        self, root: str | Path = "data", mirror: str | Path | None = None, *, batch_size: int, seed: int, **options: Any
    ) -> None:
        super().__init__(batch_size, seed, **options)
        if not isinstance(root, str | Path) or not str(root):
            raise ValueError(f"root must be the path of a folder, got {root!r}")
        if not isinstance(mirror, str | Path | None):
            raise ValueError(f"mirror must be a folder, a file:// or http(s):// address or null, got {mirror!r}")
        if "://" in str(mirror):
            scheme = str(mirror).partition("://")[0].lower()
            checks.one_of(("file", "http", "https"), **{"the mirror's scheme": scheme})
        self.root = expand_home(root)
        self.mirror = str(mirror) if mirror else None

    @property
    @abstractmethod
    def archives(self) -> Archives:
        """The files of the data set."""

    def prepare_data(self) -> None:
        """Downloads missing files; Lightning calls this in one process of each machine."""
        ensure_archives(self.archives, self.root, self.mirror)

    def load(self) -> ImageSplits:
        """Reads the files. Raises `UserError` if one cannot be downloaded, or its content is wrong."""
        return self.read(ensure_archives(self.archives, self.root, self.mirror))

    @abstractmethod
    def read(self, folder: Path) -> ImageSplits:
        """Reads the verified files in a folder. Raises `UserError` if their content is wrong."""


class MNISTFormat(DownloadedData):
    """A data set of four gzipped IDX files with the names of MNIST's: grey images and one label each."""

    title: ClassVar[str]
    published: ClassVar[type[MNIST]]  # torchvision's class, which knows checksums and mirrors
    sizes: ClassVar[tuple[int, int, int, int]]  # most bytes of training images and labels, test images and labels
    n_train = 60_000

    @property
    def archives(self) -> Archives:
        """The four files."""
        known = self.published
        md5 = dict(known.resources)
        sizes = dict(zip(md5, self.sizes, strict=True))
        return Archives(self.title, f"{known.__name__}/raw", md5, known.mirrors, sizes)

    def read(self, folder: Path) -> ImageSplits:
        """Reads the four files."""
        return ImageSplits(*self._read_split(folder, "train"), *self._read_split(folder, "t10k"))

    def _read_split(self, folder: Path, split: str) -> tuple[Tensor, Tensor]:
        images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
        labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
        source = self.source
        if images.shape != (len(labels), *source.shape[1:]) or labels.ndim != 1 or labels.max() >= source.num_classes:
            expected = ", ".join(map(str, source.shape[1:]))
            raise UserError(
                f"the {split} files in {folder} hold images {tuple(images.shape)} and labels {tuple(labels.shape)} up "
                f"to {labels.max()}, not [N, {expected}] and [N] up to {source.num_classes - 1}; delete them to "
                "download them again"
            )
        return images.unsqueeze(1), labels.long()
