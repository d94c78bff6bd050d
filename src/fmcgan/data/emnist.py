import string
import zipfile
from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.datasets import EMNIST

from fmcgan.app.checks import one_of
from fmcgan.app.errors import UserError
from fmcgan.data.archive import Archives, parse_idx
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.downloaded import DownloadedData
from fmcgan.data.info import DatasetInfo

_MERGED = "abdefghnqrt"  # small letters that are classes of their own in the split ``balanced``
_CLASSES = {
    "letters": tuple(string.ascii_lowercase),
    "balanced": (*string.digits, *string.ascii_uppercase, *(f"small {letter}" for letter in _MERGED)),
}
_FIRST_LABEL = {"letters": 1, "balanced": 0}
_N_TRAIN = {"letters": 124_800, "balanced": 112_800}


class EMNISTData(DownloadedData):
    """EMNIST (Cohen et al. 2017, arXiv:1702.05373): handwritten letters, and digits with letters.

    Args:
        split: ``letters`` (26 classes, capital and small letters together; 124,800 training and 20,800 test images) or
            ``balanced`` (47 classes: digits, capital letters, and small letters that look different; 112,800 and
            18,800). The other arguments are those of `DownloadedData`.
    """

    def __init__(self, split: str, root: str | Path = "data", mirror: str | Path | None = None, **options: Any) -> None:
        super().__init__(root, mirror, **options)
        one_of(tuple(_CLASSES), split=split)
        self.split, self.n_train = split, _N_TRAIN[split]

    @property
    def archives(self) -> Archives:
        """One archive with all splits, 562 MB."""
        address = EMNIST.url.removesuffix("gzip.zip")
        return Archives("EMNIST", "EMNIST/raw", {"gzip.zip": EMNIST.md5}, [address], {"gzip.zip": 600_000_000})

    @property
    def source(self) -> DatasetInfo:
        """The classes of the split."""
        return DatasetInfo(f"emnist_{self.split}", _CLASSES[self.split], flips=False)

    def read(self, folder: Path) -> ImageSplits:
        """Reads the files of the split from the archive."""
        path = folder / "gzip.zip"
        try:
            with zipfile.ZipFile(path) as archive:
                return ImageSplits(*self._read_split(archive, "train"), *self._read_split(archive, "test"))
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} cannot be read: {error}; delete it to download it again") from error

    def _read_split(self, archive: zipfile.ZipFile, part: str) -> tuple[Tensor, Tensor]:
        images, labels = (
            parse_idx(archive.open(f"gzip/emnist-{self.split}-{part}-{content}-ubyte.gz"))
            for content in ("images-idx3", "labels-idx1")
        )
        labels = labels.long() - _FIRST_LABEL[self.split]
        if images.shape != (len(labels), 28, 28) or labels.min() < 0 or labels.max() >= self.source.num_classes:
            raise ValueError(f"its {part} images {list(images.shape)} do not fit its labels {list(labels.shape)}")
        return images.transpose(1, 2).contiguous().unsqueeze(1), labels  # the files hold columns first
