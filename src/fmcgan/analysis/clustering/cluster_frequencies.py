"""Frequency of each cluster of a class among samples, test images and training images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.clustering.clusters import ClassClusters
from fmcgan.analysis.effect import Effect, difference_of_shares, share_text
from fmcgan.analysis.section import Column
from fmcgan.data.classes import CLASS_NAMES, plural
from fmcgan.figure.clusters import ClusterRow, Share
from fmcgan.metric.value import wilson_interval

SHOWN = 12
"""Real and generated images shown of a cluster."""
MISSING, RARE, OVER_PRODUCED = 1 / 4, 2 / 3, 3 / 2
"""Ratios of the generated to the real share below (the last: above) which a cluster is marked so."""
SIGNIFICANT = 0.01
"""Upper bound of the p-value of a marked cluster; findings are corrected for multiple comparisons too."""
COLUMNS = (
    Column("class", "class"),
    Column("cluster", "cluster"),
    Column("description", "compared with its class"),
    Column("real_share", "training images", "percent", 1),
    Column("real_low", "95 % from", "percent", 1),
    Column("real_high", "to", "percent", 1),
    Column("test_share", "test images", "percent", 1),
    Column("test_low", "95 % from", "percent", 1),
    Column("test_high", "to", "percent", 1),
    Column("generated_share", "generated", "percent", 1),
    Column("generated_low", "95 % from", "percent", 1),
    Column("generated_high", "to", "percent", 1),
    Column("ratio", "generated / training", "number"),
    Column("size", "effect size", "number"),
    Column("p_value", "p-value", "number", 4),
    Column("distance", "distance to the centre / that of test images", "number"),
    Column("mark", "mark"),
)


@dataclass(frozen=True, eq=False)
class Members:
    """Images of a class in one set, and their clusters."""

    images: NDArray[np.uint8]
    """uint8 [N, 28, 28]."""
    cluster: NDArray[np.int64]
    """[N], as returned by `ClassClusters.assign`."""
    distance: NDArray[np.float64]
    """To the nearest centre, [N]."""

    def of(self, cluster: int) -> NDArray[np.bool_]:
        """Returns whether each image is in a cluster, [N]."""
        return self.cluster == cluster

    def count(self, cluster: int) -> tuple[int, int]:
        """Counts the images in a cluster, and all images."""
        return int(self.of(cluster).sum()), len(self.cluster)

    def share(self, cluster: int) -> Share:
        """Computes the share of images in a cluster, with its interval."""
        count, n = self.count(cluster)
        return count / n, *wilson_interval(count, n)


class Frequency(NamedTuple):
    """A cluster as a row of the figures, an effect, and a row of the table."""

    row: ClusterRow
    effect: Effect
    values: Sequence[object]


def compare_cluster(
    label: int, cluster: int, clusters: ClassClusters, samples: Members, test: Members, train: Members
) -> Frequency:
    """Compares the frequencies of a cluster among samples and real images.

    Args:
        label: the class.
        cluster: index in 0..K-1, or K for images in no cluster.
        clusters: of the class.
        samples: generated images of the class.
        test: real test images.
        train: real training images, which were clustered.
    """
    is_cluster = cluster < clusters.number
    number = str(cluster + 1) if is_cluster else "none"
    description = clusters.description(cluster) if is_cluster else "near no cluster"
    counts, test_counts, train_counts = (each.count(cluster) for each in (samples, test, train))
    what = f"cluster {number} ({description})" if is_cluster else "no cluster"
    effect = Effect(
        key=f"clusters/{CLASS_NAMES[label]}/{number}",
        statement=f"{share_text(*counts)} of the generated {plural(label)} are in {what}, against "
        f"{share_text(*train_counts)} of the real ones.",
        difference=difference_of_shares(*counts, *train_counts),
        floor=difference_of_shares(*test_counts, *train_counts),
        classes=(label,),
        figure=picture_name(label),
    )
    shares = train.share(cluster), test.share(cluster), samples.share(cluster)
    ratio = shares[2][0] / shares[0][0] if shares[0][0] else None
    mark = _mark(ratio) if effect.beyond_floor and effect.difference.p_value < SIGNIFICANT else ""
    name = f"Cluster {number}" if is_cluster else "No cluster"
    row = ClusterRow(name, description, mark, *_examples(cluster, train, samples), *shares)
    distance = _relative_distance(cluster, samples, test) if is_cluster else None
    flat = [part for share in shares for part in share]
    size, p_value = effect.difference.size, effect.difference.p_value
    values = [CLASS_NAMES[label], number, description, *flat, ratio, size, p_value, distance, mark]
    return Frequency(row, effect, values)


def picture_name(label: int) -> str:
    """Returns the name of the picture of a class."""
    return f"of_{CLASS_NAMES[label].replace('-', '_')}"


def _mark(ratio: float | None) -> str:
    if ratio is not None and ratio < RARE:
        return "missing" if ratio < MISSING else "rare"
    return "over-produced" if ratio is None or ratio > OVER_PRODUCED else ""


def _examples(cluster: int, train: Members, samples: Members) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns the real images nearest to the centre and the first samples, which are not selected by quality."""
    members = np.flatnonzero(train.of(cluster))
    nearest = members[np.argsort(train.distance[members], kind="stable")[:SHOWN]]
    return train.images[nearest], samples.images[np.flatnonzero(samples.of(cluster))[:SHOWN]]


def _relative_distance(cluster: int, samples: Members, test: Members) -> float | None:
    """Divides the median distance of the samples to the centre by that of the test images."""
    medians = [
        float(np.median(each.distance[each.of(cluster)])) if each.of(cluster).any() else 0 for each in (samples, test)
    ]
    return medians[0] / medians[1] if all(medians) else None
