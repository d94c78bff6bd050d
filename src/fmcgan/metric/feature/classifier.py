"""Features of our own Fashion-MNIST classifier: no download, seconds on a CPU, trained on the labels."""

import functools
import hashlib
from pathlib import Path

from torch import Tensor

from fmcgan.app.checks import whole_number
from fmcgan.metric.classifier import Classifier, load_classifier, weights_file
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Arrays


class ClassifierFeatures(FeatureNetwork):
    """The 96 pooled features in front of the classifier's last layer, and its answers.

    They see what tells the classes apart. Trained on mirrored images and images shifted by a pixel, the classifier
    hardly sees either: `RandomConvolutions` does. A Fréchet distance on them is not the FID and must not be compared
    with one.
    """

    name = "classifier"
    num_features = Classifier.num_features

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        """Loads the classifier, or takes it from memory if the same file was loaded before.

        Args:
            weights: file made by `fmcgan.metric.train_classifier`; ``None`` (or empty) means the shipped one.
            batch_size: images at once; of no influence beyond float rounding.

        Raises:
            UserError: the weights are missing or damaged, or batch_size is not a whole number of at least 1.
        """
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        file = weights_file(weights)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.version = digest[:16]
        self._network = _load(file, digest)

    def logits(self, images: ImageSet) -> Tensor:
        """The classifier's answers, float32 [N, 10] on the CPU: the softmax of each row gives the probabilities."""
        return self.reading(images)["logits"]

    def _read(self, images: Tensor) -> Arrays:
        features, logits = self._network.to(images.device)(images)
        return {"features": features, "logits": logits}


@functools.lru_cache(maxsize=4)
def _load(file: Path, digest: str) -> Classifier:
    """Loads each content of each file once: the digest is part of the key, because a file may be written anew."""
    return load_classifier(file)
