"""Inception score on the classifier of the data set."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.metric.base import ClassifierMetric
from fmcgan.metric.image_set import ImageSet, RealImages, interval
from fmcgan.metric.value import MetricValue, Quantity


class InceptionScore(ClassifierMetric):
    """``is_classifier_{n}``: the formula of Salimans et al. 2016, "Improved techniques for training GANs", section 4.

    ``exp(mean KL(p(y|x) || p(y)))`` with p of the classifier, from 1 (all predictions are alike) to the number of
    classes (predictions are certain and the classes equally frequent). It is measured over all samples at once; the
    usual mean over ten splits is slightly smaller.

    Not comparable with the Inception score on the thousand classes of ImageNet. Real images are no upper bound, since
    the classifier is uncertain about similar classes: a generator of easy images, or of one image per class, exceeds
    them. The score ignores real images, labels and diversity within a class.
    """

    kinds: ClassVar = {"is": Quantity("Inception score", "higher", lowest=1)}
    protocol_template = "inception score of {}, one split"

    highest: float = math.inf  # `fit` sets it

    def fit(self, real: RealImages) -> None:
        """Adapts to a data set, whose number of classes is the highest score."""
        super().fit(real)
        self.highest = real.info.num_classes

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """The score, up to the number of classes."""
        return {name: each._replace(highest=self.highest) for name, each in super().quantities.items()}

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the score; real images are not used."""
        logits = self.classifier.logits(samples)
        value = inception_scores(logits, torch.ones(1, len(samples))).item()
        bounds = interval(value, inception_scores(logits, samples.resamples), 1.0, samples.info.num_classes)
        return {"is_classifier": MetricValue(value, bounds)}


def inception_scores(logits: Tensor, counts: Tensor) -> Tensor:
    """Computes the score of resamples, as the entropy of the mean prediction less the mean entropy of predictions.

    Counts, [B, N] with row sums of N, say how often each resample contains each row of the logits [N, K]. Returns
    float64 [B] in 1..K.
    """
    log_p = logits.double().log_softmax(dim=1)
    p, weights = log_p.exp(), counts.double() / len(logits)
    entropies = -(p * log_p).sum(dim=1)
    divergences = torch.special.entr(weights @ p).sum(dim=1) - weights @ entropies
    return divergences.clamp(0, math.log(logits.shape[1])).exp()  # only rounding leaves this range
