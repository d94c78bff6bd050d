"""Labelled image sets with cached results, their bootstrap resamples and intervals, and feature networks."""

import hashlib
import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from fmcgan.app.device import full_float32
from fmcgan.app.errors import UserError
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.results_store import Arrays, Store

COVERAGE = 0.95  # nominal, of all intervals
Interval = tuple[float, float]

_OUTPUTS = "reading of "  # begins the protocol of the outputs of a feature network, one row per image
_MISSING = 0.01  # share of images that classes with too few may lack


class ImageSet:
    """Labelled images, real or generated. `derived` caches features, neighbours and statistics.

    Args:
        images: uint8 [N, C, H, W] in 0..255.
        labels: int64 [N] in 0..K - 1.
        info: classes (K) and shape (C, H, W) of the images.
        device: device of feature networks; ``None``: that of the images.
        store: stores the results of `derived` on disk; ``None``: memory only.
        bootstrap_samples: number of bootstrap resamples for intervals; 0: no intervals.

    Raises:
        ValueError: wrong type or shape.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        info: DatasetInfo,
        device: torch.device | str | None = None,
        store: Store | None = None,
        bootstrap_samples: int = 0,
    ) -> None:
        if images.dtype != torch.uint8 or images.shape[1:] != info.shape:
            expected = ", ".join(map(str, info.shape))
            raise ValueError(f"images must be uint8 [N, {expected}], got {images.dtype} {list(images.shape)}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            raise ValueError(f"labels must be int64 [{len(images)}], got {labels.dtype} {list(labels.shape)}")
        self.info = info
        self.device = images.device if device is None else torch.device(device)
        self.images, self.labels = images.cpu(), labels.cpu()
        self.store = store
        self.bootstrap_samples = bootstrap_samples
        self._derived: dict[str, Arrays] = {}
        self._subsets: dict[tuple[int, tuple[float, ...] | None], ImageSet] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def derived(self, protocol: str, compute: Callable[[], Arrays]) -> Arrays:
        """Returns the result of ``compute``, which is called at most once for each protocol.

        Args:
            protocol: identifies the computation: network versions and all parameters.
            compute: returns named CPU tensors that depend on images, labels and protocol only.
        """
        if protocol not in self._derived:
            found = self.store.arrays(f"{self.fingerprint} {protocol}", compute) if self.store else compute()
            self._derived[protocol] = found
        return self._derived[protocol]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of images and labels, in hexadecimal."""
        content = hashlib.sha256(self.images.contiguous().numpy().data)
        content.update(self.labels.contiguous().numpy().data)
        return content.hexdigest()

    @cached_property
    def content_order(self) -> Tensor:
        """Pseudorandom order, int64 [N], that depends on the images but not on their order."""
        generator = torch.Generator().manual_seed(0)
        keys = torch.cat([self.images.flatten(1), self.labels[:, None].to(torch.uint8)], dim=1)
        weights = torch.randint(-(2**40), 2**40, keys.shape[1:], generator=generator)
        return torch.cat([(some.long() * weights).sum(dim=1) for some in keys.split(1000)]).argsort(stable=True)

    @cached_property
    def resamples(self) -> Tensor:
        """Result of `resample_counts`, independent of the order of the images: float32 [bootstrap_samples, N]."""
        if not self.bootstrap_samples:
            return torch.empty(0, len(self))
        counts = torch.empty(self.bootstrap_samples, len(self))
        counts[:, self.content_order] = resample_counts(self.labels[self.content_order], self.bootstrap_samples)
        return counts

    def of_class(self, label: int) -> Tensor:
        """Returns the indices of a class, int64, ascending."""
        return (self.labels == label).nonzero().squeeze(1)

    def of_classes(self, labels: Sequence[int]) -> "ImageSet":
        """Selects the images of some classes, in their order; returns the set itself if these are all its images."""
        chosen = torch.isin(self.labels, torch.tensor(labels))
        return self if bool(chosen.all()) else self.subset(chosen.nonzero().squeeze(1))

    def subset(self, indices: Tensor) -> "ImageSet":
        """Selects images by index; the new set has no store."""
        return ImageSet(
            self.images[indices], self.labels[indices], self.info, self.device, None, self.bootstrap_samples
        )

    def relabelled(self, labels: Tensor) -> "ImageSet":
        """Returns the same images with other labels, int64 [N]; computed outputs of networks are kept."""
        found = ImageSet(self.images, labels, self.info, self.device)
        found._derived = {each: rows for each, rows in self._derived.items() if each.startswith(_OUTPUTS)}
        return found

    def resample(self, number: int) -> "ImageSet":
        """Returns one of the `resamples` as a set of N images, without resamples of its own.

        Outputs of feature networks that were computed before are not computed again.
        """
        indices = torch.arange(len(self)).repeat_interleave(self.resamples[number].long())
        drawn = ImageSet(self.images[indices], self.labels[indices], self.info, self.device)
        for protocol, outputs in self._derived.items():
            if protocol.startswith(_OUTPUTS):
                drawn._derived[protocol] = {name: rows[indices] for name, rows in outputs.items()}
        return drawn

    @cached_property
    def shares(self) -> Tensor:
        """Share of each class, float64 [K]."""
        return self.labels.bincount(minlength=self.info.num_classes).double() / max(len(self), 1)

    def balanced(self, n: int, shares: Tensor | None = None) -> "ImageSet":
        """Selects ``n`` images by `class_balanced`; returns the set itself if it has no more."""
        if n >= len(self):
            return self
        key = n, None if shares is None else tuple(shares.tolist())
        if key not in self._subsets:
            self._subsets[key] = self.subset(class_balanced(self.labels, n, shares))
        return self._subsets[key]

    def available(self, shares: Tensor) -> int:
        """Returns the largest number of images in the proportions ``shares``, but for `_MISSING` of them.

        Classes without images do not count.
        """
        sizes = self.labels.bincount(minlength=self.info.num_classes)
        shares = shares.where(sizes > 0, 0)

        def missing(n: int) -> float:
            return float((shares * n - sizes).clamp(min=0).sum()) / n

        return max(1, bisect_right(range(1, len(self) + 1), _MISSING, key=missing))


