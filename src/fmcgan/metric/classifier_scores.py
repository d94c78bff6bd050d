"""Scores by our own Fashion-MNIST classifier: they need no download and take seconds on a CPU."""

from pathlib import Path

import torch
from torch import Tensor

from fmcgan.checks import whole_number
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.classifier import load_classifier, read_images
from fmcgan.metric.frechet import frechet_distance, gaussian_statistics
from fmcgan.metric.score import LabelledImages, Measurement, Score, class_balanced, count_name


class ClassifierScores(Score):
    """How close the samples are to the test images, and whether they show what was asked.

    - ``fd_classifier_{n}_test``: Fréchet distance on the classifier's 96 features. It is not the FID, whose features
      are Inception's, and the two must not be compared. Trained on mirrored images and images shifted by a pixel, the
      classifier hardly sees either.
    - ``label_agreement_classifier_{n}``: share of the samples, in 0..1, that the classifier reads as the class asked
      for. Its real-data value is the classifier's accuracy on ``n`` class-balanced test images (or all, if there are
      fewer), because it has seen the training images; a generator that draws only easy images can exceed it.
    """

    def __init__(self, weights: Path | str | None = None, batch_size: int = 500) -> None:
        """Loads the classifier.

        Args:
            weights: file made by `fmcgan.metric.train_classifier`; ``None`` means the shipped one.
            batch_size: images at once; of no influence beyond float rounding.

        Raises:
            UserError: the weights are missing or damaged.
            ValueError: batch_size is not a whole number of at least 1.
        """
        whole_number(batch_size=batch_size)
        self.batch_size = batch_size
        self.agreement_matrix = torch.zeros(NUM_CLASSES, NUM_CLASSES, dtype=torch.int64)
        """Counts [10, 10] of the last `measure`: row = class asked for, column = class read. Zeros before the first."""
        self._classifier = load_classifier(weights)

    def _set_reference(self, test: LabelledImages) -> None:
        features, logits = self._read(test.images)
        self._reference = gaussian_statistics(features)
        chosen = class_balanced(test.labels, self.n)
        self._test_agreement = agreement_share(count_agreement(test.labels[chosen], logits[chosen.cpu()]))

    def _measure(self, samples: LabelledImages) -> dict[str, Measurement]:
        features, logits = self._read(samples.images)
        self.agreement_matrix = count_agreement(samples.labels, logits)
        return {
            self._distance_name: Measurement(self._distance(features), "lower"),
            self._agreement_name: Measurement(agreement_share(self.agreement_matrix), "higher"),
        }

    def _measure_floors(self, real: LabelledImages) -> dict[str, float]:
        features, _ = self._read(real.images)
        return {self._distance_name: self._distance(features), self._agreement_name: self._test_agreement}

    @property
    def _distance_name(self) -> str:
        return f"fd_classifier_{count_name(self.n)}_test"

    @property
    def _agreement_name(self) -> str:
        return f"label_agreement_classifier_{count_name(self.n)}"

    def _distance(self, features: Tensor) -> float:
        return frechet_distance(*gaussian_statistics(features), *self._reference)

    def _read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return read_images(self._classifier, images, self.batch_size, self.device)


def count_agreement(labels: Tensor, logits: Tensor) -> Tensor:
    """Counts how images asked for one class are read as another.

    Args:
        labels: the classes asked for, int64 [N].
        logits: the classifier's answers, [N, 10].

    Returns:
        int64 [10, 10]: row = class asked for, column = class read.
    """
    pairs = labels.cpu() * NUM_CLASSES + logits.cpu().argmax(dim=1)
    return pairs.bincount(minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)


def agreement_share(counts: Tensor) -> float:
    """Share, in 0..1, of the images on the diagonal of a [10, 10] matrix of counts."""
    return counts.trace().item() / counts.sum().item()
