"""Fréchet distances of samples to real images: of the whole set, and of each class by itself."""

import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.metric.base import Measurement, RealImages
from fmcgan.metric.bootstrap import interval
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.feature_metric import FeatureMetric
from fmcgan.metric.frechet import Gaussian, fitted_gaussian, resampled_distances
from fmcgan.metric.image_set import ImageSet, count_name

WIDEST_RESAMPLED = 512
"""Features beyond which a distance has no interval: a hundred eigenvalue problems of 2048 rows take minutes."""


class FrechetDistance(FeatureMetric):
    """``fd_{network}_{n}_{split}``: Fréchet distance of the samples to the reference images, on each network.

    Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6; on Inception's features, and on these
    alone, it is the FID. In squared units of the features, at least 0, the lower the better. It falls as the number
    of samples rises (Bińkowski et al. 2018), so values of different n, networks or splits do not compare; it does not
    see labels. The bootstrap interval is of the samples, the reference being fixed: right where samples and reference
    differ, up to about 1.6 times too wide where they hardly do. Networks of more than 512 features have none.
    """

    @property
    def begins(self) -> list[str]:  # type: ignore[override]
        """On each network."""
        return [f"{network.abbreviations['frechet']}_{network.name}" for network in self.networks]

    @property
    def fewest(self) -> int:  # type: ignore[override]
        """One more than the widest network has features: the covariance of fewer has not its full rank."""
        return 1 + max((network.num_features for network in self.networks), default=1)

    @property
    def protocol(self) -> str:
        """Which distance, on which networks."""
        return f"frechet distance on {self.versions}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """The distance on each network; at least two samples."""
        measured = {}
        for network in self.networks:
            reference = reference_gaussian(network, real.reference)
            value, bootstrap_samples = _split(
                resampled_distances(network.features(samples), _counts(network, samples), reference)
            )
            measured[_name(network, samples, real)] = Measurement(
                value, "lower", interval(value, bootstrap_samples, lowest=0)
            )
        return measured


class ClassFrechetDistance(FeatureMetric):
    """``class_fd_{network}_{n}_{split}``: mean over the classes of the distance of their samples to their real images.

    The intra-class FID of Miyato and Koyama 2018, "cGANs with projection discriminator": unlike the distance of the
    whole set it sees an image of the wrong class and a class whose images are all alike. ``by_class`` holds the ten
    distances. A class that the reference lacks has ``None``; one that the samples lack leaves nothing to measure,
    since a mean over the others would reward that.

    A class has a tenth of the samples, so the bias of n is larger than of `FrechetDistance`. On a network that is
    wider than a class has images, the covariances are rank-deficient: the number still orders generators of the same
    n, and is compared with nothing else. The interval is of the mean; networks of more than 512 features have none.
    """

    @property
    def begins(self) -> list[str]:  # type: ignore[override]
        """On each network."""
        return [f"class_{network.abbreviations['frechet']}_{network.name}" for network in self.networks]

    @property
    def fewest(self) -> int:  # type: ignore[override]
        """As of the whole set, for each class."""
        return NUM_CLASSES * (1 + max((network.num_features for network in self.networks), default=1))

    @property
    def protocol(self) -> str:
        """Which distance, on which networks."""
        return f"frechet distance by class on {self.versions}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """The mean distance on each network, and those of the classes.

        Raises:
            InvalidValueError: the samples have fewer than two images of a class that the reference has.
        """
        classes = [label for label in range(NUM_CLASSES) if len(real.reference.of_class(label)) >= 2]
        missing = [CLASS_NAMES[label] for label in classes if len(samples.of_class(label)) < 2]
        if missing:
            raise InvalidValueError(
                f"a distance by class needs two samples of each class, got fewer of {', '.join(missing)}"
            )
        return {
            f"class_{_name(network, samples, real)}": self._measure_on(network, classes, samples, real)
            for network in self.networks
        }

    def _measure_on(
        self, network: FeatureNetwork, classes: list[int], samples: ImageSet, real: RealImages
    ) -> Measurement:
        features, counts = network.features(samples), _counts(network, samples)
        distances: dict[int, Tensor] = {}
        for label in classes:
            chosen = samples.of_class(label)
            reference = reference_gaussian(network, real.reference, label)
            distances[label] = resampled_distances(features[chosen], counts[:, chosen], reference)
        by_class = tuple(distances[label][0].item() if label in distances else None for label in range(NUM_CLASSES))
        value, bootstrap_samples = _split(torch.stack(list(distances.values())).mean(dim=0))
        return Measurement(value, "lower", interval(value, bootstrap_samples, lowest=0), by_class)


def reference_gaussian(network: FeatureNetwork, reference: ImageSet, label: int | None = None) -> Gaussian:
    """The Gaussian of the features of a set or of one class of it, which the set keeps.

    Args:
        network: whose features.
        reference: images, at least two, and of the class if one is given.
        label: the class; ``None`` takes all images.
    """

    def fit() -> dict[str, Tensor]:
        features = network.features(reference)
        return fitted_gaussian(features if label is None else features[reference.of_class(label)])._asdict()

    whole = f"gaussian of {network.name} {network.version}"
    return Gaussian(**reference.derived(whole if label is None else f"{whole} in class {label}", fit))


def _counts(network: FeatureNetwork, samples: ImageSet) -> Tensor:
    """Each sample once, and below it the resamples that the interval is made of: [1 + B, N]."""
    once = torch.ones(1, len(samples))
    return once if network.num_features > WIDEST_RESAMPLED else torch.cat([once, samples.resamples])


def _split(distances: Tensor) -> tuple[float, Tensor]:
    return distances[0].item(), distances[1:]


def _name(network: FeatureNetwork, samples: ImageSet, real: RealImages) -> str:
    return f"{network.abbreviations['frechet']}_{network.name}_{count_name(len(samples))}_{real.reference_split}"
