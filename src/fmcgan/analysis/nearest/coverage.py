"""Coverage: real test images with a sample nearby, and samples with a test image nearby."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.analysis.base import NotApplicable, Subject, common_classes
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.manifold import membership, neighbour_distances
from fmcgan.metric.results_store import Arrays


@dataclass(frozen=True, eq=False)
class Coverage:
    """Images of a set and their membership in the balls of the test images."""

    images: ImageSet
    index: Tensor  # int64 [N]: the compared images
    uncovered: Tensor  # bool [M]: whether the ball of a test image contains none of them
    outside: Tensor  # bool [N]: whether an image is in no ball

    def counts(self, test: ImageSet, label: int | None) -> dict[str, tuple[int, int]]:
        """Counts images of one class, or of all compared classes.

        ``holes``: uncovered test images and all test images; ``outliers``: images outside all balls and all images.
        """
        own = self.images.labels[self.index]
        of_test = torch.isin(test.labels, own.unique()) if label is None else test.labels == label
        of_own = torch.ones(len(own), dtype=torch.bool) if label is None else own == label
        found = ("holes", self.uncovered[of_test]), ("outliers", self.outside[of_own])
        return {name: (int(some.sum()), len(some)) for name, some in found}


def compare_coverage(
    subject: Subject, features: FeatureNetwork, k: int, least: int
) -> tuple[Coverage, Coverage, Coverage]:
    """Compares samples, and two disjoint sets of as many training images of each class, with the test images.

    Samples of a class beyond half of its training images are left out. Distances are those of the features; balls reach
    to the k-th nearest other test image.

    Raises:
        NotApplicable: no class has ``least`` samples, as many test images and twice as many training images, or there
            are at most ``k`` test images.
    """
    samples, train, test = subject.samples, subject.real.train, subject.real.test
    chosen: list[tuple[Tensor, Tensor, Tensor]] = []
    for label in common_classes(samples, test, least=least):
        own, others = samples.of_class(label), train.of_class(label)
        n = min(len(own), len(others) // 2)
        if n >= least:
            chosen.append((own[:n], others[:n], others[n : 2 * n]))
    if not chosen or len(test) <= k:
        raise NotApplicable(
            f"holes need a class with at least {least} samples, {least} test images and {2 * least} training images"
        )
    of_samples, *of_train = (torch.cat(each) for each in zip(*chosen, strict=True))
    first, second = (_of_training(subject, index, part, features, k) for part, index in enumerate(of_train))
    return _coverage(samples, of_samples, test, features, k), first, second


def radii(test: ImageSet, features: FeatureNetwork, k: int) -> Tensor:
    """Returns the radius of the ball of each test image, float64 [M]; the metric coverage has the same balls."""
    return neighbour_distances(features, test, k)[:, -1]


def _coverage(images: ImageSet, index: Tensor, test: ImageSet, features: FeatureNetwork, k: int) -> Coverage:
    balls, own = radii(test, features, k), torch.zeros(len(index))  # balls of the images themselves are not needed
    found = membership(features.features(images)[index], features.features(test), own, balls, balls)
    return Coverage(images, index, ~found.covered, found.surrounding == 0)


def _of_training(subject: Subject, index: Tensor, part: int, features: FeatureNetwork, k: int) -> Coverage:
    """Computes the coverage of training images, stored because it depends on the number of samples only."""
    train, test = subject.real.train, subject.real.test
    key = (
        f"holes in the balls of {test.fingerprint}, k={k}, on {features.name_and_version}, left by part {part} "
        f"of {train.fingerprint}, {train.labels[index].bincount().tolist()} of each class"
    )

    def compute() -> Arrays:
        found = _coverage(train, index, test, features, k)
        return {"bare": found.uncovered, "beside": found.outside}

    found = subject.store.arrays(key, compute)
    return Coverage(train, index, found["bare"], found["beside"])
