"""Are the samples copies of training images: how near each lies to the nearest of them, beside new real images."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.metric.base import Measurement, RealImages
from fmcgan.metric.bootstrap import interval, share_interval
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.feature_metric import FeatureMetric
from fmcgan.metric.image_set import ImageSet, by_class, count_name
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results_store import Arrays

PIXELS = "pixels"
"""The space that needs no network."""

NEAR = 0.01
"""Share of new real images that count as near copies."""

PAIRS = 10
"""How many of the closest pairs are found, in each space."""


class Memorisation(FeatureMetric):
    """How near samples lie to the training images, on grey levels (``pixels``) and on each network.

    Always the training images, whatever the reference is: they are what a generator has seen. The distance on
    ``pixels`` is the root mean square difference of the grey levels, in 0..255; on a network it is the Euclidean
    distance of the features.

    - ``nearest_training_{space}_{n}``: the median over the samples of the distance to the nearest training image. New
      real images, the test split, have one too: below it a generator repeats what it has seen, above it its samples are
      unlike the data, so the nearer to theirs, the better.
    - ``near_copies_{space}_{n}``: share of the samples at most as far from a training image as the nearest hundredth
      of the test images. New real images get 0.01 by construction, copies get 1: the lower the better.

    Both ask each sample by itself, so n changes their noise and not what they estimate. A near copy on grey levels is
    the same image but for noise; on a network it may be shifted or redrawn. ``by_class`` takes samples by the class
    they were asked for, and compares them with training images of all classes. ``findings`` holds the closest pairs.
    """

    @property
    def begins(self) -> list[str]:  # type: ignore[override]
        """On each network."""
        spaces = [_name(network) for network in self._networks]
        return [f"{what}_{space}" for space in spaces for what in ("nearest_training", "near_copies")]

    @property
    def protocol(self) -> str:
        """In which spaces distances are measured."""
        return f"nearest training images, near share {NEAR}, in {', '.join(map(_space, self._networks))}"

    @property
    def _networks(self) -> tuple[FeatureNetwork | None, ...]:
        """The spaces; ``None`` stands for grey levels."""
        return (None, *self.networks)

    def real_samples(self, real: RealImages) -> ImageSet:
        """The test images: new to a generator, whatever the reference is."""
        return real.test

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Median distance and share of near copies in each space."""
        measured = {}
        for network in self._networks:
            name = f"{_name(network)}_{count_name(len(samples))}"
            distances = nearest_training(samples, real, network)["distance"]
            measured[f"nearest_training_{name}"] = _median(distances, samples)
            near = distances <= near_distance(nearest_training(real.test, real, network)["distance"])
            measured[f"near_copies_{name}"] = _share(near.double(), samples)
        return measured

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, Any]:
        """The closest pairs in each space, nearest first, at most one with each training image.

        Returns:
            ``closest_pairs``: space -> up to ten of ``sample`` and ``training`` (indices), ``distance`` and ``label``
            (the class asked of the sample).
        """
        pairs = {}
        for network in self._networks:
            found = nearest_training(samples, real, network)
            pairs[_name(network)] = [
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
    """The training image that is nearest to each image, which the set keeps.

    Args:
        images: samples, or real ones.
        real: whose training split is searched.
        network: on whose features; ``None`` means on grey levels.

    Returns:
        ``index`` int64 [N] and ``distance`` float64 [N], in grey levels (root mean square) or units of the features.
    """

    def compute() -> Arrays:
        if network is None:
            index, distance = nearest(images.images.flatten(1), real.train.images.flatten(1))
            return {"index": index, "distance": distance / 28}  # the root of 784 pixels
        index, distance = nearest(network.features(images), network.features(real.train))
        return {"index": index, "distance": distance}

    return images.derived(f"nearest training image in {_space(network)} of {real.train.fingerprint}", compute)


def near_distance(distances: Tensor) -> float:
    """The distance that the nearest hundredth of new real images does not exceed.

    Args:
        distances: of new real images to their nearest training images, [N].

    Returns:
        The ``N / 100``-th smallest, rounded down but at least the first.
    """
    return distances.kthvalue(max(1, int(NEAR * len(distances)))).values.item()


def _space(network: FeatureNetwork | None) -> str:
    return PIXELS if network is None else f"{network.name} {network.version}"


def _name(network: FeatureNetwork | None) -> str:
    return PIXELS if network is None else network.name


def _share(near: Tensor, samples: ImageSet) -> Measurement:
    bounds = share_interval(near, samples.resamples)
    return Measurement(near.mean().item(), "lower", bounds, by_class(near, samples.labels))


def _median(distances: Tensor, samples: ImageSet) -> Measurement:
    value = distances.quantile(0.5).item()
    bounds = interval(value, _resampled_medians(distances, samples.resamples), lowest=0.0)
    return Measurement(value, "real", bounds, _medians_by_class(distances, samples))


def _medians_by_class(distances: Tensor, samples: ImageSet) -> Sequence[float | None]:
    members = [distances[samples.of_class(label)] for label in range(NUM_CLASSES)]
    return tuple(some.quantile(0.5).item() if len(some) else None for some in members)


def _resampled_medians(distances: Tensor, counts: Tensor) -> Tensor:
    """The median of each resample [B, N]: the smallest distance that half of the drawn images do not exceed, [B]."""
    rising, order = distances.sort()
    drawn = counts[:, order].cumsum(dim=1)
    return rising[(drawn < len(distances) / 2).sum(dim=1)]


def _closest(found: Arrays) -> list[int]:
    """The samples of the closest pairs, each the closest to its training image."""
    by_training = {}
    for sample in reversed(found["distance"].argsort(stable=True).tolist()):
        by_training[int(found["index"][sample])] = sample  # the last to be written is the closest
    return sorted(by_training.values(), key=lambda sample: (float(found["distance"][sample]), sample))[:PAIRS]
