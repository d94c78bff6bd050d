"""Precision, recall, density and coverage: shares of samples near real images, and of real images near samples."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from fmcgan.app.checks import whole_number
from fmcgan.metric.base import FeatureMetric
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.neighbours import distances_to_others, squared_distances
from fmcgan.metric.value import MetricValue, Quantity, mean_value, share_interval


def _share(title: str, plain: str, summary: str) -> Quantity:
    return Quantity(title, "higher", lowest=0, highest=1, summary=summary, plain=plain)


class Manifold(FeatureMetric):
    """Four values on each network, named ``{kind}_k{k}_{network}_{n}_{split}``.

    The k-ball of a point reaches to its k-th nearest other point of its own set.

    - ``precision``: share of the samples in some ball of the reference;
    - ``recall``: share of the reference images in some ball of the samples (Kynkäänniemi et al. 2019, "Improved
      precision and recall metric", eq. 1 and 2);
    - ``density``: mean number of balls of the reference that hold a sample, divided by k;
    - ``coverage``: share of the reference images whose ball holds a sample (Naeem et al. 2020, "Reliable fidelity and
      diversity metrics", section 3). Samples of the reference's distribution have an expected density of 1 (larger
      near its modes) and, if both sets are large and of equal size, a coverage of about 1 - 2⁻ᵏ.

    Balls are closed, as in the first paper: open balls of radius 0 would not contain the copies in a collapsed set.

    Coverage rises with n and falls with the number of reference images; recall and precision fall slightly with the
    number of balls: compare equal n only. ``by_class`` groups precision and density by the class of the sample, recall
    and coverage by that of the reference image; the balls are always of the whole set. Recall and coverage have no
    interval: a resample has duplicates and lacks a third of the samples, so it covers less.
    """

    kinds: ClassVar = {
        "precision": _share("Precision", "Realistic samples", "Share of samples that lie among real images."),
        "recall": _share("Recall", "Variety reached", "Share of real images that lie among samples."),
        "density": Quantity("Density", "real", lowest=0),
        "coverage": _share("Coverage", "Real images covered", "Share of real images that have a sample nearby."),
    }

    def __init__(
        self, features: Mapping[str, FeatureNetwork], k_precision_recall: int = 3, k_density_coverage: int = 5
    ) -> None:
        """Checks that both k are whole numbers of at least 1; the defaults are those of the papers."""
        whole_number(maximum=1000, k_precision_recall=k_precision_recall, k_density_coverage=k_density_coverage)
        self.k_precision_recall, self.k_density_coverage = k_precision_recall, k_density_coverage
        super().__init__(features)
        # With fewer samples each ball holds over a tenth of them.
        self.min_samples = 10 * max(k_precision_recall, k_density_coverage)

    def settle(self) -> None:
        """Sets the protocol."""
        k = f"precision and recall k={self.k_precision_recall}, density and coverage k={self.k_density_coverage}"
        self.protocol = f"{k}, closed balls, on {self.versions}"

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """All four, on each network."""
        return {self._key(kind, network): self.kinds[kind] for network in self.networks for kind in self.kinds}

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the four values on each network; needs more than k images in each set."""
        near, far, reference = self.k_precision_recall, self.k_density_coverage, real.reference
        measured = {}
        for network in self.networks:
            own = neighbour_distances(network, samples, near)[:, near - 1]
            radii = neighbour_distances(network, reference, max(near, far))
            features = network.features(samples), network.features(reference)
            found = membership(*features, own, radii[:, near - 1], radii[:, far - 1])
            measured[self._key("precision", network)] = mean_value(found.precise, samples, share_interval)
            measured[self._key("recall", network)] = mean_value(found.recalled, reference, None)
            measured[self._key("density", network)] = mean_value(found.surrounding.double() / far, samples)
            measured[self._key("coverage", network)] = mean_value(found.covered, reference, None)
        return measured

    def _key(self, kind: str, network: FeatureNetwork) -> str:
        k = self.k_precision_recall if kind in ("precision", "recall") else self.k_density_coverage
        return f"{kind}_k{k}_{network.name}"


class Membership(NamedTuple):
    """Which points of two sets lie within the balls of the other."""

    precise: Tensor  # bool [N]: the sample is in some narrow ball of the reference
    surrounding: Tensor  # int64 [N]: in how many wide balls of the reference the sample is
    recalled: Tensor  # bool [M]: the reference point is in some ball of the samples
    covered: Tensor  # bool [M]: some sample is in the wide ball of the reference point


def membership(samples: Tensor, reference: Tensor, own: Tensor, narrow: Tensor, wide: Tensor) -> Membership:
    """Finds the points of samples [N, F] and reference [M, F] within closed balls of the other set.

    The ball around a sample has the radius ``own`` [N], those around a reference point ``narrow`` and ``wide`` [M].
    """
    precise, recalled, covered = (torch.zeros(len(each), dtype=torch.bool) for each in (samples, reference, reference))
    surrounding = torch.zeros(len(samples), dtype=torch.int64)
    own, narrow, wide = own.square(), narrow.square(), wide.square()
    for rows, columns, distances in squared_distances(samples, reference):
        within_wide = distances <= wide[columns]
        surrounding[rows] += within_wide.sum(dim=1)
        covered[columns] |= within_wide.any(dim=0)
        precise[rows] |= (distances <= narrow[columns]).any(dim=1)
        recalled[columns] |= (distances <= own[rows, None]).any(dim=0)
    return Membership(precise, surrounding, recalled, covered)


def neighbour_distances(network: FeatureNetwork, images: ImageSet, k: int) -> Tensor:
    """Computes `distances_to_others` of the features, [N, k], once per set."""
    protocol = f"distances to {k} nearest others on {network.name_and_version}"
    found = images.derived(protocol, lambda: {"distances": distances_to_others(network.features(images), k)})
    return found["distances"]