class RealImages(NamedTuple):
    """Both splits of the data set, and the one that samples are compared with."""

    train: ImageSet
    test: ImageSet
    reference_split: Literal["train", "test"] = "test"
    whole: "RealImages | None" = None  # with the images of all classes, if these are of some

    def of_classes(self, labels: Sequence[int]) -> "RealImages":
        """Selects the images of some classes; feature networks are still fitted to those of all classes."""
        train, test = self.train.of_classes(labels), self.test.of_classes(labels)
        is_all = train is self.train and test is self.test
        return self if is_all else RealImages(train, test, self.reference_split, self.whole or self)

    @property
    def info(self) -> DatasetInfo:
        """Classes and shape of the images."""
        return self.test.info

    @property
    def reference(self) -> ImageSet:
        """The split that samples are compared with."""
        return self.test if self.reference_split == "test" else self.train

    @property
    def other(self) -> ImageSet:
        """The split that is not the reference."""
        return self.train if self.reference_split == "test" else self.test


class UnfitNetworkError(UserError):
    """A feature network has no use on the images of a data set. Its ``fit`` has logged why."""


class FeatureNetwork(ABC):
    """A fixed network that extracts features. The image set caches them by name and version of the network."""

    name: ClassVar[str]  # part of the names of values
    version: str  # hash of the weights, hexadecimal
    num_features: int
    batch_size: int  # images per forward pass; affects rounding only
    abbreviations: ClassVar[Mapping[str, str]] = {"frechet": "fd", "kernel": "kd"}
    """Prefixes of the names of distances; those on Inception alone are called FID and KID."""

    @property
    def name_and_version(self) -> str:
        """Name and version, for protocols."""
        return f"{self.name} {self.version}"

    def fit(self, real: RealImages) -> None:  # noqa: B027 (most networks suit all images)
        """Prepares the network for a data set, which may change its version; most networks suit all images.

        Raises:
            UnfitNetworkError: the network has no use on these images.
        """

    def features(self, images: ImageSet) -> Tensor:
        """Returns the features of a set, float32 [N, num_features] on the CPU."""
        return self.outputs(images)["features"]

    def outputs(self, images: ImageSet) -> Arrays:
        """Returns all outputs of the network for a set (see `_extract`), float32 on the CPU."""
        return images.derived(f"{_OUTPUTS}{self.name_and_version}", lambda: self._extract_all(images))

    @torch.no_grad()
    @full_float32()
    def _extract_all(self, images: ImageSet) -> Arrays:
        batches = [self._extract(batch.to(images.device)) for batch in images.images.split(self.batch_size)]
        return {name: torch.cat([batch[name].float().cpu() for batch in batches]) for name in batches[0]}

    @abstractmethod
    def _extract(self, images: Tensor) -> Arrays:
        """Maps uint8 [B, C, H, W] to ``features`` [B, num_features]; a classifier adds ``logits`` [B, K]."""


