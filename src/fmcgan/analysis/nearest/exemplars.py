"""Exemplars of a class: the most and least typical, the best and the worst samples."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results_store import Arrays

INSIDE = 0.9  # share of the test images of a class that counts as close to its training images


class Exemplars(NamedTuple):
    """Indices of samples of one class, the most extreme first."""

    typical: list[int]  # nearest to the centre of the class: the mean features of its training images
    atypical: list[int]  # farthest from it, among those classified as their conditioned class
    best: list[int]  # highest probability of the conditioned class, among those close to its training images
    worst: list[int]  # farthest from all training images of the conditioned class: garbled, or of another class


def choose_exemplars(
    samples: ImageSet, real: RealImages, classifier: ClassifierFeatures, label: int, count: int, copies: Tensor
) -> Exemplars:
    """Chooses at most ``count`` exemplars of each kind among the samples of a class.

    ``copies`` tells which of the samples are near copies, bool [N]; these are never the best.
    """
    members = samples.of_class(label)
    logits = classifier.logits(samples)[members].double()
    surprise = F.cross_entropy(logits, samples.labels[members], reduction="none")
    centre = classifier.features(real.train)[real.train.of_class(label)].double().mean(dim=0)
    from_centre = (classifier.features(samples)[members].double() - centre).square().sum(dim=1)
    own = _to_own_class(samples, real, classifier)[members]
    limit = _to_own_class(real.test, real, classifier)[real.test.of_class(label)].quantile(INSIDE)
    agrees, allowed = logits.argmax(dim=1) == label, (own <= limit) & ~copies[members]
    return Exemplars(
        _first(members, from_centre, count),
        _first(members[agrees], -from_centre[agrees], count),
        _first(members[allowed], surprise[allowed], count),
        _first(members, -own, count),
    )


def _to_own_class(images: ImageSet, real: RealImages, classifier: ClassifierFeatures) -> Tensor:
    """Computes the distance to the nearest training image of the same class, float64 [N]; inf if there is none."""

    def compute() -> Arrays:
        distance = torch.full((len(images),), torch.inf, dtype=torch.float64)
        for label in images.labels.unique().tolist():
            members, training = images.of_class(label), real.train.of_class(label)
            if len(training):
                features = classifier.features(images)[members], classifier.features(real.train)[training]
                distance[members] = nearest(*features)[1]
        return {"distance": distance}

    key = f"nearest training image of its class in {classifier.name_and_version} of {real.train.fingerprint}"
    return images.derived(key, compute)["distance"]


def _first(members: Tensor, values: Tensor, count: int) -> list[int]:
    """Returns the members with the smallest values, the smallest first."""
    return members[values.argsort(stable=True)[:count]].tolist()
