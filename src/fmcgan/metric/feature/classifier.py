"""Features and predictions of the classifier of a data set."""

import functools
import hashlib
from pathlib import Path

from torch import Tensor

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.feature.classifier_network import Classifier, load_classifier, weights_file
from fmcgan.metric.feature.classifier_training import trained_weights
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.results_store import Arrays


class ClassifierFeatures(FeatureNetwork):
    """The 96 features before the classifier's last layer, and its predictions: no download, seconds on a CPU.

    The weights in the package are those of Fashion-MNIST. For another data set, `fit` trains a classifier on the
    training images, once: see `fmcgan.metric.feature.classifier_training`.

    The features represent differences between classes. They hardly change when an image is mirrored or shifted by a
    pixel, since the classifier was trained with both augmentations (without mirroring where that changes the class);
    those of `RandomConvolutions` do. A Fréchet distance on them is not comparable with an FID.
    """

    name = "classifier"
    num_features = Classifier.num_features

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        """Loads a file of `fmcgan.metric.train_classifier`, once per process and content.

        ``None`` means the file in the package, until `fit` finds the data set to be another. Raises `UserError` if the
        weights are missing or damaged. The batch size, at least 1, affects rounding only.
        """
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        self._given = weights_file(weights) if weights else None
        self._use(weights_file(weights))

    @property
    def network(self) -> Classifier:
        """The classifier, in eval mode and without gradients of its weights."""
        return self._network

    def fit(self, real: RealImages) -> None:
        """Takes the classifier of the data set: the given file, the one in the package, or one trained on it.

        Raises:
            InvalidValueError: the given file is of another data set.
            UnfitNetworkError: a trained classifier hardly recognises the classes.
        """
        if self._given is None:
            self._use(weights_file())
        if differences := self._network.info.differences(real.info):
            if self._given is not None:
                raise InvalidValueError(
                    f"the classifier weights {self._given} are of another data set: {differences}; "
                    "set feature.classifier.weights=null to train a classifier of this one"
                )
            self._use(trained_weights(real))

    def logits(self, images: ImageSet) -> Tensor:
        """Returns the logits of a set, float32 [N, K] on the CPU."""
        return self.outputs(images)["logits"]

    def outputs(self, images: ImageSet) -> Arrays:
        """Returns features and logits; raises `InvalidValueError` for images of another data set."""
        info = self._network.info
        if images.info != info and (differences := info.differences(images.info)):
            raise InvalidValueError(f"the classifier is of another data set: {differences}; call its fit first")
        return super().outputs(images)

    def _use(self, file: Path) -> None:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.version = digest[:16]
        self._network = _load(file, digest)

    def _extract(self, images: Tensor) -> Arrays:
        features, logits = self._network.to(images.device)(images)
        return {"features": features, "logits": logits}


@functools.lru_cache(maxsize=4)
def _load(file: Path, digest: str) -> Classifier:
    """Loads a file; the digest is part of the key because the file may be overwritten."""
    return load_classifier(file)
