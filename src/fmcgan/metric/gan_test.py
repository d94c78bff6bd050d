"""Whether samples show the class they were asked to show, judged by a classifier that learned from real images."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import Measurement, RealImages
from fmcgan.metric.bootstrap import mean_interval, share_interval
from fmcgan.metric.feature_metric import ClassifierMetric
from fmcgan.metric.image_set import ImageSet, by_class, count_name


class GanTest(ClassifierMetric):
    """GAN-test of Shmelkov et al. 2018, "How good is my GAN?": train on real images, test on the samples.

    - ``label_agreement_classifier_{n}``: share of the samples, in 0..1, that our classifier reads as the class asked
      for; the higher the better.
    - ``label_cross_entropy_classifier_{n}``: mean of ``-log p(class asked for | sample)`` in nats, at least 0; the
      lower the better. It still tells generators apart whose samples are nearly all read right, and counts a sample
      the more, the surer the classifier is that it shows something else.

    Both see quality and obedience, and no diversity: a generator that draws only easy images, or one good image of each
    class, is better than real images. ``findings`` holds the ``agreement_matrix``: counts, row = class asked for,
    column = class read.
    """

    begins = ("label_agreement_classifier", "label_cross_entropy_classifier")

    @property
    def protocol(self) -> str:
        """Which classifier reads the samples."""
        return f"agreement and cross entropy of {self.classifier.name} {self.classifier.version}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Both numbers, with their classes and intervals; the real images are not looked at."""
        labels, logits = samples.labels, self.classifier.logits(samples).double()
        agrees = (logits.argmax(dim=1) == labels).double()
        surprise = F.cross_entropy(logits, labels, reduction="none")
        share, count = agreement_share(count_agreement(labels, logits)), count_name(len(samples))
        return {
            f"label_agreement_classifier_{count}": Measurement(
                share, "higher", share_interval(agrees, samples.resamples), by_class(agrees, labels)
            ),
            f"label_cross_entropy_classifier_{count}": Measurement(
                surprise.mean().item(), "lower", mean_interval(surprise, samples.resamples), by_class(surprise, labels)
            ),
        }

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, Any]:
        """The ``agreement_matrix``, ten rows of ten counts."""
        return {"agreement_matrix": count_agreement(samples.labels, self.classifier.logits(samples)).tolist()}


def count_agreement(labels: Tensor, logits: Tensor) -> Tensor:
    """Counts how images asked for one class are read as another.

    Args:
        labels: the classes asked for, int64 [N].
        logits: the classifier's answers, [N, 10].

    Returns:
        int64 [10, 10]: row = class asked for, column = class read.
    """
    pairs = labels * NUM_CLASSES + logits.argmax(dim=1)
    return pairs.bincount(minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)


def agreement_share(counts: Tensor) -> float:
    """Share, in 0..1, of the images on the diagonal of a [10, 10] matrix of counts."""
    return counts.trace().item() / counts.sum().item()
