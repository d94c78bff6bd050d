"""Which samples stand for a class: its most and least typical ones, its best and its worst."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.metric.base import RealImages
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results_store import Arrays

INSIDE = 0.9
"""Share of the test images of a class that count as amid its training images."""


class Exemplary(NamedTuple):
    """Samples of one class, by their indices, the foremost first."""

    typical: list[int]
    """Nearest to the centre of the class: the mean features of its training images."""
    atypical: list[int]
    """Farthest from it, of those that are read as the class asked for."""
    best: list[int]
    """The classifier is surest that they show the class asked for, of those that lie amid its training images."""
    worst: list[int]
    """Farthest from every training image of the class asked for: garbled, or of another class."""


def exemplary(
    samples: ImageSet, real: RealImages, classifier: ClassifierFeatures, label: int, count: int, copies: Tensor
) -> Exemplary:
    """Chooses samples of a class.

    Args:
        samples: to choose from.
        real: with training and test images of the class.
        classifier: on whose features distances are measured.
        label: the class.
        count: how many of each kind, at most.
        copies: samples that are near copies of training images, bool [N]: they are never the best.
    """
    members = samples.of_class(label)
    logits = classifier.logits(samples)[members].double()
    surprise = F.cross_entropy(logits, samples.labels[members], reduction="none")
    centre = classifier.features(real.train)[real.train.of_class(label)].double().mean(dim=0)
    from_centre = (classifier.features(samples)[members].double() - centre).square().sum(dim=1)
    own, limit = _to_own_class(samples, real, classifier)[members], _inside(real, classifier, label)
    agrees = logits.argmax(dim=1) == label
    return Exemplary(
        _first(members, from_centre, count),
        _first(members[agrees], -from_centre[agrees], count),
        _first(*_kept((own <= limit) & ~copies[members], members, surprise), count),
        _first(members, -own, count),
    )


def _inside(real: RealImages, classifier: ClassifierFeatures, label: int) -> Tensor:
    """How far from the training images of their class `INSIDE` of its test images lie at most."""
    return _to_own_class(real.test, real, classifier)[real.test.of_class(label)].quantile(INSIDE)


def _to_own_class(images: ImageSet, real: RealImages, classifier: ClassifierFeatures) -> Tensor:
    """The distance to the nearest training image of its own class, float64 [N], inf where there is none."""

    def compute() -> Arrays:
        distance = torch.full((len(images),), torch.inf, dtype=torch.float64)
        for label in images.labels.unique().tolist():
            members, training = images.of_class(label), real.train.of_class(label)
            if len(training):
                features = classifier.features(images)[members], classifier.features(real.train)[training]
                distance[members] = nearest(*features)[1]
        return {"distance": distance}

    space = f"{classifier.name} {classifier.version}"
    return images.derived(f"nearest training image of its class in {space} of {real.train.fingerprint}", compute)[
        "distance"
    ]


def _kept(keep: Tensor, members: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    return members[keep], values[keep]


def _first(members: Tensor, values: Tensor, count: int) -> list[int]:
    """The members of the smallest values, the smallest first."""
    return members[values.argsort(stable=True)[:count]].tolist()
