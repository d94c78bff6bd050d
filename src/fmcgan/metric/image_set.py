"""Labelled images, and what has been measured of them so far: each thing once."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.bootstrap import resample_counts
from fmcgan.metric.results_store import Arrays, Store


class ImageSet:
    """Images and, one for one, the class each belongs to or was asked to show.

    Several scores need the same features, neighbours or statistics of a set: `derived` keeps what was computed, in
    memory and, for sets that come back in every evaluation, on disk.

    Args:
        images: uint8 [N, 1, 28, 28] in 0..255.
        labels: int64 [N] in 0..9.
        device: where networks that read the images compute; ``None`` takes the device of the images.
        store: where `derived` looks first and leaves what it computed; ``None`` keeps it in memory only.
        bootstrap_samples: bootstrap resamples for the intervals of the scores of this set; 0 gives no intervals.

    Raises:
        ValueError: type or shape is another one.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        device: torch.device | str | None = None,
        store: Store | None = None,
        bootstrap_samples: int = 0,
    ) -> None:
        if images.dtype != torch.uint8 or images.shape[1:] != (1, 28, 28):
            raise ValueError(f"images must be uint8 [N, 1, 28, 28], got {images.dtype} {list(images.shape)}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            given = f"{labels.dtype} {list(labels.shape)}"
            raise ValueError(f"labels must be int64 [{len(images)}], one for each image, got {given}")
        self.device = images.device if device is None else torch.device(device)
        self.images = images.cpu()
        self.labels = labels.cpu()
        self.store = store
        self.bootstrap_samples = bootstrap_samples
        self._derived: dict[str, Arrays] = {}
        self._subsets: dict[int, ImageSet] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def derived(self, protocol: str, compute: Callable[[], Arrays]) -> Arrays:
        """What ``compute`` gave for this set, computed at most once.

        Args:
            protocol: says in full what is computed, with the version of every network and all parameters.
            compute: gives named CPU tensors, a function of these images, these labels and the protocol alone.
        """
        if protocol not in self._derived:
            found = self.store.arrays(f"{self.fingerprint} {protocol}", compute) if self.store else compute()
            self._derived[protocol] = found
        return self._derived[protocol]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the images and labels, in hexadecimal."""
        content = hashlib.sha256(self.images.contiguous().numpy().data)
        content.update(self.labels.contiguous().numpy().data)
        return content.hexdigest()

    @cached_property
    def content_order(self) -> Tensor:
        """An order, int64 [N], that looks random and does not depend on the order in which the images were given."""
        generator = torch.Generator().manual_seed(0)
        weights = torch.randint(-(2**40), 2**40, (785,), generator=generator)
        keys = torch.cat([self.images.flatten(1), self.labels[:, None].to(torch.uint8)], dim=1)
        return torch.cat([(some.long() * weights).sum(dim=1) for some in keys.split(1000)]).argsort(stable=True)

    @cached_property
    def resamples(self) -> Tensor:
        """How often each image is drawn in each bootstrap resample: float32 [bootstrap_samples, N], within each class.

        An image is drawn as often whatever the order in which the images were given.
        """
        order = self.content_order
        counts = torch.empty(self.bootstrap_samples, len(self))
        counts[:, order] = resample_counts(self.labels[order], self.bootstrap_samples)
        return counts

    def of_class(self, label: int) -> Tensor:
        """Indices of the images of a class in rising order, int64."""
        return (self.labels == label).nonzero().squeeze(1)

    def of_classes(self, labels: Sequence[int]) -> "ImageSet":
        """The images of some classes, in their order; the set itself if that is all of them."""
        chosen = torch.isin(self.labels, torch.tensor(labels))
        return self if bool(chosen.all()) else self.subset(chosen.nonzero().squeeze(1))

    def subset(self, indices: Tensor) -> "ImageSet":
        """The images at some indices as a set of their own, which is kept in memory only."""
        return ImageSet(self.images[indices], self.labels[indices], self.device, None, self.bootstrap_samples)

    def balanced(self, n: int) -> "ImageSet":
        """The set of the first of each class, ``n`` in all, as evenly over the classes as they allow."""
        if n >= len(self):
            return self
        if n not in self._subsets:
            self._subsets[n] = self.subset(class_balanced(self.labels, n))
        return self._subsets[n]


def class_balanced(labels: Tensor, n: int) -> Tensor:
    """Chooses ``n`` images, as evenly over the classes as they allow: always the first of each class.

    Args:
        labels: int64 [N], of the images to choose from.
        n: how many.

    Returns:
        Their indices in rising order, int64 [min(n, N)].
    """
    within_class = F.one_hot(labels, NUM_CLASSES).cumsum(dim=0).gather(1, labels[:, None]).squeeze(1)
    # The first image of every class comes before the second of any: a prefix of this order is balanced.
    return (within_class * NUM_CLASSES + labels).argsort()[:n].sort().values


def by_class(values: Tensor, labels: Tensor) -> Sequence[float | None]:
    """Mean of one value an image [N] over the images of each class; ``None`` for a class without images."""
    means = [values[labels == label].double().mean().item() for label in range(NUM_CLASSES)]
    return tuple(None if mean != mean else mean for mean in means)


def count_name(n: int) -> str:
    """A number of images as names carry it: 10000 -> ``10k``, 2500 -> ``2500``."""
    return f"{n // 1000}k" if n % 1000 == 0 and n > 0 else str(n)
