"""Data-copying test: whether samples are nearer to the training images than new real images are."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.memorisation import TrainingDistances, space_and_version, vectors
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results_store import Arrays
from fmcgan.metric.value import MetricValue, Quantity, mean_value


class DataCopying(TrainingDistances):
    """The test statistic C_T (Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying").

    The cells of the test are the classes. In each cell, the distances of samples and of test images to the nearest
    training image of the class are compared by the Mann-Whitney test: z is positive if samples are farther.
    ``data_copying_{space}_{n}`` is the mean z of the cells, weighted by the number of test images. Cells without
    samples, test images or training images are left out.

    Far below 0, such as below -3, samples are copies or nearly so. Far above 0 they are unlike the training images.
    Test images have 0 by construction. z rises with the root of the number of samples: compare equal n only.
    ``by_class`` holds the z of each class. The interval allows for the choice of samples, not for that of test images.
    """

    kinds: ClassVar = {"data_copying": Quantity("Data-copying test C_T", "real", unit="standard deviations")}
    protocol_template = "data-copying test, classes as cells, in {}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures C_T in each space; a space is left out if no class can be compared."""
        measured = {}
        for space, network in self.spaces.items():
            own, held_out = (_distances(each, real.train, network) for each in (samples, real.test))
            if (value := _mean_z(own, held_out, samples, real.test)) is not None:
                measured[f"data_copying_{space}"] = value
        return measured


def _mean_z(own: Tensor, held_out: Tensor, samples: ImageSet, test: ImageSet) -> MetricValue | None:
    """Averages z over the classes, weighted by test images, from distances of samples [N] and of test images [M]."""
    terms = torch.zeros(len(own), dtype=torch.float64)  # of each sample; their mean is the sum of weighted z
    by_class: list[float | None] = [None] * samples.info.num_classes
    weights = 0
    for label in samples.info.labels:
        members = samples.of_class(label)
        others = held_out[test.of_class(label)].sort().values
        m, n = len(members), len(others)
        if not m or not n or not others[0].isfinite():
            continue
        nearer, or_equal = (torch.searchsorted(others, own[members], right=right) for right in (False, True))
        share = (nearer + or_equal).double() / (2 * n)  # of test images nearer than the sample; equal ones count half
        z = (share - 0.5) * math.sqrt(12 * m * n / (m + n + 1))  # their mean is (U - mn/2) / sqrt(mn (m + n + 1) / 12)
        by_class[label] = z.mean().item()
        terms[members] = z * (n * len(own) / m)
        weights += n
    if not weights:
        return None
    return mean_value(terms / weights, samples)._replace(by_class=tuple(by_class))


def _distances(images: ImageSet, train: ImageSet, network: FeatureNetwork | None) -> Tensor:
    """Computes the distance of each image to the nearest training image of its class, float64 [N]; infinite: none."""

    def compute() -> Arrays:
        distances = torch.full((len(images),), torch.inf, dtype=torch.float64)
        own, training = vectors(images, network), vectors(train, network)
        for label in images.info.labels:
            members, of_class = images.of_class(label), train.of_class(label)
            if len(of_class):
                distances[members] = nearest(own[members], training[of_class])[1]
        return {"distance": distances}

    protocol = f"nearest training image of the class in {space_and_version(network)} of {train.fingerprint}"
    return images.derived(protocol, compute)["distance"]
