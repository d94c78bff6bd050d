"""GAN-test: predictions of a classifier trained on real images, compared with the labels of the samples."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from fmcgan.metric.base import ClassifierMetric
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, mean_value, share_interval


class GanTest(ClassifierMetric):
    """GAN-test of Shmelkov et al. 2018, "How good is my GAN?": train on real images, test on the samples.

    - ``label_agreement_classifier_{n}``: share of the samples, in 0..1, whose predicted class is their label.
    - ``label_cross_entropy_classifier_{n}``: mean of ``-log p(label | sample)`` in nats, at least 0. It still
      separates generators with an agreement near 1, and weights each error by the confidence of the prediction.

    Both measure quality and label fidelity, not diversity: a generator of easy images, or of one good image per class,
    beats real images. ``findings`` holds the ``agreement_matrix``: counts, row = label, column = predicted class.
    """

    kinds: ClassVar = {
        "label_agreement": Quantity(
            "Label agreement",
            "higher",
            lowest=0,
            highest=1,
            summary="Share of samples classified as their label.",
            plain="Recognised as asked",
        ),
        "label_cross_entropy": Quantity("Label cross entropy", "lower", "nats", lowest=0),
    }
    protocol_template = "agreement and cross entropy of {}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures both values; real images are not used."""
        logits = self.classifier.logits(samples).double()
        losses = F.cross_entropy(logits, samples.labels, reduction="none")
        return {
            "label_agreement_classifier": mean_value(logits.argmax(dim=1) == samples.labels, samples, share_interval),
            "label_cross_entropy_classifier": mean_value(losses, samples),
        }

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, object]:
        """Returns the ``agreement_matrix``, K rows of K counts."""
        return {"agreement_matrix": count_agreement(samples.labels, self.classifier.logits(samples)).tolist()}


def count_agreement(labels: Tensor, logits: Tensor) -> Tensor:
    """Counts images by label, int64 [N], and class of highest logit, [N, K]: int64 [K, K], row = label."""
    num_classes = logits.shape[1]
    pairs = labels * num_classes + logits.argmax(dim=1)
    return pairs.bincount(minlength=num_classes**2).reshape(num_classes, num_classes)


def agreement_share(counts: Tensor) -> float:
    """Computes the share, in 0..1, of the images on the diagonal of a [K, K] matrix of counts."""
    return counts.trace().item() / counts.sum().item()
