"""Memorisation: distances of samples to their nearest training images, compared with those of test images."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import FeatureMetric
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results_store import Arrays
from fmcgan.metric.value import MetricValue, Quantity, interval, share_value

PIXELS = "pixels"
"""Name of the space of grey levels, which needs no network."""

NEAR_COPY_QUANTILE = 0.01
"""Quantile of the distances of test images up to which a sample is a near copy."""

PAIRS = 10
"""Number of closest pairs in the findings of each space."""


class Memorisation(FeatureMetric):
    """Distances of samples to the training images, on grey levels (``pixels``) and on each network.

    Samples are compared with the training images, whatever the reference. The distance on ``pixels`` is the root mean
    square difference of grey levels, in 0..255; on a network it is the Euclidean distance of the features.

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
    uses_reference = False

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Both values in each space."""
        found = {f"{kind}_{_name(space)}": self.kinds[kind] for space in self._spaces for kind in self.kinds}
        found[f"nearest_training_{PIXELS}"] = self.kinds["nearest_training"]._replace(unit="grey levels")
        return found

    @property
    def protocol(self) -> str:
        """The spaces."""
        return f"nearest training images, near share {NEAR_COPY_QUANTILE}, in {', '.join(map(_version, self._spaces))}"

    @property
    def _spaces(self) -> tuple[FeatureNetwork | None, ...]:
        """The networks; ``None`` stands for grey levels."""
        return (None, *self.networks)

    def real_samples(self, real: RealImages) -> ImageSet:
        """Returns the test images, which are new to a generator, whatever the reference."""
        return real.test

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the median distance and the share of near copies in each space."""
        measured = {}
        for space in self._spaces:
            distances = nearest_training(samples, real, space)["distance"]
            near = distances <= near_distance(nearest_training(real.test, real, space)["distance"])
            measured[f"nearest_training_{_name(space)}"] = _median(distances, samples)
            measured[f"near_copies_{_name(space)}"] = share_value(near, samples)
        return measured

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, object]:
        """Finds the closest pairs in each space, nearest first, at most one for each training image.

        Returns:
            ``closest_pairs``: by space, up to ten of ``sample`` and ``training`` (indices), ``distance`` and ``label``
            (of the sample).
        """
        pairs = {}
        for space in self._spaces:
            found = nearest_training(samples, real, space)
            pairs[_name(space)] = [
                {
                    "sample": sample,
                    "training": int(found["index"][sample]),
                    "distance": float(found["distance"][sample]),
                    "label": int(samples.labels[sample]),
                }
                for sample in _closest(found)
            ]
        return {"closest_pairs": pairs}


def nearest_training(images: ImageSet, real: RealImages, network: FeatureNetwork | None) -> Arrays:
    """Finds the nearest training image of each image, once per set; on grey levels if ``network`` is ``None``.

    Returns:
        ``index`` int64 [N] and ``distance`` float64 [N], in grey levels (root mean square) or units of the features.
    """

    def compute() -> Arrays:
        if network is None:
            index, distance = nearest(images.images.flatten(1), real.train.images.flatten(1))
            return {"index": index, "distance": distance / 28}  # the root of 784 pixels
        index, distance = nearest(network.features(images), network.features(real.train))
        return {"index": index, "distance": distance}

    return images.derived(f"nearest training image in {_version(network)} of {real.train.fingerprint}", compute)


def near_distance(distances: Tensor) -> float:
    """Returns the largest distance of a near copy: the 1 % quantile of the distances, [N], of test images."""
    return distances.kthvalue(max(1, int(NEAR_COPY_QUANTILE * len(distances)))).values.item()


def _version(network: FeatureNetwork | None) -> str:
    return PIXELS if network is None else f"{network.name} {network.version}"


def _name(network: FeatureNetwork | None) -> str:
    return PIXELS if network is None else network.name


def _median(distances: Tensor, samples: ImageSet) -> MetricValue:
    value = distances.quantile(0.5).item()
    bounds = interval(value, _resampled_medians(distances, samples.resamples), lowest=0.0)
    return MetricValue(value, bounds, _medians_by_class(distances, samples))


def _medians_by_class(distances: Tensor, samples: ImageSet) -> Sequence[float | None]:
    members = [distances[samples.of_class(label)] for label in range(NUM_CLASSES)]
    return tuple(some.quantile(0.5).item() if len(some) else None for some in members)


def _resampled_medians(distances: Tensor, counts: Tensor) -> Tensor:
    """Computes the lower median of each resample, [B], from its counts [B, N]."""
    rising, order = distances.sort()
    drawn = counts[:, order].cumsum(dim=1)
    return rising[(drawn < len(distances) / 2).sum(dim=1)]


def _closest(found: Arrays) -> list[int]:
    """Returns the samples of the closest pairs, each the closest to its training image."""
    by_training = {}
    for sample in reversed(found["distance"].argsort(stable=True).tolist()):
        by_training[int(found["index"][sample])] = sample  # the closest sample is written last
    return sorted(by_training.values(), key=lambda sample: (float(found["distance"][sample]), sample))[:PAIRS]
