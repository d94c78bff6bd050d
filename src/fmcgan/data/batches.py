"""Batches by tensor indexing of images on the training device, without worker processes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fmcgan.app import checks
from fmcgan.data.images import to_float


class ImageBatches(Dataset[tuple[Tensor, Tensor]]):
    """Images, uint8 [N, C, H, W], and labels, int64 [N], on the training device; a batch is one tensor indexing."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the images at ``index`` (int64 [B]), float32 [B, C, H, W] in [-1, 1], and labels int64 [B]."""
        return to_float(self.images[index]), self.labels[index]


@dataclass(eq=False)
class ShuffledBatches(Sampler[Tensor]):
    """Indices of the batches of an epoch, in an order that depends on ``seed`` and the epoch alone.

    Device ``rank`` of ``world_size`` gets its part of each global batch, so that the images do not depend on the number
    of devices: ``batch_size`` is that of the global batch. The last, incomplete batch of an epoch is dropped.
    ``batches_done`` is called at the first batch; it returns how many batches a resumed run skips in this epoch.

    An epoch is one pass over all images, or ``epoch_images`` images: part of a pass, or several in new orders.

    Raises:
        ValueError: the batch size exceeds the images of an epoch, or is not divisible by ``world_size``.
    """

    n_images: int
    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1
    device: torch.device | str = "cpu"
    batches_done: Callable[[], int] = lambda: 0
    epoch_images: int | None = None
    epoch: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        checks.whole_number(batch_size=self.batch_size, world_size=self.world_size)
        checks.whole_number(minimum=0, rank=self.rank)
        checks.seed_number(seed=self.seed)
        given = f"got {self.batch_size}"
        if self.batch_size > self._length:
            what = "the number of training images" if self.epoch_images is None else "epoch_images"
            raise ValueError(f"batch_size must be at most {self._length}, {what}, {given}")
        if self.batch_size % self.world_size:
            raise ValueError(f"batch_size must be divisible by {self.world_size}, the number of devices, {given}")

    @property
    def _length(self) -> int:
        return self.epoch_images or self.n_images

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch; Lightning calls this before the first batch, but after creating the iterator."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Returns the batches of a whole epoch, also if some are skipped."""
        return self._length // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        """Yields int64 [batch_size / world_size] on the device."""
        # A generator: runs at the first batch, when the epoch is known. Drawn on the CPU: equal on every device.
        words = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(words[0]))
        passes = range(-(-len(self) * self.batch_size // self.n_images))
        order = torch.cat([torch.randperm(self.n_images, generator=generator) for _ in passes])
        batches = order[: len(self) * self.batch_size].view(len(self), self.world_size, -1)[:, self.rank]
        yield from batches[self.batches_done() :].to(self.device)


class DeviceLoader(DataLoader[tuple[Tensor, Tensor]]):
    """A `DataLoader` of whole batches that Lightning can resume within an epoch.

    Its state, which Lightning needs, is empty: the order follows from seed and epoch, and the Trainer counts batches.
    """

    def __init__(self, dataset: ImageBatches, sampler: ShuffledBatches) -> None:
        # Iterating draws a seed: from an own generator, so that the global random state does not depend on it.
        super().__init__(dataset, sampler=sampler, batch_size=None, num_workers=0, generator=torch.Generator())

    def state_dict(self) -> dict[str, object]:
        """Returns an empty state."""
        return {}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Does nothing."""
