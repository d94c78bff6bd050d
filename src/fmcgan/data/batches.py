"""Whole batches, taken by index from images that lie on the training device: no workers, no Python per image."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fmcgan.app import checks
from fmcgan.data.images import to_float


class ImageBatches(Dataset[tuple[Tensor, Tensor]]):
    """Labelled images of which any batch is one tensor indexing.

    Args:
        images: uint8 [N, 1, 28, 28] on the training device.
        labels: int64 [N] on the same device.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Takes the images at ``index`` (int64 [B]): float32 [B, 1, 28, 28] in [-1, 1] and their labels int64 [B]."""
        return to_float(self.images[index]), self.labels[index]


class ShuffledBatches(Sampler[Tensor]):
    """The indices of each batch of an epoch, in an order that depends on ``seed`` and the epoch and on nothing else.

    The global batch is split evenly among the devices: device ``rank`` of ``world_size`` takes its part of each batch,
    so that together they see what a single device would see. The last, incomplete batch of an epoch is left out.

    Args:
        n_images: size of the training set.
        batch_size: images in a global batch; divisible by ``world_size``, at most ``n_images``.
        seed: of the order; the global random state is neither read nor changed.
        rank: this device.
        world_size: number of devices.
        device: where the index tensors lie.
        batches_done: asked at the first batch of each pass: how many batches of this epoch were trained on already
            (a run that was interrupted in the middle of an epoch goes on with the next one). ``None``: none.

    Raises:
        ValueError: the batch size does not fit the training set or the devices.
    """

    def __init__(
        self,
        n_images: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = "cpu",
        batches_done: Callable[[], int] | None = None,
    ) -> None:
        checks.whole_number(batch_size=batch_size, world_size=world_size)
        checks.whole_number(minimum=0, rank=rank)
        checks.seed_number(seed=seed)
        if batch_size > n_images:
            raise ValueError(f"batch_size must be at most {n_images}, the number of training images, got {batch_size}")
        if batch_size % world_size:
            raise ValueError(f"batch_size must be divisible by {world_size}, the number of devices, got {batch_size}")
        self.n_images = n_images
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.device = device
        self.epoch = 0
        self._batches_done = batches_done or (lambda: 0)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order; Lightning calls this before the first batch of each epoch, after making the iterator."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches in a whole epoch, also in a pass that starts in the middle of one."""
        return self.n_images // self.batch_size

    def __iter__(self) -> Iterator[Tensor]:
        """Yields int64 [batch_size / world_size] on the device."""
        # A generator: nothing here is computed before the first batch is asked for, when the epoch is known.
        batches = self._order().view(len(self), self.world_size, -1)[:, self.rank]
        yield from batches[self._batches_done() :].to(self.device)

    def _order(self) -> Tensor:
        """Indices of the epoch, int64 [len(self) * batch_size], always drawn on the CPU: the same on every device."""
        words = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(words[0]))
        return torch.randperm(self.n_images, generator=generator)[: len(self) * self.batch_size]


class DeviceLoader(DataLoader[tuple[Tensor, Tensor]]):
    """A `DataLoader` that hands on whole batches, and that Lightning may resume in the middle of an epoch.

    ``state_dict`` and ``load_state_dict`` make it a resumable loader by Lightning's rules. There is nothing to save:
    the order follows from seed and epoch, and the place in it is the Trainer's own count of batches.
    """

    def __init__(self, dataset: ImageBatches, sampler: ShuffledBatches) -> None:
        # A DataLoader draws a number for its workers whenever it is iterated; its own generator keeps the global one
        # untouched, so that a resumed run, which iterates it at another moment, draws the same random numbers.
        super().__init__(dataset, sampler=sampler, batch_size=None, num_workers=0, generator=torch.Generator())

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""
