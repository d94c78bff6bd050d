import io
import pickle
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10

from fmcgan.app.errors import UserError
from fmcgan.data.archive import Archives
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.downloaded import DownloadedData
from fmcgan.data.info import DatasetInfo

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class CIFAR10Data(DownloadedData):
    """CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test photographs of 32 x 32 pixels."""

    n_train = 50_000
    source = DatasetInfo("cifar10", _CLASSES, channels=3, size=32, flips=True)

    @property
    def archives(self) -> Archives:
        """One archive, 170 MB."""
        name, address = CIFAR10.filename, CIFAR10.url.removesuffix(CIFAR10.filename)
        return Archives("CIFAR-10", "CIFAR10", {name: CIFAR10.tgz_md5}, [address], {name: 200_000_000})

    def read(self, folder: Path) -> ImageSplits:
        """Reads the batches from the archive, without unpacking it to the disk."""
        path = folder / CIFAR10.filename
        batches: dict[str, tuple[Tensor, Tensor]] = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = Path(member.name).name
                    if "_batch" in name and (file := archive.extractfile(member)):
                        batches[name] = _parse(file.read())
            train = [batches[name] for name, _ in CIFAR10.train_list]
            (test,) = (batches[name] for name, _ in CIFAR10.test_list)
        except (tarfile.TarError, pickle.UnpicklingError, EOFError, KeyError, ValueError, RuntimeError) as error:
            raise UserError(f"{path} cannot be read: {error}; delete it to download it again") from error
        images, labels = (torch.cat(parts) for parts in zip(*train, strict=True))
        return ImageSplits(images, labels, *test)


def _parse(content: bytes) -> tuple[Tensor, Tensor]:
    batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    images = torch.from_numpy(np.array(batch[b"data"])).view(-1, 3, 32, 32)
    return images, torch.tensor(batch[b"labels"])


class _Unpickler(pickle.Unpickler):
    """Reads arrays and plain values only. The archive's checksum is verified, but MD5 is weak."""

    ALLOWED: ClassVar = {("numpy", "dtype"), ("numpy", "ndarray"), ("_codecs", "encode")}

    def find_class(self, module: str, name: str) -> object:
        """Returns a class of numpy's arrays."""
        if (module, name) in self.ALLOWED or (module.startswith("numpy.") and name in ("_reconstruct", "_frombuffer")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")
