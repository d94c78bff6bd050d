"""The Inception score's formula on our own classifier: sure of every sample, and of every class alike."""

import math

import torch
from torch import Tensor

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import Measurement, RealImages
from fmcgan.metric.bootstrap import interval
from fmcgan.metric.feature_metric import ClassifierMetric
from fmcgan.metric.image_set import ImageSet, count_name


class InceptionScore(ClassifierMetric):
    """``is_classifier_{n}``: the formula of Salimans et al. 2016, "Improved techniques for training GANs", section 4.

    ``exp(mean KL(p(y|x) || p(y)))`` with our classifier's p, from 1 (every sample is read alike) to 10 (every sample is
    read surely, and the ten classes equally often). It is measured over all samples at once; the mean over ten splits,
    which many report, is as a rule a little smaller.

    Not comparable with Inception scores proper, whose thousand classes are ImageNet's. The higher the better, but real
    images are no upper bound, since shirts and coats leave the classifier in doubt: a generator that draws only easy
    images, or one of each class, exceeds them. It sees neither the real images nor the labels, and no diversity within
    a class.
    """

    begins = ("is_classifier",)

    @property
    def protocol(self) -> str:
        """Which classifier reads the samples, and in how many splits."""
        return f"inception score of {self.classifier.name} {self.classifier.version}, one split"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """The score with a bootstrap interval over the samples; the real images are not looked at."""
        logits = self.classifier.logits(samples)
        value = inception_scores(logits, torch.ones(1, len(samples))).item()
        sure = interval(value, inception_scores(logits, samples.resamples), 1.0, NUM_CLASSES)
        return {f"is_classifier_{count_name(len(samples))}": Measurement(value, "higher", sure)}


def inception_scores(logits: Tensor, counts: Tensor) -> Tensor:
    """The score of each of several resamples of the same samples.

    The mean divergence is computed as the entropy of the mean answer less the mean entropy of the answers.

    Args:
        logits: [N, C].
        counts: how often each sample is in each resample, [B, N], with the same sum N in every row.

    Returns:
        float64 [B] in 1..C.
    """
    log_p = logits.double().log_softmax(dim=1)
    p, weights = log_p.exp(), counts.double() / len(logits)
    entropies = -(p * log_p).sum(dim=1)
    divergences = torch.special.entr(weights @ p).sum(dim=1) - weights @ entropies
    return divergences.clamp(0, math.log(logits.shape[1])).exp()  # rounding alone leaves this range
