"""What good and bad look like: every score is also measured on image sets whose quality is known."""

import logging
from collections.abc import Sequence
from typing import Any

import torch

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import Metric, RealImages
from fmcgan.metric.image_set import ImageSet, count_name
from fmcgan.metric.results_store import Store

_log = logging.getLogger(__name__)

REAL = "real"
TITLES = {
    REAL: "real data",
    "shuffled_labels": "labels shuffled",
    "noise": "uniform noise",
    "class_means": "class means",
    "copies": "training images copied",
}
"""The rows by the name that a command takes, and how tables call them.

- ``real``: real images that the score does not compare with, see `Metric.real_samples`;
- ``shuffled_labels``: the same, their labels permuted;
- ``noise``: every pixel uniform in 0..255;
- ``class_means``: the mean training image of each class, again and again;
- ``copies``: training images, as a generator would give them that has learned them by heart.
"""


class Rows:
    """Measures the rows, each once for each protocol and data set.

    Args:
        real: the data set.
        store: where measured values are kept.
    """

    def __init__(self, real: RealImages, store: Store) -> None:
        self.real = real
        self.store = store
        self._images: dict[tuple[str, int, str], ImageSet] = {}

    def measure(self, score: Metric, row: str, n: int) -> dict[str, dict[str, Any]]:
        """Scores a row.

        Args:
            score: any.
            row: a key of `TITLES`.
            n: how many images the row has; fewer, if the data set has fewer.

        Returns:
            The name that samples of ``n`` images have -> ``value`` and ``by_class``.
        """
        train, test = self.real.train.fingerprint, self.real.test.fingerprint
        where = f"train {train} test {test} reference {self.real.reference_split}"
        key = f"{row} n={n} {where} {type(score).__name__} {score.protocol}"
        return self.store.values(key, lambda: self._measure(score, row, n))

    def _measure(self, score: Metric, row: str, n: int) -> dict[str, dict[str, Any]]:
        images = self.images(score, row, n)
        if len(images) < n:
            _log.warning("%s: %s are only %d images instead of %d", type(score).__name__, TITLES[row], len(images), n)
        return {
            _with_count(name, len(images), n): {
                "value": measured.value,
                "by_class": None if measured.by_class is None else list(measured.by_class),
            }
            for name, measured in score.measure(images, self.real).items()
        }

    def images(self, score: Metric, row: str, n: int) -> ImageSet:
        """The images of a row: the same set for all scores that take the same, so that each is read once."""
        source = score.real_samples(self.real)
        key = (row, n, source.fingerprint)
        if key not in self._images:
            self._images[key] = self._make(row, n, source)
        return self._images[key]

    def _make(self, row: str, n: int, source: ImageSet) -> ImageSet:
        generator = torch.Generator().manual_seed(0)
        chosen = source.balanced(n)
        classes = source.labels.unique()
        labels = classes[torch.arange(n) % len(classes)]
        if row == "shuffled_labels":
            return ImageSet(
                chosen.images, chosen.labels[torch.randperm(len(chosen), generator=generator)], source.device
            )
        if row == "noise":
            noise = torch.randint(0, 256, (n, 1, 28, 28), dtype=torch.uint8, generator=generator)
            return ImageSet(noise, labels, source.device)
        if row == "class_means":
            return ImageSet(_class_means(self.real.train)[labels], labels, source.device)
        return self.real.train.balanced(n) if row == "copies" else chosen


def applicable(score: Metric, rows: Sequence[str]) -> list[str]:
    """The rows that a score is measured on: real images alone, if it takes minutes."""
    return [row for row in rows if score.quick or row == REAL]


def _class_means(train: ImageSet) -> torch.Tensor:
    """The mean image of each class, black for a class without images: uint8 [10, 1, 28, 28]."""
    members = [train.images[train.of_class(label)].double() for label in range(NUM_CLASSES)]
    means = [images.mean(dim=0) if len(images) else torch.zeros(1, 28, 28).double() for images in members]
    return torch.stack(means).round().to(torch.uint8)


def _with_count(name: str, had: int, n: int) -> str:
    """A measurement's name as it would be for ``n`` samples: the data set may have fewer real images than that."""
    return "_".join(count_name(n) if part == count_name(had) else part for part in name.split("_"))
