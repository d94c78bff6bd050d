"""Inception score on the Fashion-MNIST classifier."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import ClassifierMetric
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, interval


class InceptionScore(ClassifierMetric):
    """``is_classifier_{n}``: the formula of Salimans et al. 2016, "Improved techniques for training GANs", section 4.

    ``exp(mean KL(p(y|x) || p(y)))`` with p of the classifier, from 1 (all predictions are alike) to 10 (predictions are
    certain and the ten classes equally frequent). It is measured over all samples at once; the usual mean over ten
    splits is slightly smaller.

    Not comparable with the Inception score on the thousand classes of ImageNet. Real images are no upper bound, since
    the classifier is uncertain about shirts and coats: a generator of easy images, or of one image per class, exceeds
    them. The score ignores real images, labels and diversity within a class.
    """

    kinds: ClassVar = {"is": Quantity("Inception score", "higher", lowest=1, highest=NUM_CLASSES)}
    protocol_template = "inception score of {}, one split"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the score; real images are not used."""
        logits = self.classifier.logits(samples)
        value = inception_scores(logits, torch.ones(1, len(samples))).item()
        bounds = interval(value, inception_scores(logits, samples.resamples), 1.0, NUM_CLASSES)
        return {"is_classifier": MetricValue(value, bounds)}


def inception_scores(logits: Tensor, counts: Tensor) -> Tensor:
    """Computes the score of resamples, as the entropy of the mean prediction less the mean entropy of predictions.

    Counts, [B, N] with row sums of N, say how often each resample contains each row of the logits [N, C]. Returns
    float64 [B] in 1..C.
    """
    log_p = logits.double().log_softmax(dim=1)
    p, weights = log_p.exp(), counts.double() / len(logits)
    entropies = -(p * log_p).sum(dim=1)
    divergences = torch.special.entr(weights @ p).sum(dim=1) - weights @ entropies
    return divergences.clamp(0, math.log(logits.shape[1])).exp()  # only rounding leaves this range
