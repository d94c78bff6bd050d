"""Baselines: image sets of known quality to compare samples with."""

import logging
from collections.abc import Sequence

import torch

from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store, StoredValue

_log = logging.getLogger(__name__)

REAL = "real"
BASELINES = (REAL, "shuffled_labels", "uniform_noise", "class_means", "training_copies")
"""Names of the baselines, in the order of tables.

- ``real``: real images that the metric does not compare with, see `Metric.real_samples`;
- ``shuffled_labels``: the same images with permuted labels;
- ``uniform_noise``: every pixel uniform in 0..255;
- ``class_means``: the mean training image of each class, repeated;
- ``training_copies``: training images, as from a generator that memorised them.
"""


def baseline_title(baseline: str) -> str:
    """Returns the title of a baseline: ``uniform noise``."""
    return baseline.replace("_", " ")


def applicable(metric: Metric, baselines: Sequence[str]) -> list[str]:
    """Selects the baselines of a metric: only real images unless it is quick."""
    return [baseline for baseline in baselines if metric.quick or baseline == REAL]


class Baselines:
    """Measures the baselines of a data set, each once per protocol; the store saves the values on disk."""

    def __init__(self, real: RealImages, store: Store) -> None:
        self.real = real
        self.store = store
        self._images: dict[tuple[str, int, str], ImageSet] = {}
        self._told: set[tuple[int, int]] = set()

    def measure(self, metric: Metric, baseline: str, n: int) -> dict[str, StoredValue]:
        """Measures ``n`` images of a baseline, or all if there are fewer; the names of the values contain ``n``."""
        train, test, split = self.real.train.fingerprint, self.real.test.fingerprint, self.real.reference_split
        inputs = f"train {train} test {test} reference {split}"
        if baseline == REAL:
            self._tell(len(self._in_proportion(metric.real_samples(self.real), n)), n)

        def compute() -> dict[str, StoredValue]:
            images = self.images(metric, baseline, n)
            return {
                metric.value_name(key, n, split): {
                    "value": value.value,
                    "by_class": None if value.by_class is None else list(value.by_class),
                }
                for key, value in metric.measure(images, self.real).items()
            }

        return self.store.values(f"{baseline} n={n} {inputs} {type(metric).__name__} {metric.protocol}", compute)

    def _tell(self, count: int, n: int) -> None:
        """Warns once of fewer real images than samples; stored values do not show it either."""
        if count >= n or (count, n) in self._told:
            return
        self._told.add((count, n))
        classes = len(self.real.reference.labels.unique())
        as_many = max(count // classes, 1) * classes  # the same whole number of images for each class
        given = f"{n:,} samples are compared with values of {count:,} real images"
        _log.warning("%s; n=%d: as many", given, as_many)

    def images(self, metric: Metric, baseline: str, n: int) -> ImageSet:
        """Returns the images of a baseline, the same object for all metrics, which then share cached features."""
        source = metric.real_samples(self.real)
        key = (baseline, n, source.fingerprint)
        if key not in self._images:
            self._images[key] = self._make(baseline, n, source)
        return self._images[key]

    def _make(self, baseline: str, n: int, source: ImageSet) -> ImageSet:
        if baseline in (REAL, "training_copies"):
            return self._in_proportion(source if baseline == REAL else self.real.train, n)
        generator = torch.Generator().manual_seed(0)
        if baseline == "shuffled_labels":
            chosen = self._in_proportion(source, n)
            order = torch.randperm(len(chosen), generator=generator)
            return ImageSet(chosen.images, chosen.labels[order], source.info, source.device)
        classes = source.labels.unique()
        labels = classes[torch.arange(n) % len(classes)]
        if baseline == "uniform_noise":
            images = torch.randint(0, 256, (n, *source.info.shape), dtype=torch.uint8, generator=generator)
        else:
            images = _class_means(self.real.train)[labels]
        return ImageSet(images, labels, source.info, source.device)

    def _in_proportion(self, images: ImageSet, n: int) -> ImageSet:
        """Selects at most ``n`` images in the class proportions of the reference, as samples have them."""
        shares = self.real.reference.shares
        return images.balanced(min(n, images.available(shares)), shares)


def _class_means(train: ImageSet) -> torch.Tensor:
    """Averages the images of each class, uint8 [K, C, H, W]; a class without images is black."""
    members = [train.images[train.of_class(label)].double() for label in train.info.labels]
    black = torch.zeros(train.info.shape, dtype=torch.float64)
    means = [images.mean(dim=0) if len(images) else black for images in members]
    return torch.stack(means).round().to(torch.uint8)
