"""What scores look through: feature networks, or the classifier that learned from real images."""

from collections.abc import Mapping
from pathlib import Path

from fmcgan.metric.base import Metric, RealImages
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet


class FeatureMetric(Metric):
    """A score that is measured on each of several feature networks."""

    def __init__(self, features: Mapping[str, FeatureNetwork]) -> None:
        """Keeps the networks.

        Args:
            features: name -> network; the score is measured on each.
        """
        self.networks = tuple(features.values())

    @property
    def versions(self) -> str:
        """The networks, as protocols name them."""
        return ", ".join(f"{network.name} {network.version}" for network in self.networks)


class ClassifierMetric(Metric):
    """A score of what our real-trained classifier answers."""

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        """Loads the classifier.

        Args:
            weights: file made by `fmcgan.metric.train_classifier`; ``None`` means the shipped one.
            batch_size: images at once; of no influence beyond float rounding.

        Raises:
            UserError: the weights are missing or damaged.
            InvalidValueError: batch_size is not a whole number of at least 1.
        """
        self.classifier = ClassifierFeatures(weights, batch_size)

    def real_samples(self, real: RealImages) -> ImageSet:
        """The test images, always: of the training images, which it has seen, the classifier is surer."""
        return real.test
