"""Frequency of each cluster of a class among samples, test images and training images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.base import EXAMPLES, class_key
from fmcgan.analysis.clustering.clusters import ClassClusters
from fmcgan.analysis.effect import Effect, Examples, difference_of_shares, share_text
from fmcgan.analysis.section import Column
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.clusters import ClusterRow, Share
from fmcgan.metric.value import wilson_interval

SHOWN = 12  # real and generated images shown of a cluster
MISSING, RARE, OVER_PRODUCED = 1 / 4, 2 / 3, 3 / 2
"""Ratios of the generated to the real share below (the last: above) which a cluster is marked so."""
SIGNIFICANT = 0.01
"""Upper bound of the p-value of a marked cluster; findings are corrected for multiple comparisons too."""
COLUMNS = (
    Column("class", "class"),
    Column("cluster", "cluster"),
    Column("description", "compared with its class"),
    *(
        Column(f"{images}_{value}", title, "percent", 1)
        for images, name in (("real", "training images"), ("test", "test images"), ("generated", "generated"))
        for value, title in (("share", name), ("low", "95 % from"), ("high", "to"))
    ),
    Column("ratio", "generated / training", "number"),
    Column("size", "effect size", "number"),
    Column("p_value", "p-value", "number", 4),
    Column("distance", "distance to the centre / that of test images", "number"),
    Column("mark", "mark"),
)


class Members(NamedTuple):
    """Images of a class in one set, and their clusters."""

    images: NDArray[np.uint8]  # [N, H, W] or [N, H, W, 3]
    cluster: NDArray[np.int64]  # [N], as returned by `ClassClusters.assign`
    distance: NDArray[np.float64]  # to the nearest centre, [N]

    def counts(self, cluster: int) -> tuple[int, int]:
        """Counts the images in a cluster, and all images."""
        return int((self.cluster == cluster).sum()), len(self.cluster)


class Frequency(NamedTuple):
    """A cluster as a row of the figures, an effect, and a row of the table."""

    row: ClusterRow
    effect: Effect
    values: Sequence[object]


def compare_cluster(
    info: DatasetInfo,
    label: int,
    cluster: int,
    clusters: ClassClusters,
    samples: Members,
    test: Members,
    train: Members,
) -> Frequency:
    """Compares the frequencies of one cluster of a class among samples and real images.

    ``cluster`` is its index in 0..K-1, or K for the images in no cluster. ``train`` holds the images that were
    clustered.
    """
    is_cluster = cluster < clusters.number
    number = str(cluster + 1) if is_cluster else "none"
    description = clusters.description(cluster) if is_cluster else "near no cluster"
    counts, test_counts, train_counts = (each.counts(cluster) for each in (samples, test, train))
    what = f"cluster {number} ({description})" if is_cluster else "no cluster"
    members = np.flatnonzero(train.cluster == cluster)
    nearest = train.images[members[np.argsort(train.distance[members], kind="stable")[:SHOWN]]]
    unselected = samples.images[samples.cluster == cluster][:SHOWN]
    of_cluster = f"{info.plural(label)} in {f'cluster {number}' if is_cluster else 'no cluster'}"
    effect = Effect(
        key=f"clusters/{class_key(info, label)}/{number}",
        statement=f"{share_text(*counts)} of the generated {info.plural(label)} are in {what}, against "
        f"{share_text(*train_counts)} of the real ones.",
        difference=difference_of_shares(*counts, *train_counts),
        floor=difference_of_shares(*test_counts, *train_counts),
        classes=(label,),
        figure=picture_name(info, label),
        meaning=f"A cluster is a kind of {info.plural(label)}, found among the real training images without "
        "labels of kinds; the words in brackets compare it with the mean of the class.",
        examples=lambda: Examples(
            unselected[:EXAMPLES], nearest[:EXAMPLES], of_cluster, f"{of_cluster}, the most typical"
        ),
    )
    shares = _share(*train_counts), _share(*test_counts), _share(*counts)
    ratio = shares[2][0] / shares[0][0] if shares[0][0] else None
    mark = _mark(ratio) if effect.beyond_floor and effect.difference.p_value < SIGNIFICANT else ""
    name = f"Cluster {number}" if is_cluster else "No cluster"
    row = ClusterRow(name, description, mark, nearest, unselected, *shares)
    distance = _relative_distance(cluster, samples, test) if is_cluster else None
    flat = [part for share in shares for part in share]
    size, p_value = effect.difference.size, effect.difference.p_value
    values = [class_key(info, label), number, description, *flat, ratio, size, p_value, distance, mark]
    return Frequency(row, effect, values)


def picture_name(info: DatasetInfo, label: int) -> str:
    """Returns the name of the picture of a class: ASCII, for the name of its file."""
    column = info.column(label)
    return f"of_{column}" if column.isascii() else f"of_class_{label}"


def _share(count: int, n: int) -> Share:
    return count / n, *wilson_interval(count, n)


def _mark(ratio: float | None) -> str:
    if ratio is not None and ratio < RARE:
        return "missing" if ratio < MISSING else "rare"
    return "over-produced" if ratio is None or ratio > OVER_PRODUCED else ""


def _relative_distance(cluster: int, samples: Members, test: Members) -> float | None:
    """Divides the median distance of the samples to the centre by that of the test images."""
    distances = (each.distance[each.cluster == cluster] for each in (samples, test))
    medians = [float(np.median(each)) if len(each) else 0 for each in distances]
    return medians[0] / medians[1] if all(medians) else None
