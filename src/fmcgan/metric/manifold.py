"""Are samples like real images, and all real images among what is sampled: four shares of nearest neighbours."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from fmcgan.app.checks import whole_number
from fmcgan.metric.base import Measurement, RealImages
from fmcgan.metric.bootstrap import Interval, mean_interval, share_interval
from fmcgan.metric.feature.base import FeatureNetwork
from fmcgan.metric.feature_metric import FeatureMetric
from fmcgan.metric.image_set import ImageSet, by_class, count_name
from fmcgan.metric.neighbours import distances_to_others, squared_distances


class Membership(NamedTuple):
    """What of two sets lies within the balls of the other."""

    precise: Tensor
    """bool [N]: the sample is in some narrow ball of the reference."""
    surrounding: Tensor
    """int64 [N]: in how many wide balls of the reference the sample is."""
    recalled: Tensor
    """bool [M]: the reference point is in some ball of the samples."""
    covered: Tensor
    """bool [M]: some sample is in the wide ball of the reference point."""


def membership(samples: Tensor, reference: Tensor, own: Tensor, narrow: Tensor, wide: Tensor) -> Membership:
    """Looks which points lie in which balls; a point on the edge of a ball is in it.

    Args:
        samples: features [N, F].
        reference: features [M, F].
        own: radius of the ball around each sample, [N].
        narrow: radius of the first ball around each reference point, [M].
        wide: radius of the second, [M].
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


class Manifold(FeatureMetric):
    """Four shares on each network, named ``{share}_k{k}_{network}_{n}_{split}``.

    The k-ball of a point reaches to its k-th nearest other point of its own set.

    - ``precision``: share of the samples that lie in some ball of the reference, and
    - ``recall``: share of the reference images that lie in some ball of the samples (Kynkäänniemi et al. 2019,
      "Improved precision and recall metric", eq. 1 and 2), in 0..1, the higher the better;
    - ``density``: in how many balls of the reference a sample lies on average, divided by k, and
    - ``coverage``: share of the reference images whose ball holds a sample (Naeem et al. 2020, "Reliable fidelity and
      diversity metrics", section 3). Samples of the reference's own distribution have an expected density of 1,
      which samples in its middle exceed, and, if both sets are large and of one size, a coverage of about 1 - 2⁻ᵏ.

    Balls hold their edge, as in the first paper; where no distances are equal it makes no difference. With open balls,
    copies of a collapsed set would be outside of its balls, whose radius is 0.

    Coverage rises with n and falls with the number of reference images, recall and precision fall a little with the
    number of balls: compare equal n only. ``by_class`` takes precision and density by the class of the sample, recall
    and coverage by that of the reference image; the balls are always of the whole set. Precision and density have
    bootstrap intervals. Recall and coverage have none: a resample holds repeats and lacks a third of the samples, which
    shrinks the balls and covers less, so the spread of its shares is not that of the share.
    """

    def __init__(
        self, features: Mapping[str, FeatureNetwork], k_precision_recall: int = 3, k_density_coverage: int = 5
    ) -> None:
        """Checks the parameters; the defaults are the papers'.

        Args:
            features: name -> network; the shares are measured on each.
            k_precision_recall: which neighbour the balls of precision and recall reach to.
            k_density_coverage: which neighbour those of density and coverage reach to.

        Raises:
            InvalidValueError: a k is not a whole number of at least 1.
        """
        whole_number(maximum=1000, k_precision_recall=k_precision_recall, k_density_coverage=k_density_coverage)
        super().__init__(features)
        self.k_precision_recall = k_precision_recall
        self.k_density_coverage = k_density_coverage

    @property
    def begins(self) -> list[str]:  # type: ignore[override]
        """All four shares, on each network."""
        near, far = self.k_precision_recall, self.k_density_coverage
        shares = (f"precision_k{near}", f"recall_k{near}", f"density_k{far}", f"coverage_k{far}")
        return [f"{share}_{network.name}" for network in self.networks for share in shares]

    @property
    def fewest(self) -> int:  # type: ignore[override]
        """Ten times the larger k: a ball to the k-th neighbour of fewer holds a tenth of them, and covers all."""
        return 10 * max(self.k_precision_recall, self.k_density_coverage)

    @property
    def protocol(self) -> str:
        """Both k, on which networks."""
        k = f"precision and recall k={self.k_precision_recall}, density and coverage k={self.k_density_coverage}"
        return f"{k}, closed balls, on {self.versions}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """The shares on each network.

        Raises:
            InvalidValueError: there are too few images for a ball of k others.
        """
        measured = {}
        for network in self.networks:
            name = f"{network.name}_{count_name(len(samples))}_{real.reference_split}"
            for share, measurement in self._measure_on(network, samples, real.reference).items():
                measured[f"{share}_{name}"] = measurement
        return measured

    def _measure_on(self, network: FeatureNetwork, samples: ImageSet, reference: ImageSet) -> dict[str, Measurement]:
        near, far = self.k_precision_recall, self.k_density_coverage
        own = _distances_to_others(network, samples, near)[:, near - 1]
        radii = _distances_to_others(network, reference, max(near, far))
        features = network.features(samples), network.features(reference)
        found = membership(*features, own, radii[:, near - 1], radii[:, far - 1])
        density = found.surrounding.double() / far
        return {
            f"precision_k{near}": _of_samples(found.precise.double(), "higher", samples, share_interval),
            f"recall_k{near}": _of_reference(found.recalled.double(), reference),
            f"density_k{far}": _of_samples(density, "real", samples, mean_interval),
            f"coverage_k{far}": _of_reference(found.covered.double(), reference),
        }


def _distances_to_others(network: FeatureNetwork, images: ImageSet, k: int) -> Tensor:
    """As `distances_to_others` of the features, [N, k], which the set keeps."""

    def compute() -> dict[str, Tensor]:
        return {"distances": distances_to_others(network.features(images), k)}

    protocol = f"distances to {k} nearest others on {network.name} {network.version}"
    return images.derived(protocol, compute)["distances"]


def _of_samples(
    values: Tensor,
    better: Literal["higher", "real"],
    samples: ImageSet,
    interval: Callable[[Tensor, Tensor], Interval | None],
) -> Measurement:
    return Measurement(
        values.mean().item(), better, interval(values, samples.resamples), by_class(values, samples.labels)
    )


def _of_reference(inside: Tensor, reference: ImageSet) -> Measurement:
    return Measurement(inside.mean().item(), "higher", None, by_class(inside, reference.labels))
