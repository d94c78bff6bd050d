from pathlib import Path

from torch import Tensor

from fmcgan.app import checks
from fmcgan.app.errors import UserError
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.archive import ensure_archives, read_idx
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo


class FashionMNISTData(ImageDataModule):
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747): 60,000 training and 10,000 test images.

    Downloaded on first use and verified at every load. The other arguments are those of `ImageDataModule`.

    Args:
        root: the data folder; a relative path starts at the current folder.
        mirror: a folder with the four ``.gz`` files, or a ``file://`` or ``http(s)://`` address of one; ``None`` (or an
            empty text): torchvision's mirrors.
    """

    n_train = 60_000
    info: DatasetInfo = GARMENTS

    def __init__(
        self, root: str | Path = "data", mirror: str | Path | None = None, *, batch_size: int, seed: int
    ) -> None:
        super().__init__(batch_size, seed)
        if not isinstance(root, str | Path) or not str(root):
            raise ValueError(f"root must be the path of a folder, got {root!r}")
        if not isinstance(mirror, str | Path | None):
            raise ValueError(f"mirror must be a folder, a file:// or http(s):// address or null, got {mirror!r}")
        if "://" in str(mirror):
            scheme = str(mirror).partition("://")[0].lower()
            checks.one_of(("file", "http", "https"), **{"the mirror's scheme": scheme})
        self.root = expand_home(root)
        self.mirror = str(mirror) if mirror else None

    def prepare_data(self) -> None:
        """Downloads missing files; Lightning calls this in one process of each machine."""
        ensure_archives(self.root, self.mirror)

    def load(self) -> ImageSplits:
        """Reads the four files. Raises `UserError` if one cannot be downloaded, or its content is wrong."""
        folder = ensure_archives(self.root, self.mirror)
        return ImageSplits(*_read_split(folder, "train"), *_read_split(folder, "t10k"))


def _read_split(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    if images.shape != (len(labels), *GARMENTS.shape[1:]) or labels.ndim != 1 or labels.max() >= GARMENTS.num_classes:
        raise UserError(
            f"the {split} files in {folder} hold images {tuple(images.shape)} and labels {tuple(labels.shape)} up to "
            f"{labels.max()}, not [N, 28, 28] and [N] up to {GARMENTS.labels[-1]}; delete them to download them again"
        )
    return images.unsqueeze(1), labels.long()
