"""Cross-fitted detector scores: each sample is scored by a detector that was not trained on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from fmcgan.analysis.detector.network import Detector, Recipe, detector_logits, train_detector
from fmcgan.analysis.effect import Difference, difference_by_auc, ranks_within_classes
from fmcgan.metric.image_set import ImageSet

FEWEST = 8  # least number of samples of a class: a detector is trained on half of them
MAX_ERROR_FACTOR = math.sqrt(2)
"""Upper bound of the factor on standard errors due to correlated folds.

Each detector is tested on the training half of the other, which correlates their AUCs. The bound holds for full
correlation. With real images, 24 repetitions gave a correlation of 0.4 and a factor of 1.3.
"""


@dataclass(frozen=True, eq=False)
class DetectorScores:
    """Scores of samples and of real images by detectors that were not trained on them."""

    index: Tensor  # the scored samples, int64 [N]
    labels: Tensor  # their classes, int64 [N]
    fold: Tensor  # index of the detector of each, 0 or 1, int64 [N]
    scores: Tensor
    """Relative rank of the logit among the images of the same class and detector, in 0..1, float64 [N]; so detectors
    and classes share one scale."""
    real_index: Tensor  # the real training images with a score, int64 [N]
    real_labels: Tensor  # their classes, int64 [N]
    real_scores: Tensor  # their scores, float64 [N]
    detectors: Sequence[Detector]  # by fold

    @property
    def classes(self) -> list[int]:
        """Classes of the samples, ascending."""
        return [int(label) for label in self.labels.unique()]

    def auc(self, label: int | None = None) -> tuple[Difference, float, tuple[float, float]]:
        """Computes `difference_by_auc` of a class, or of all classes, with errors multiplied by `MAX_ERROR_FACTOR`."""
        samples, real = (
            scores if label is None else scores[labels == label]
            for scores, labels in ((self.scores, self.labels), (self.real_scores, self.real_labels))
        )
        difference, area, bounds = difference_by_auc(samples.numpy(), real.numpy())
        p_value = 2 * stats.norm.sf(stats.norm.isf(difference.p_value / 2) / MAX_ERROR_FACTOR)
        low, high = (min(max(area + MAX_ERROR_FACTOR * (end - area), 0.0), 1.0) for end in bounds)
        return Difference(difference.size, MAX_ERROR_FACTOR * difference.error, float(p_value)), area, (low, high)


def cross_fit(
    samples: ImageSet, train: ImageSet, most_per_class: int, recipe: Recipe, seed: int
) -> DetectorScores | None:
    """Trains two detectors, each on one half of the samples, and applies each to the other half.

    Training and test sets have as many real images of each class as samples. No real image is used twice, because
    reuse by the other detector would correlate their errors.

    Args:
        samples: generated images, or real ones for the floor.
        train: real images; at most half as many samples of a class are used as it has images.
        most_per_class: maximum number of samples of a class, chosen by the seed.
        recipe: of the training.
        seed: of the choice of images and of the detectors.

    Returns:
        The scores; ``None`` if no class has `FEWEST` samples and twice as many real images.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in range(6)]  # two halves of the samples; training and test images by fold
    for label in samples.info.labels:
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
    scored = [
        _scored(samples, train, (halves[fold], halves[1 - fold]), (halves[2 + fold], halves[4 + fold]), recipe, seed_of)
        for fold, seed_of in enumerate(torch.randint(2**31, (2,), generator=generator).tolist())
    ]
    detectors, scores, real_scores = zip(*scored, strict=True)
    index, real_index = torch.cat([halves[1], halves[0]]), torch.cat([halves[4], halves[5]])
    return DetectorScores(
        index,
        samples.labels[index],
        torch.cat([torch.full((len(each),), fold) for fold, each in enumerate(scores)]),
        torch.cat(scores),
        real_index,
        train.labels[real_index],
        torch.cat(real_scores),
        detectors,
    )


def _scored(
    samples: ImageSet,
    train: ImageSet,
    own: tuple[Tensor, Tensor],
    real: tuple[Tensor, Tensor],
    recipe: Recipe,
    seed: int,
) -> tuple[Detector, Tensor, Tensor]:
    """Trains a detector on the first indices of each set and scores the second ones."""
    (images, labels, generated), (test_images, test_labels, is_own) = (
        (
            torch.cat([samples.images[mine], train.images[theirs]]),
            torch.cat([samples.labels[mine], train.labels[theirs]]),
            torch.arange(len(mine) + len(theirs)) < len(mine),
        )
        for mine, theirs in zip(own, real, strict=True)
    )
    detector = train_detector(images, labels, generated, samples.info, recipe, seed, samples.device)
    scores = ranks_within_classes(detector_logits(detector, test_images, test_labels), test_labels)
    return detector, scores[is_own], scores[~is_own]
