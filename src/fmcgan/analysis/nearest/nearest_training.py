"""How near samples lie to the training images in one space, beside new real images: which of them are near copies."""

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor

from fmcgan.analysis.base import Subject, classes_of
from fmcgan.analysis.effect import Effect, difference_of_shares, share_in_words, share_interval
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, plural
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.memorisation import PIXELS, near_distance, nearest_training
from fmcgan.metric.neighbours import BLOCK, squared_distances

LEAST = 10
"""Samples of a class from which on its share of near copies is told by itself."""


class Closeness:
    """The distance of each sample to the nearest of all training images.

    A sample is a near copy if it lies at most as far from a training image as the nearest hundredth of the test images
    of its class do from theirs. The limit is one of the class, because plain garments such as trousers are nearer to
    each other than bags are; so the share of test images that are near copies is a hundredth in every class, and
    samples of other proportions of the classes, or of some of them only, can be compared with it.

    Args:
        subject: whose samples and real images.
        network: on whose features; ``None`` means on grey levels, 0..255, where the distance is the root mean square.

    Attributes:
        name: of the space, as scores carry it.
        words: the same in words, to go with a distance.
        index: the nearest training image of each sample, int64 [N].
        distance: to it, float64 [N].
        limits: the near distance of each class, float64 [10]; -inf of a class without test images.
        near: whether a sample is a near copy, bool [N].
        real_near: whether a test image is, bool [M].
    """

    def __init__(self, subject: Subject, network: FeatureNetwork | None) -> None:
        self.samples, self.real, self.network = subject.samples, subject.real, network
        self.name = PIXELS if network is None else network.name
        self.words = "on grey levels" if network is None else f"in the {network.name}'s features"
        found = nearest_training(self.samples, self.real, network)
        self.index, self.distance = found["index"], found["distance"]
        self._of_test = nearest_training(self.real.test, self.real, network)["distance"]
        members = [self.real.test.of_class(label) for label in range(NUM_CLASSES)]
        limits = [near_distance(self._of_test[some]) if len(some) else -torch.inf for some in members]
        self.limits = torch.tensor(limits, dtype=torch.float64)
        self.near = self.distance <= self.limits[self.samples.labels]
        self.real_near = self._of_test <= self.limits[self.real.test.labels]

    def most_suspicious(self, count: int, besides: Collection[int] = ()) -> list[int]:
        """The samples nearest to a training image, measured by the limit of their class.

        Args:
            count: how many at most; no two of them are nearest to one training image.
            besides: samples that are known already.
        """
        limits = self.limits[self.samples.labels]
        chosen: dict[int, int] = {}
        for sample in (self.distance / limits.clamp(min=1e-9)).argsort(stable=True).tolist():
            if limits[sample] >= 0 and len(chosen) < count and sample not in besides:
                chosen.setdefault(int(self.index[sample]), sample)
        return list(chosen.values())

    def nearest(self, chosen: list[int], k: int) -> tuple[Tensor, Tensor]:
        """The ``k`` nearest training images of some samples, fewer if there are fewer.

        Args:
            chosen: indices of the samples, R of them.
            k: how many.

        Returns:
            Indices of training images int64 [R, k] and the distances to them float64 [R, k], which rise along k.
        """
        some, training = self._vectors(self.samples)[chosen], self._vectors(self.real.train)
        blocks = squared_distances(some, training, (max(len(some), 1), BLOCK[1]))  # all samples are in each
        squares = torch.cat([squares for _, _, squares in blocks], dim=1)
        index = squares.topk(min(k, len(training)), dim=1, largest=False).indices
        # Measured by the difference, as the distance to the nearest one is: a copy is at 0.
        distance = (some[:, None].double() - training[index].double()).square().sum(dim=2).sqrt()
        if self.network is None:
            distance /= some.shape[1] ** 0.5
        distance, order = distance.sort(dim=1, stable=True)
        return index.gather(1, order), distance

    def _vectors(self, images: ImageSet) -> Tensor:
        return images.images.flatten(1) if self.network is None else self.network.features(images)

    def effects(self, section: str, figure: str) -> Iterator[Effect]:
        """The share of near copies among all samples and in each class, against that of the test images.

        Args:
            section: with which keys begin.
            figure: that shows near copies.
        """
        for label, own, real in self._groups():
            n, count, real_n, real_count = len(own), int(own.sum()), len(real), int(real.sum())
            whom = "images" if label is None else plural(label)
            first, second = self._halves(label)
            yield Effect(
                f"{section}/{'all' if label is None else CLASS_NAMES[label]}/near_copies_{self.name}",
                f"{self.words.capitalize()}, {share_in_words(count, n)} of the generated {whom} are near copies of "
                f"training images, against {share_in_words(real_count, real_n)} of new real ones.",
                difference_of_shares(count, n, real_count, real_n).if_more,  # fewer than among new images is no fault
                difference_of_shares(int(first.sum()), len(first), int(second.sum()), len(second)),
                () if label is None else (label,),
                figure,
            )

    def rows(self) -> list[tuple[Any, ...]]:
        """For all samples and for each class: class, space, samples, share with interval, share of real ones, limit."""
        rows = []
        for label, own, real in self._groups():
            name, limit = ("all", None) if label is None else (CLASS_NAMES[label], self.limits[label].item())
            share = own.double().mean().item()
            interval = share_interval(int(own.sum()), len(own))
            rows.append((name, self.name, len(own), share, *interval, real.double().mean().item(), limit))
        return rows

    def _groups(self) -> Iterator[tuple[int | None, Tensor, Tensor]]:
        """Which samples and which test images are near: of all classes that both have, then of each."""
        known = (self.limits >= 0)[self.samples.labels]
        if known.any():
            yield None, self.near[known], self.real_near
        for label in classes_of(self.samples, LEAST):
            if self.limits[label] >= 0:
                yield label, self.near[self.samples.of_class(label)], self.real_near[self.real.test.of_class(label)]

    def _halves(self, label: int | None) -> tuple[Tensor, Tensor]:
        """Which images of the first and of the second half of the test split are near."""
        labels = self.real.test.labels
        wanted = torch.ones_like(labels, dtype=torch.bool) if label is None else labels == label
        middle = len(labels) // 2
        return self.real_near[:middle][wanted[:middle]], self.real_near[middle:][wanted[middle:]]
