"""Base class of the data sets: images on the training device and shuffled batches of them."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from fmcgan.app import checks
from fmcgan.app.errors import UserError
from fmcgan.data.batches import DeviceLoader, ImageBatches, ShuffledBatches
from fmcgan.data.info import DatasetInfo
from fmcgan.data.resize import Resize
from fmcgan.data.subset import Subset


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

    Args:
        batch_size: images in a global batch, over all devices.
        seed: of the order of the batches.
        size: height and width in pixels, a multiple of 4 from 16 to 64; ``None``: as in the files.
        resize: how images become that large, a filter of `Resize`.
        aspect: what becomes of images that are not square, see `Resize`.
        subset: chooses training images; ``None``: all. Test images are never left out.
        epoch_images: images of an epoch, see `ShuffledBatches`; ``None``: all training images once.
    """

    n_train: int | None = None
    """Training images before `subset`, if known before loading."""

    images: ImageSplits
    """The data set on the training device, with test images for the metrics; set by ``setup``."""

    def __init__(
        self,
        batch_size: int,
        seed: int,
        size: int | None = None,
        resize: str = "lanczos",
        aspect: str = "crop",
        subset: Subset | None = None,
        epoch_images: int | None = None,
    ) -> None:
        super().__init__()
        checks.whole_number(batch_size=batch_size)
        checks.seed_number(seed=seed)
        given = {"size": size, "epoch_images": epoch_images}
        checks.whole_number(**{name: value for name, value in given.items() if value is not None})
        self.batch_size, self.seed = batch_size, seed
        self.resize = Resize(size, resize, aspect)
        self.subset, self.epoch_images = subset or Subset(), epoch_images

    @property
    @abstractmethod
    def source(self) -> DatasetInfo:
        """Classes and shape of the images of `load`, known before they are loaded."""

    @property
    def info(self) -> DatasetInfo:
        """Classes and shape of the images, known before they are loaded."""
        size = self.resize.size
        return self.source if size in (None, self.source.size) else replace(self.source, size=size)

    @property
    def images_per_epoch(self) -> int | None:
        """Training images of an epoch; ``None`` if their number is not known before they are loaded."""
        return self.epoch_images or (self.n_train if self.subset.is_all else None)

    @abstractmethod
    def load(self) -> ImageSplits:
        """Reads or draws the data set on the CPU, before `resize` and `subset`."""

    def prepared(self) -> ImageSplits:
        """Loads, resizes and chooses images. Raises `UserError` if the files do not hold them."""
        splits = self.load()
        if not self.subset.is_all:
            chosen = self.subset.choose(splits.train_labels, self.info)
            splits = splits._replace(train_images=splits.train_images[chosen], train_labels=splits.train_labels[chosen])
        return splits._replace(
            train_images=self.resize.images(splits.train_images), test_images=self.resize.images(splits.test_images)
        )

    def setup(self, stage: str | None = None) -> None:
        """Loads the data set once and moves it to the training device (the CPU without a Trainer)."""
        images = self.images if hasattr(self, "images") else self.prepared()
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
                *(len(images), self.batch_size, self.seed, rank, world_size, images.device, self._batches_done),
                epoch_images=self.epoch_images,
            )
        except ValueError as error:
            raise UserError(f"data.{error}") from error
        return DeviceLoader(ImageBatches(images, labels), sampler)

    def _batches_done(self) -> int:
        """Returns the batches that the Trainer completed in this epoch, above 0 when it resumes within one."""
        return self.trainer.fit_loop.batch_idx + 1 if self.trainer else 0
