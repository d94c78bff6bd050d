from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets import SVHN

from fmcgan.app.errors import UserError
from fmcgan.data.archive import Archives
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.downloaded import DownloadedData
from fmcgan.data.info import DatasetInfo


class SVHNData(DownloadedData):
    """SVHN (Netzer et al. 2011): 73,257 training and 26,032 test photographs of house numbers, 32 x 32, one digit."""

    n_train = 73_257
    source = DatasetInfo("svhn", tuple("0123456789"), channels=3, size=32, flips=False)

    @property
    def archives(self) -> Archives:
        """Two files, 182 and 64 MB."""
        md5 = {name: checksum for _, name, checksum in SVHN.split_list.values() if "extra" not in name}
        address = SVHN.split_list["train"][0].removesuffix(SVHN.split_list["train"][1])
        return Archives("SVHN", "SVHN", md5, [address], dict.fromkeys(md5, 250_000_000))

    def read(self, folder: Path) -> ImageSplits:
        """Reads both files."""
        return ImageSplits(*self._read_split(folder, "train"), *self._read_split(folder, "test"))

    def _read_split(self, folder: Path, split: str) -> tuple[Tensor, Tensor]:
        try:
            read = SVHN(str(folder), split)  # label 10, the digit 0, becomes label 0
            images, labels = torch.from_numpy(read.data).contiguous(), torch.from_numpy(read.labels)
            if images.shape != (len(labels), *self.source.shape) or labels.min() < 0 or labels.max() > 9:
                raise ValueError(f"images {list(images.shape)} do not fit labels {list(labels.shape)}")
        except (ValueError, KeyError, TypeError) as error:
            path = folder / SVHN.split_list[split][1]
            raise UserError(f"{path} cannot be read: {error}; delete it to download it again") from error
        return images, labels
