from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets import USPS

from fmcgan.app.errors import UserError
from fmcgan.data.archive import Archives
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.downloaded import DownloadedData
from fmcgan.data.info import DatasetInfo


class USPSData(DownloadedData):
    """USPS (Hull 1994): 7,291 training and 2,007 test images of handwritten digits from envelopes, 16 x 16."""

    n_train = 7_291
    source = DatasetInfo("usps", tuple("0123456789"), size=16, flips=False)

    @property
    def archives(self) -> Archives:
        """Two files, 6.6 and 1.8 MB."""
        md5 = {name: checksum for _, name, checksum in USPS.split_list.values()}
        address, name, _ = USPS.split_list["train"]
        return Archives("USPS", "USPS", md5, [address.removesuffix(name)], dict.fromkeys(md5, 10_000_000))

    def read(self, folder: Path) -> ImageSplits:
        """Reads both files."""
        return ImageSplits(*_read_split(folder, "train"), *_read_split(folder, "test"))


def _read_split(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    try:
        read = USPS(str(folder), train=split == "train")
        images, labels = torch.from_numpy(read.data).unsqueeze(1), torch.tensor(read.targets)
        if len(images) != len(labels) or labels.min() < 0 or labels.max() > 9:
            raise ValueError(f"images {list(images.shape)} do not fit labels {list(labels.shape)}")
    except (ValueError, IndexError, OSError, EOFError) as error:
        path = folder / USPS.split_list[split][1]
        raise UserError(f"{path} cannot be read: {error}; delete it to download it again") from error
    return images, labels
