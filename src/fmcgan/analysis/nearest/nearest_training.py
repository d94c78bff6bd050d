"""Nearest training images of samples and of test images, and near copies."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from fmcgan.analysis.base import EXAMPLES, Subject, class_key, class_noun, common_classes
from fmcgan.analysis.effect import Effect, Examples, Words, difference_of_shares, share_text
from fmcgan.data.images import to_pixels
from fmcgan.metric.image_set import FeatureNetwork
from fmcgan.metric.memorisation import PIXELS, near_distance, nearest_training, unit, vectors
from fmcgan.metric.neighbours import BLOCK, squared_distances
from fmcgan.metric.value import wilson_interval

LEAST = 10  # least number of samples of a class with its own effect
_ROWS = 128  # images whose distances are held at once: 61 MB for 60,000 training images


def nearest_vectors(some: Tensor, training: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Finds the ``k`` nearest of ``training`` [M, F] for each of ``some`` [N, F], N > 0; all M if there are fewer.

    Returns:
        Indices, int64 [N, k], and Euclidean distances, float64 [N, k], ascending along k.
    """
    found = []
    for rows in some.split(_ROWS):
        blocks = squared_distances(rows, training, (max(len(rows), 1), BLOCK[1]))  # all rows in each
        squares = torch.cat([squares for _, _, squares in blocks], dim=1)
        index = squares.topk(min(k, len(training)), dim=1, largest=False).indices
        # Computed from the difference, so that a copy has distance 0.
        distance = (rows[:, None].double() - training[index].double()).square().sum(dim=2).sqrt()
        distance, order = distance.sort(dim=1, stable=True)
        found.append((index.gather(1, order), distance))
    indices, distances = zip(*found, strict=True)
    return torch.cat(indices), torch.cat(distances)


class NearestTraining:
    """Distance of each sample to its nearest training image.

    A sample is a near copy if its distance is at most that of the nearest hundredth of the test images of its class.
    Limits differ by class, because plain images are closer to each other than detailed ones.

    Args:
        subject: with samples and real images.
        network: for distances of features; ``None``: root mean square distances of pixel values, 0..255.

    Attributes:
        name: of the space, as in names of metrics.
        levels: what the values of pixels are called.
        words: phrase for the space, such as ``on grey levels``.
        index: the nearest training image of each sample, int64 [N].
        distance: to it, float64 [N].
        limits: largest distance of a near copy of each class, float64 [K]; -inf for a class without test images.
        near: whether a sample is a near copy, bool [N].
        real_near: whether a test image is a near copy, bool [M].
    """

    def __init__(self, subject: Subject, network: FeatureNetwork | None) -> None:
        self.samples, self.real, self.network = subject.samples, subject.real, network
        self.name = PIXELS if network is None else network.name
        self.levels = "grey levels" if subject.info.channels == 1 else "colour levels"
        self.words = f"on {self.levels}" if network is None else f"in the {network.name}'s features"
        found = nearest_training(self.samples, self.real, network)
        self.index, self.distance = found["index"], found["distance"]
        of_test = nearest_training(self.real.test, self.real, network)["distance"]
        members = [self.real.test.of_class(label) for label in subject.info.labels]
        limits = [near_distance(of_test[some]) if len(some) else -torch.inf for some in members]
        self.limits = torch.tensor(limits, dtype=torch.float64)
        self.near = self.distance <= self.limits[self.samples.labels]
        self.real_near = of_test <= self.limits[self.real.test.labels]

    def most_suspicious(self, count: int, without: Collection[int] = ()) -> list[int]:
        """Returns at most ``count`` samples closest to a training image, relative to the limit of their class.

        No two have the same nearest training image.
        """
        limits = self.limits[self.samples.labels]
        chosen: dict[int, int] = {}
        for sample in (self.distance / limits.clamp(min=1e-9)).argsort(stable=True).tolist():
            if limits[sample] >= 0 and len(chosen) < count and sample not in without:
                chosen.setdefault(int(self.index[sample]), sample)
        return list(chosen.values())

    def nearest(self, chosen: list[int], k: int) -> tuple[Tensor, Tensor]:
        """Finds the ``k`` nearest training images of R samples, or all if there are fewer.

        Returns:
            Indices of training images, int64 [R, k], and their distances, float64 [R, k], ascending along k.
        """
        some, training = vectors(self.samples, self.network)[chosen], vectors(self.real.train, self.network)
        index, distance = nearest_vectors(some, training, k)
        return index, distance / unit(self.samples, self.network)

    def effects(self, section: str, figure: str) -> Iterator[Effect]:
        """Compares the share of near copies with that of the test images, for all samples and for each class.

        Keys begin with the name of the section; ``figure`` is the name of its picture of near copies.
        """
        middle = len(self.real.test) // 2  # the floor compares the halves of the test split
        for label, own, members in self._groups():
            near, noun = self.real_near[members], class_noun(self.real.info, label)
            counts, real_counts, first, second = (
                (int(each.sum()), len(each)) for each in (own, near, near[members < middle], near[members >= middle])
            )
            shared = f"are near copies of training images {self.words} more often than real test images are"
            numbers = f"{share_text(*counts)} against {share_text(*real_counts)}"
            yield Effect(
                f"{section}/{class_key(self.real.info, label)}/near_copies_{self.name}",
                f"{share_text(*counts)} of the generated {noun} are near copies of training images {self.words}, "
                f"against {share_text(*real_counts)} of real test images.",
                difference_of_shares(*counts, *real_counts).one_sided,  # fewer near copies are not a fault
                difference_of_shares(*first, *second),
                () if label is None else (label,),
                figure,
                "A near copy is as close to a training image as the nearest hundredth of new real images: copies, or "
                "plain images that resemble many.",
                Words(noun, shared, numbers),
                partial(self._examples, label),
            )

    def _examples(self, label: int | None) -> Examples:
        """Selects near copies of a class, or of all, that are closest to a training image, and these."""
        own = self.near if label is None else self.near & (self.samples.labels == label)
        copies = own.nonzero().squeeze(1)
        copies = copies[self.distance[copies].argsort(stable=True)[:EXAMPLES]]
        generated = to_pixels(self.samples.images[copies])
        real = to_pixels(self.real.train.images[self.index[copies]])
        return Examples(generated, real, "the closest near copies", "nearest training image of each")

    def rows(self) -> Sequence[Sequence[object]]:
        """Makes rows by class: name, space, number of samples, share with interval, share of real images, limit."""
        rows = []
        for label, own, members in self._groups():
            limit = None if label is None else self.limits[label].item()
            share, real_share = (each.double().mean().item() for each in (own, self.real_near[members]))
            interval = wilson_interval(int(own.sum()), len(own))
            rows.append((class_key(self.real.info, label), self.name, len(own), share, *interval, real_share, limit))
        return rows

    def _groups(self) -> Iterator[tuple[int | None, Tensor, Tensor]]:
        """Yields near copies among the samples of all common classes, then of each, and indices of the test images."""
        known = (self.limits >= 0)[self.samples.labels]
        if known.any():
            yield None, self.near[known], torch.arange(len(self.real.test))
        for label in common_classes(self.samples, least=LEAST):
            if self.limits[label] >= 0:
                yield label, self.near[self.samples.of_class(label)], self.real.test.of_class(label)
