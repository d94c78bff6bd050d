"""Base classes of metrics of labelled images."""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages, UnfitNetworkError
from fmcgan.metric.value import MetricValue, Quantity


class Metric(ABC):
    """One or several values measured on a set of labelled images.

    A metric has no state beyond its parameters: equal inputs give bit-identical values, in any order of calls. It
    neither reads nor changes the global random state. `ImageSet.derived` caches what is computed of a set. A metric is
    not an `nn.Module`: its networks are neither trained nor saved in checkpoints.
    """

    kinds: ClassVar[Mapping[str, Quantity]]  # by the prefix of names: ``recall`` for ``recall_k3_classifier_10k_test``
    suffix: str = ""  # follows the prefix in `quantities`, such as ``_classifier``
    protocol: str  # all parameters and network versions, part of the key of stored results; every metric sets it
    n: int | None = None  # samples to measure; ``None``: that of the evaluation
    min_samples: int = 2  # values of fewer are unreliable
    quick: bool = True  # it takes seconds; otherwise real images are the only baseline
    uses_reference: ClassVar[bool] = True  # samples are compared with the reference; names of values end in its split
    info: DatasetInfo = GARMENTS  # classes and shape that protocol and quantities describe; `fit` sets it

    def fit(self, real: RealImages) -> None:
        """Adapts protocol, quantities and networks to a data set. The evaluator calls it before it measures.

        Raises:
            UnfitNetworkError: a network that the metric needs has no use on these images.
        """
        self.info = real.info
        self.settle()

    def settle(self) -> None:  # noqa: B027 (the protocol of most metrics is fixed)
        """Sets the protocol, and what else depends on `info` or on versions of networks."""

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Quantities of this instance by name, without number of samples and split: ``recall_k3_classifier``."""
        return {f"{kind}{self.suffix}": quantity for kind, quantity in self.kinds.items()}

    @abstractmethod
    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures a set of at least 2 samples beside real images.

        Returns values by the keys of `quantities`; all are finite. A key may be missing if it cannot be measured.
        """

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the images of the baseline ``real``: those that the metric does not compare with."""
        return real.other

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, object]:
        """Returns results beyond numbers, as plain JSON types, for files and figures."""
        return {}

    def value_name(self, key: str, n: int, split: str) -> str:
        """Returns the name of a value of ``n`` samples: ``fd_classifier`` -> ``fd_classifier_10k_test``."""
        return "_".join([key, format_count(n), *([split] if self.uses_reference else [])])


class FeatureMetric(Metric):
    """A metric of the features of each of several networks; `settle` sets its protocol, which names their versions."""

    def __init__(self, features: Mapping[str, FeatureNetwork]) -> None:
        self._given = self.networks = tuple(features.values())
        self.settle()

    def fit(self, real: RealImages) -> None:
        """Adapts to a data set, and leaves out networks that have no use on it."""
        self.networks = tuple(network for network in self._given if _suits(network, real))
        super().fit(real)

    @property
    def versions(self) -> str:
        """Names and versions of the networks."""
        return ", ".join(network.name_and_version for network in self.networks)


class FeatureDistance(FeatureMetric):
    """One distance on each network; its name begins with an abbreviation of the network, such as ``fd`` or ``fid``."""

    abbreviation: ClassVar[str]  # a key of `FeatureNetwork.abbreviations`
    prefix: ClassVar[str] = ""  # of the abbreviation, in names
    distance: ClassVar[str]  # in words, for the protocol
    names: list[str]  # of the distances, in the order of the networks

    def settle(self) -> None:
        """Sets names and protocol."""
        self.protocol = f"{self.distance} on {self.versions}"
        kinds = [f"{self.prefix}{network.abbreviations[self.abbreviation]}" for network in self.networks]
        self.names = [f"{kind}_{network.name}" for kind, network in zip(kinds, self.networks, strict=True)]
        self._quantities = {name: self.kinds[kind] for name, kind in zip(self.names, kinds, strict=True)}

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """One distance per network."""
        return self._quantities


class ClassifierMetric(Metric):
    """A metric of the predictions of a classifier; arguments and errors are those of `ClassifierFeatures`."""

    suffix = "_classifier"
    uses_reference = False
    protocol_template: ClassVar[str]  # the protocol, with ``{}`` for the classifier

    def __init__(self, weights: Path | str | None = None, batch_size: int = 100) -> None:
        self.classifier = ClassifierFeatures(weights, batch_size)
        self.settle()

    def fit(self, real: RealImages) -> None:
        """Adapts to a data set; an unfit classifier is an `UnfitNetworkError`."""
        self.classifier.fit(real)
        super().fit(real)

    def settle(self) -> None:
        """Sets the protocol."""
        self.protocol = self.protocol_template.format(self.classifier.name_and_version)

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the test images, since the classifier was trained on the others."""
        return real.test


def pixel_unit(info: DatasetInfo) -> str:
    """Returns the unit of differences of pixels: ``grey levels``, or ``levels`` of colour channels."""
    return "grey levels" if info.channels == 1 else "levels"


def format_count(n: int) -> str:
    """Formats a number of images for names: 10000 -> ``10k``, 2500 -> ``2500``."""
    return f"{n // 1000}k" if n % 1000 == 0 and n > 0 else str(n)


def quantity_of(name: str) -> tuple[Quantity, str] | None:
    """Finds the quantity of a value's name, among the metrics of this package and of imported modules.

    Returns the quantity and the rest of the name, as ``k3_classifier_10k_test`` of ``recall_k3_classifier_10k_test``;
    ``None`` if no metric has such names.
    """
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], "fmcgan.metric."):
        importlib.import_module(module.name)
    kinds = {kind: each for metric in _subclasses(Metric) for kind, each in vars(metric).get("kinds", {}).items()}
    found = [kind for kind in kinds if name == kind or name.startswith(f"{kind}_")]
    if not found:
        return None
    kind = max(found, key=len)
    return kinds[kind], name[len(kind) + 1 :]


def _suits(network: FeatureNetwork, real: RealImages) -> bool:
    try:
        network.fit(real)
    except UnfitNetworkError:
        return False
    return True


def _subclasses(parent: type) -> Iterator[type]:
    child: type
    for child in parent.__subclasses__():
        yield child
        yield from _subclasses(child)
