"""Realism and variety within the classes that a classifier assigns: also of generators that ignore the label."""

from pathlib import Path
from typing import ClassVar

import torch

from fmcgan.metric.base import ClassifierMetric
from fmcgan.metric.frechet import ClassFrechetDistance
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.manifold import Manifold
from fmcgan.metric.value import MetricValue, Quantity

K = 3  # of precision and recall, as in `Manifold`


class AssignedClasses(ClassifierMetric):
    """Values within classes, of samples and of real images sorted by the class that the classifier predicts.

    No label is read, so that conditional and unconditional generators are comparable. On the classifier's features:

    - ``assigned_class_fd_classifier_{n}_{split}``: mean over the classes of the Fréchet distance within a class;
    - ``assigned_precision_...``: realism: mean over the classes of the precision (k=3) of the samples of a class;
    - ``assigned_recall_...``: variety: mean over the classes of the recall (k=3) of the real images of a class;
    - ``assigned_imbalance_...``: distance in total variation, in 0..1, between the shares of the classes among samples
      and among real images: the share of the samples that would have to be of another class.

    ``by_class`` holds each class; of the imbalance, the share of the samples minus that of the real images. A class of
    which there are fewer than two samples is an `InvalidValueError`, as for `ClassFrechetDistance`. No intervals.
    """

    kinds: ClassVar = {
        "assigned_class_fd": Quantity("Fréchet distance within assigned classes", "lower", lowest=0),
        "assigned_precision": Quantity("Precision, mean over assigned classes", "higher", lowest=0, highest=1),
        "assigned_recall": Quantity("Recall, mean over assigned classes", "higher", lowest=0, highest=1),
        "assigned_imbalance": Quantity("Imbalance of assigned classes", "lower", lowest=0, highest=1),
    }
    protocol_template = f"Fréchet distance, precision and recall k={K}, imbalance, in the classes predicted by {{}}"
    uses_reference = True

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        super().__init__(weights, batch_size)
        networks = {self.classifier.name: self.classifier}
        self._distance, self._manifold = ClassFrechetDistance(networks), Manifold(networks, K, K)

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the split that samples are not compared with."""
        return real.other

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the four values."""
        ours, theirs = self._assigned(samples), self._assigned(real.reference)
        compared = RealImages(theirs, theirs)
        for metric in (self._distance, self._manifold):
            metric.fit(compared)
        found = self._distance.measure(ours, compared) | self._manifold.measure(ours, compared)
        excess, name = ours.shares - theirs.shares, self.classifier.name
        return {
            "assigned_class_fd_classifier": found[f"class_fd_{name}"]._replace(interval=None),
            "assigned_precision_classifier": _mean_of_classes(found[f"precision_k{K}_{name}"]),
            "assigned_recall_classifier": _mean_of_classes(found[f"recall_k{K}_{name}"]),
            "assigned_imbalance_classifier": MetricValue(
                float(excess.abs().sum() / 2), by_class=tuple(excess.tolist())
            ),
        }

    def _assigned(self, images: ImageSet) -> ImageSet:
        return images.relabelled(self.classifier.logits(images).argmax(dim=1))


def _mean_of_classes(value: MetricValue) -> MetricValue:
    known = torch.tensor([each for each in value.by_class or () if each is not None], dtype=torch.float64)
    return MetricValue(known.mean().item(), by_class=value.by_class)
