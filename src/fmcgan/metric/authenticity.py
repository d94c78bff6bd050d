"""Authenticity: share of samples that are not copies of their nearest training image."""

from typing import ClassVar

from torch import Tensor

from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.memorisation import TrainingDistances, nearest_training, space_and_version, unit, vectors
from fmcgan.metric.neighbours import distances_to_others
from fmcgan.metric.results_store import Arrays
from fmcgan.metric.value import MetricValue, Quantity, mean_value, share_interval


class Authenticity(TrainingDistances):
    """Share of authentic samples (Alaa et al. 2022, "How faithful is your synthetic data?"; AuthPct).

    A sample is a copy if it is at most as far from its nearest training image as that image is from its own nearest
    training image; otherwise it is authentic. ``authentic_{space}_{n}`` is the share of authentic samples.

    Many new real images count as copies too, so the value is compared with that of test images. Its expectation does
    not depend on the number of samples. ``by_class`` groups samples by label, and compares them with training images of
    all classes.
    """

    kinds: ClassVar = {"authentic": Quantity("Authentic samples", "real", lowest=0, highest=1)}
    protocol_template = "authentic samples, farther from the nearest training image than that from others, in {}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the share in each space; needs at least 2 training images."""
        measured = {}
        for space, network in self.spaces.items():
            distance = nearest_training(samples, real, network)["distance"]
            authentic = distance > _gaps(samples, real, network)
            measured[f"authentic_{space}"] = mean_value(authentic, samples, share_interval)
        return measured


def _gaps(images: ImageSet, real: RealImages, network: FeatureNetwork | None) -> Tensor:
    """Computes the distance from the nearest training image of each image to another training image, float64 [N]."""

    def compute() -> Arrays:
        found, place = nearest_training(images, real, network)["index"].unique(return_inverse=True)
        gaps = distances_to_others(vectors(real.train, network), 1, points=found)[:, 0]
        return {"distance": gaps[place] / unit(images, network)}

    space = space_and_version(network)
    protocol = f"gap beside the nearest training image in {space} of {real.train.fingerprint}"
    return images.derived(protocol, compute)["distance"]
