"""Every sample judged by a detector that has not learned from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from fmcgan.analysis.detector.network import Detector, Recipe, judge, train_detector
from fmcgan.analysis.effect import Difference, difference_of_scores
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.image_set import ImageSet

FEWEST = 8
"""Samples of a class below which it is left out: a detector would learn from three of them."""

TIED = math.sqrt(2)
"""By how much errors are larger than those of independent scores, at the most.

What one detector learns the other judges, so that both follow the same chance of the halves. Were their two areas
wholly tied, the mean would be as uncertain as either. Among real images 24 repetitions gave a correlation of 0.4 and
errors larger by 1.3.
"""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """How suspicious samples and real images are to a detector that has learned from neither.

    Args:
        places: of the N samples judged, in the set of samples, int64 [N].
        labels: their classes, int64 [N].
        fold: 0 or 1: which detector judged each, int64 [N].
        scores: in 0..1, float64 [N]: the share of the images judged with it, of its class and by the same detector,
            that are less suspicious. So scores of two detectors and of all classes have one scale.
        real_labels: the classes of the real training images that were judged with them, int64 [N].
        real_scores: theirs, float64 [N].
        detectors: by fold.
    """

    places: Tensor
    labels: Tensor
    fold: Tensor
    scores: Tensor
    real_labels: Tensor
    real_scores: Tensor
    detectors: Sequence[Detector]

    @property
    def classes(self) -> list[int]:
        """The classes judged, in rising order."""
        return [int(label) for label in self.labels.unique()]

    def told_apart(self, label: int | None = None) -> tuple[Difference, float, tuple[float, float]]:
        """How surely samples of a class, or of all, are told from real images.

        Returns:
            As `difference_of_scores`, with interval, error and p-value for errors that are larger by `TIED`.
        """
        samples, real = (
            scores if label is None else scores[labels == label]
            for scores, labels in ((self.scores, self.labels), (self.real_scores, self.real_labels))
        )
        difference, area, bounds = difference_of_scores(samples.numpy(), real.numpy())
        p_value = 2 * stats.norm.sf(stats.norm.isf(difference.p_value / 2) / TIED)
        low, high = (min(max(area + TIED * (end - area), 0.0), 1.0) for end in bounds)
        return Difference(difference.size, TIED * difference.error, float(p_value)), area, (low, high)


def cross_fit(samples: ImageSet, train: ImageSet, most_per_class: int, recipe: Recipe, seed: int) -> Verdicts | None:
    """Trains two detectors, each on one half of the samples, and has each judge the other half.

    Each learns from as many real images of each class as samples, and judges as many beside the samples. No real image
    serves twice: one that the first detector learns and the second judges would tie their errors together.

    Args:
        samples: generated images, or others in their place.
        train: real ones, twice as many of a class as samples, or else fewer samples of it are judged.
        most_per_class: so many samples of a class are judged at most, chosen by the seed.
        recipe: how the detectors learn.
        seed: of the halves and the detectors.

    Returns:
        ``None`` if no class has `FEWEST` samples.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in range(6)]  # two halves of the samples, to learn from and to judge by fold
    for label in range(NUM_CLASSES):
        own, real = samples.of_class(label), train.of_class(label)
        n = min(len(own), most_per_class, len(real) // 2)
        if n < FEWEST:
            continue
        own, real = (each[torch.randperm(len(each), generator=generator)] for each in (own, real))
        sizes = [n // 2, n - n // 2]
        drawn = [*own[:n].split(sizes), *real[: 2 * n].split([*sizes, *reversed(sizes)])]
        for part, each in zip(parts, drawn, strict=True):
            part.append(each)
    if not parts[0]:
        return None
    halves = [torch.cat(part) for part in parts]
    judged = [
        _judged(samples, train, (halves[fold], halves[1 - fold]), (halves[2 + fold], halves[4 + fold]), recipe, seed_of)
        for fold, seed_of in enumerate(torch.randint(2**31, (2,), generator=generator).tolist())
    ]
    detectors, scores, real_scores = zip(*judged, strict=True)
    places, real_places = torch.cat([halves[1], halves[0]]), torch.cat([halves[4], halves[5]])
    return Verdicts(
        places,
        samples.labels[places],
        torch.cat([torch.full((len(each),), fold) for fold, each in enumerate(scores)]),
        torch.cat(scores),
        train.labels[real_places],
        torch.cat(real_scores),
        detectors,
    )


def _judged(
    samples: ImageSet,
    train: ImageSet,
    own: tuple[Tensor, Tensor],
    real: tuple[Tensor, Tensor],
    recipe: Recipe,
    seed: int,
) -> tuple[Detector, Tensor, Tensor]:
    """A detector that has learned from the first places of each set, and the scores that it gives the second."""
    (images, labels, generated), (judged_images, judged_labels, is_own) = (
        (
            torch.cat([samples.images[mine], train.images[theirs]]),
            torch.cat([samples.labels[mine], train.labels[theirs]]),
            torch.arange(len(mine) + len(theirs)) < len(mine),
        )
        for mine, theirs in zip(own, real, strict=True)
    )
    detector = train_detector(images, labels, generated, recipe, seed, samples.device)
    logits = judge(detector, judged_images, judged_labels)
    scores = torch.zeros(len(logits), dtype=torch.float64)
    for label in judged_labels.unique():
        of_class = judged_labels == label
        ranks = torch.from_numpy(stats.rankdata(logits[of_class].numpy()))
        scores[of_class] = (ranks - 0.5) / len(ranks)
    return detector, scores[is_own], scores[~is_own]
