"""Typed access to attributes that Lightning's Trainer does not declare."""

from typing import Protocol, TypeVar

from lightning.pytorch import Callback, Trainer
from torch import Tensor

from fmcgan.data.info import DatasetInfo

Kind = TypeVar("Kind", bound=Callback)


class Images(Protocol):
    """Both splits: images uint8 [N, C, H, W] and labels int64 [N]."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


class DataModule(Protocol):
    """The data module of a run."""

    images: Images
    info: DatasetInfo
    batch_size: int


def callbacks_of(trainer: Trainer, kind: type[Kind]) -> list[Kind]:
    """Returns the trainer's callbacks of a class."""
    return [callback for callback in trainer.callbacks if isinstance(callback, kind)]  # type: ignore[attr-defined]


def data_of(trainer: Trainer) -> DataModule:
    """Returns the data module of the run."""
    return trainer.datamodule  # type: ignore[attr-defined]


def images_per_epoch(trainer: Trainer) -> int:
    """Returns the number of real images in an epoch, over all devices."""
    return int(trainer.num_training_batches * data_of(trainer).batch_size)


def is_last_epoch(trainer: Trainer) -> bool:
    """Returns whether the current epoch is the last of the run."""
    return trainer.current_epoch + 1 == trainer.max_epochs or trainer.should_stop