def class_names(info: DatasetInfo, labels: Iterable[int]) -> str:
    """Lists the names of classes for a message, the first twelve if there are more."""
    names = [info.class_names[label] for label in islice(labels, 13)]
    return ", ".join([*names[:12], *(["..."] if len(names) > 12 else [])])


def resample_counts(labels: Tensor, bootstrap_samples: int, seed: int = 0) -> Tensor:
    """Draws bootstrap resamples within each class, so that class sizes are those of the set of labels [N].

    Returns how often each resample contains each image, float32 [bootstrap_samples, N]. The global random state is
    neither read nor changed.
    """
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(bootstrap_samples, len(labels))
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        drawn = torch.randint(len(members), (bootstrap_samples, len(members)), generator=generator)
        counts.scatter_add_(1, members[drawn], torch.ones_like(drawn, dtype=torch.float32))
    return counts


def interval(value: float, resampled: Tensor, lowest: float = -math.inf, highest: float = math.inf) -> Interval | None:
    """Computes a bootstrap interval (Efron 1979) around a value; ``None`` for fewer than two resamples.

    The values of resamples, [B], are biased, since resamples contain duplicates (a Fréchet distance gets larger). Their
    spread is therefore centred on the value itself; the ends stay within the possible values, lowest to highest.
    """
    if len(resampled) < 2:
        return None
    tail = (1 - COVERAGE) / 2
    quantiles = torch.tensor([tail, 0.5, 1 - tail], dtype=torch.float64)
    low, middle, high = resampled.double().quantile(quantiles).tolist()
    low, high = value + low - middle, value + high - middle
    return max(low, lowest), min(high, highest)


def class_balanced(labels: Tensor, n: int, shares: Tensor | None = None) -> Tensor:
    """Selects the first images of each class, ``n`` in total, from labels int64 [N].

    Classes are as equal as possible, or as near as possible to ``shares``, float64 [K] (rounded as by Sainte-Laguë).
    Returns ascending indices, int64 [min(n, N)].
    """
    by_class = labels.argsort(stable=True)
    sizes = labels.bincount()
    within_class = torch.arange(len(labels)) - (sizes.cumsum(dim=0) - sizes)[labels[by_class]]
    weights = torch.ones(len(sizes), dtype=torch.float64) if shares is None else shares
    # A prefix of this order is balanced: equal classes alternate, and the lowest label comes first.
    order = ((within_class + 0.5) / weights[labels[by_class]]).argsort(stable=True)
    return by_class[order][:n].sort().values


def class_counts(shares: Tensor, n: int) -> list[int]:
    """Divides ``n`` among K classes like `class_balanced`."""
    shares = shares / shares.sum()
    labels = torch.arange(len(shares)).repeat_interleave((shares * n).ceil().long() + 1)
    return labels[class_balanced(labels, n, shares)].bincount(minlength=len(shares)).tolist()
