"""Memorisation: distances of samples to their nearest training images, compared with those of test images."""

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from fmcgan.metric.base import FeatureMetric, pixel_unit
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages, interval
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results_store import Arrays
from fmcgan.metric.value import MetricValue, Quantity, mean_value, share_interval

PIXELS = "pixels"  # the space of grey levels, which needs no network
NEAR_COPY_QUANTILE = 0.01  # of the distances of test images, up to which a sample is a near copy
PAIRS = 10  # closest pairs in the findings of each space


class TrainingDistances(FeatureMetric):
    """Base class of metrics of distances to training images, on grey levels (``pixels``) and on each network.

    Samples are compared with the training images, whatever the reference. The distance on ``pixels`` is the root mean
    square difference of grey levels, in 0..255; on a network it is the Euclidean distance of the features.
    """

    uses_reference = False
    protocol_template: ClassVar[str]  # the protocol, with ``{}`` for the spaces

    def settle(self) -> None:
        """Sets spaces and protocol."""
        self.spaces: dict[str, FeatureNetwork | None] = {PIXELS: None}
        self.spaces |= {network.name: network for network in self.networks}
        self.protocol = self.protocol_template.format(", ".join(map(space_and_version, self.spaces.values())))

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """All values in each space."""
        return {f"{kind}_{space}": self.kinds[kind] for space in self.spaces for kind in self.kinds}

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the test images, which are new to a generator, whatever the reference."""
        return real.test


class Memorisation(TrainingDistances):
    """Distances of samples to their nearest training images.

    - ``nearest_training_{space}_{n}``: median over the samples of the distance to the nearest training image. A value
      below that of test images suggests memorisation; a value above it, samples unlike the data.
    - ``near_copies_{space}_{n}``: share of the samples that are as close to a training image as the closest hundredth
      of the test images: 0.01 for test images by construction, 1 for copies.

    The expectation of both values does not depend on n. A near copy on grey levels is the same image up to noise; on a
    network it may be shifted or redrawn. ``by_class`` groups samples by label, and compares them with training images
    of all classes. ``findings`` holds the closest pairs.
    """

    kinds: ClassVar = {
        "nearest_training": Quantity("Distance to the nearest training image", "real", lowest=0),
        "near_copies": Quantity("Near copies of training images", "lower", lowest=0, highest=1),
    }
    protocol_template = f"nearest training images, near share {NEAR_COPY_QUANTILE}, in {{}}"

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Both values in each space."""
        in_levels = self.kinds["nearest_training"]._replace(unit=pixel_unit(self.info))
        return {**super().quantities, f"nearest_training_{PIXELS}": in_levels}

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the median distance and the share of near copies in each space."""
        measured = {}
        for space, network in self.spaces.items():
            distances = nearest_training(samples, real, network)["distance"]
            near = distances <= near_distance(nearest_training(real.test, real, network)["distance"])
            measured[f"nearest_training_{space}"] = _median(distances, samples)
            measured[f"near_copies_{space}"] = mean_value(near, samples, share_interval)
        return measured

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, object]:
        """Finds the ``closest_pairs`` of each space, up to ten, nearest first, at most one for each training image.

        A pair has ``sample`` and ``training`` (indices), ``distance`` and ``label`` (of the sample).
        """
        spaces = self.spaces.items()
        return {"closest_pairs": {space: _closest_pairs(samples, real, network) for space, network in spaces}}


def nearest_training(images: ImageSet, real: RealImages, network: FeatureNetwork | None) -> Arrays:
    """Finds the nearest training image of each image, once per set; on grey levels if ``network`` is ``None``.

    Returns ``index`` int64 [N] and ``distance`` float64 [N], in grey levels (root mean square) or units of features.
    """

    def compute() -> Arrays:
        index, distance = nearest(vectors(images, network), vectors(real.train, network))
        return {"index": index, "distance": distance / unit(images, network)}

    space = space_and_version(network)
    return images.derived(f"nearest training image in {space} of {real.train.fingerprint}", compute)


def space_and_version(network: FeatureNetwork | None) -> str:
    """Returns the name of the space of a network, for protocols; ``None`` is that of grey levels."""
    return PIXELS if network is None else network.name_and_version


def vectors(images: ImageSet, network: FeatureNetwork | None) -> Tensor:
    """Returns images as vectors [N, F]: their features, or their pixels as uint8 if ``network`` is ``None``."""
    return images.images.flatten(1) if network is None else network.features(images)


def unit(images: ImageSet, network: FeatureNetwork | None) -> float:
    """Returns the distance of two `vectors` that counts as 1: on pixels, a difference of one level everywhere."""
    return math.sqrt(images.info.pixels) if network is None else 1.0


def near_distance(distances: Tensor) -> float:
    """Returns the largest distance of a near copy: the 1 % quantile of the distances, [N], of test images."""
    return distances.kthvalue(max(1, int(NEAR_COPY_QUANTILE * len(distances)))).values.item()


def _median(distances: Tensor, samples: ImageSet) -> MetricValue:
    value = distances.quantile(0.5).item()
    rising, order = distances.sort()
    drawn = samples.resamples[:, order].cumsum(dim=1)
    resampled = rising[(drawn < len(distances) / 2).sum(dim=1)]  # the lower median of each, [B]
    members = [distances[samples.of_class(label)] for label in samples.info.labels]
    by_class = tuple(some.quantile(0.5).item() if len(some) else None for some in members)
    return MetricValue(value, interval(value, resampled, lowest=0.0), by_class)


def _closest_pairs(samples: ImageSet, real: RealImages, network: FeatureNetwork | None) -> list[dict[str, float]]:
    index, distance = (nearest_training(samples, real, network)[name].tolist() for name in ("index", "distance"))
    rising = sorted(range(len(samples)), key=distance.__getitem__)
    closest = {index[sample]: sample for sample in reversed(rising)}.values()  # the last, so closest, sample of each
    return [
        {"sample": each, "training": index[each], "distance": distance[each], "label": samples.labels[each].item()}
        for each in sorted(closest, key=lambda sample: (distance[sample], sample))[:PAIRS]
    ]
