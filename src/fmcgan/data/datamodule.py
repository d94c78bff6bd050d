"""Base class of the data sets: images on the training device and shuffled batches of them."""

import warnings
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from fmcgan.app import checks
from fmcgan.app.errors import UserError
from fmcgan.data.batches import DeviceLoader, ImageBatches, ShuffledBatches
from fmcgan.data.info import DatasetInfo


class ImageSplits(NamedTuple):
    """Images uint8 [N, C, H, W] in 0..255 and labels int64 [N] of a data set; its `DatasetInfo` has C, H and W."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: torch.device | str) -> "ImageSplits":
        """Copies the tensors that are on another device."""
        return ImageSplits(*(tensor.to(device) for tensor in self))


class ImageDataModule(LightningDataModule, ABC):
    """Holds a data set as uint8 on the training device and serves shuffled batches of its training images.

    The Trainer needs ``use_distributed_sampler=False``, since this class splits the batches among the devices.
    Subclasses that know the number of training images before loading set ``n_train``.

    Args:
        batch_size: images in a global batch, over all devices.
        seed: of the order of the batches.
    """

    images: ImageSplits
    """The data set on the training device, with test images for the metrics; set by ``setup``."""

    def __init__(self, batch_size: int, seed: int) -> None:
        super().__init__()
        checks.whole_number(batch_size=batch_size)
        checks.seed_number(seed=seed)
        self.batch_size, self.seed = batch_size, seed

    @property
    @abstractmethod
    def info(self) -> DatasetInfo:
        """Classes and shape of the images, known before the images are loaded."""

    @abstractmethod
    def load(self) -> ImageSplits:
        """Reads or draws the data set on the CPU."""

    def setup(self, stage: str | None = None) -> None:
        """Loads the data set once and moves it to the training device (the CPU without a Trainer)."""
        images = self.images if hasattr(self, "images") else self.load()
        self.images = images.to(self.trainer.strategy.root_device if self.trainer else "cpu")

    def train_dataloader(self) -> DeviceLoader:
        """Returns the training batches of this process: float32 [B, C, H, W] in [-1, 1] and int64 [B].

        Raises:
            UserError: the batch size does not fit the training set or the devices, or the Trainer overfits batches.
        """
        if getattr(self.trainer, "overfit_batches", 0):  # Lightning would replace the sampler by one of single images
            raise UserError("trainer.overfit_batches is not supported; use trainer.limit_train_batches")
        warnings.filterwarnings("ignore", ".*does not have many workers.*")  # indexing needs no workers
        images, labels = self.images.train_images, self.images.train_labels
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        try:
            sampler = ShuffledBatches(
                len(images), self.batch_size, self.seed, rank, world_size, images.device, self._batches_done
            )
        except ValueError as error:
            raise UserError(f"data.{error}") from error
        return DeviceLoader(ImageBatches(images, labels), sampler)

    def _batches_done(self) -> int:
        """Returns the batches that the Trainer completed in this epoch, above 0 when it resumes within one."""
        return self.trainer.fit_loop.batch_idx + 1 if self.trainer else 0
