"""Which real test images some images come near, and which of these come near one, beside as many training images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.analysis.base import NotApplicable, Subject, classes_of
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.manifold import membership
from fmcgan.metric.neighbours import distances_to_others
from fmcgan.metric.results_store import Arrays


@dataclass(frozen=True, eq=False)
class Compared:
    """Some images of a set, and where they lie among the balls of the test images."""

    images: ImageSet
    index: Tensor
    """int64 [N]: which of the set."""
    bare: Tensor
    """bool [M]: none of them is in the ball of the test image."""
    beside: Tensor
    """bool [N]: it is in no ball."""

    def counts(self, test: ImageSet, label: int | None) -> dict[str, tuple[int, int]]:
        """How many images of a class, and of how many, or of all classes that are compared.

        Args:
            test: the test images.
            label: the class, 0..9; ``None`` means all.

        Returns:
            ``bare``, of the test images, and ``beside``, of those compared with them.
        """
        own = self.images.labels[self.index]
        of_test = torch.isin(test.labels, own.unique()) if label is None else test.labels == label
        of_own = torch.ones(len(own), dtype=torch.bool) if label is None else own == label
        found = ("bare", self.bare[of_test]), ("beside", self.beside[of_own])
        return {name: (int(some.sum()), len(some)) for name, some in found}


def compare(subject: Subject, features: FeatureNetwork, k: int, least: int) -> tuple[Compared, Compared, Compared]:
    """Compares samples, and two sets of as many training images of each class, with the test images.

    The sets have no image in common. Samples of a class beyond half of its training images are left out.

    Args:
        subject: what is analysed.
        features: on whose features distances are measured.
        k: which other test image a ball reaches to.
        least: samples, and test images, below which a class is left out.

    Raises:
        NotApplicable: no class has enough of all.
    """
    train, test, _ = subject.real
    of_samples, *of_train = _matched(subject, k, least)
    samples = _compared(subject.samples, of_samples, test, features, k)
    first, second = (_kept(subject, index, part, features, k) for part, index in enumerate(of_train))
    return samples, Compared(train, of_train[0], **first), Compared(train, of_train[1], **second)


def radii(test: ImageSet, features: FeatureNetwork, k: int) -> Tensor:
    """The radius of the ball of each test image, float64 [M]."""
    # Under the name by which the score of coverage keeps the same distances, so that they are computed once.
    protocol = f"distances to {k} nearest others on {features.name} {features.version}"

    def compute() -> Arrays:
        return {"distances": distances_to_others(features.features(test), k)}

    return test.derived(protocol, compute)["distances"][:, -1]


def _matched(subject: Subject, k: int, least: int) -> list[Tensor]:
    samples, (train, test, _) = subject.samples, subject.real
    chosen: list[list[Tensor]] = [[], [], []]
    for label in classes_of(samples, least):
        own, others = samples.of_class(label), train.of_class(label)
        n = min(len(own), len(others) // 2)
        if n >= least and len(test.of_class(label)) >= least:
            for some, index in zip(chosen, (own[:n], others[:n], others[n : 2 * n]), strict=True):
                some.append(index)
    if not chosen[0] or len(test) <= k:
        raise NotApplicable(
            f"holes need a class with at least {least} samples, {least} test images and {2 * least} training images"
        )
    return [torch.cat(each) for each in chosen]


def _compared(images: ImageSet, index: Tensor, test: ImageSet, features: FeatureNetwork, k: int) -> Compared:
    balls, own = radii(test, features, k), torch.zeros(len(index))  # balls of their own are not asked for
    found = membership(features.features(images)[index], features.features(test), own, balls, balls)
    return Compared(images, index, ~found.covered, found.surrounding == 0)


def _kept(subject: Subject, index: Tensor, part: int, features: FeatureNetwork, k: int) -> Arrays:
    """What is kept of training images: they are the same ones whenever there are as many samples."""
    train, test, _ = subject.real
    key = (
        f"holes in the balls of {test.fingerprint}, k={k}, on {features.name} {features.version}, left by part {part} "
        f"of {train.fingerprint}, {train.labels[index].bincount().tolist()} of each class"
    )

    def compute() -> Arrays:
        found = _compared(train, index, test, features, k)
        return {"bare": found.bare, "beside": found.beside}

    return subject.store.arrays(key, compute)
