"""Base classes of metrics: numbers measured on labelled images, beside the same numbers of real images."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity


class Metric(ABC):
    """One or several values measured on a set of labelled images.

    A metric has no state beyond its parameters: equal samples and real images give equal bits, in any order of calls.
    It neither reads nor changes the global random state. What it needs of a set more than once it computes with
    `ImageSet.derived`. It is not a module: its networks are never trained and never saved in a checkpoint.
    """

    kinds: ClassVar[Mapping[str, Quantity]]
    """What the metric can measure, by the start of the name: ``recall`` for ``recall_k3_classifier_10k_test``."""

    n: int | None = None
    """Number of samples that it needs; ``None``: the number of the evaluation."""

    quick: bool = True
    """Takes seconds. A metric of minutes is measured on no baseline but real images."""

    names_reference: ClassVar[bool] = True
    """Whether names carry the split that samples are compared with; False where the reference is not used."""

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """What this instance measures, by name without number of samples and split: ``recall_k3_classifier``."""
        return self.kinds

    @property
    def min_samples(self) -> int:
        """Number of samples below which values say more about that number than about the samples."""
        return 2

    @property
    @abstractmethod
    def protocol(self) -> str:
        """Every parameter and the version of every network. Results are stored under it."""

    @abstractmethod
    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures a set of samples.

        Args:
            samples: at least 2.
            real: the real images to compare with.

        Returns:
            Values by the keys of `quantities`; all are finite. A key may be missing if it cannot be measured.
        """

    def real_samples(self, real: RealImages) -> ImageSet:
        """Chooses real images that the metric does not compare with, to measure as if they were samples."""
        return real.other

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, object]:
        """Returns results beyond numbers, as plain JSON types, for files and figures."""
        return {}

    def value_name(self, key: str, n: int, split: str) -> str:
        """Names a value of ``n`` samples: ``fd_classifier`` of `quantities` -> ``fd_classifier_10k_test``."""
        return "_".join([key, count_name(n), *([split] if self.names_reference else [])])


class FeatureMetric(Metric):
    """A metric that is measured on each of several feature networks."""

    def __init__(self, features: Mapping[str, FeatureNetwork]) -> None:
        """Takes feature networks by name."""
        self.networks = tuple(features.values())

    @property
    def versions(self) -> str:
        """Names and versions of the networks, for protocols."""
        return ", ".join(f"{network.name} {network.version}" for network in self.networks)


class ClassifierMetric(Metric):
    """A metric of the predictions of the classifier that was trained on real images."""

    names_reference = False

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        """Loads the classifier; arguments and errors are those of `ClassifierFeatures`."""
        self.classifier = ClassifierFeatures(weights, batch_size)

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """All kinds, on the classifier."""
        return {f"{kind}_{self.classifier.name}": quantity for kind, quantity in self.kinds.items()}

    def real_samples(self, real: RealImages) -> ImageSet:
        """Chooses the test images: on the training images the classifier is more certain."""
        return real.test


def count_name(n: int) -> str:
    """Writes a number of images as names carry it: 10000 -> ``10k``, 2500 -> ``2500``."""
    return f"{n // 1000}k" if n % 1000 == 0 and n > 0 else str(n)


def quantity_of(name: str) -> tuple[Quantity, str] | None:
    """Looks up what a value's name stands for, among all metrics of this package and other imported ones.

    Args:
        name: such as ``recall_k3_classifier_10k_test``.

    Returns:
        The quantity and the rest of the name (``k3_classifier_10k_test``), or ``None`` if no metric has such names.
    """
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], "fmcgan.metric."):
        importlib.import_module(module.name)
    kinds = {kind: each for metric in _subclasses(Metric) for kind, each in vars(metric).get("kinds", {}).items()}
    found = [kind for kind in kinds if name == kind or name.startswith(f"{kind}_")]
    if not found:
        return None
    kind = max(found, key=len)
    return kinds[kind], name[len(kind) + 1 :]


def _subclasses(parent: type) -> Iterator[type]:
    child: type
    for child in parent.__subclasses__():
        yield child
        yield from _subclasses(child)
