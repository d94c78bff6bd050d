"""Clusters within a class, variants of its shape and pattern: missing, rare and over-produced ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, common_classes
from fmcgan.analysis.clustering.cluster_frequencies import COLUMNS, Frequency, Members, compare_cluster, picture_name
from fmcgan.analysis.clustering.clusters import REVISION, ClassClusters, find_clusters, vectors_of
from fmcgan.analysis.section import Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, one_of, whole_number
from fmcgan.app.checks import number as check_number
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import most_telling
from fmcgan.figure.clusters import clusters_picture, ratios_figure
from fmcgan.metric.image_set import FeatureNetwork
from fmcgan.metric.results_store import Arrays

LEAST = 10  # least number of samples, and of test images, of a class
LEAST_OF_A_CLUSTER = 10  # least number of training images of a class per cluster

_TABLE_CAPTION = (
    "All clusters of all classes. More open or solid: less or more of the rectangle around the shape is filled. Fuller "
    "below or above: more of the shape is in that half of the rectangle."
)


class Clusters(Analysis):
    """Clusters the real training images of each class and compares real and generated frequencies of the clusters.

    The vectors to cluster consist of the outline at half the resolution and of network features, chosen among 14
    alternatives by inspecting exemplars of five classes of Fashion-MNIST. The outline is that of what is brighter than
    a dark background. There, the outline alone separates shapes and the lengths of their parts, but not patterns;
    random features at half the weight also separate patterned and dark objects. Features of the classifier mix shapes
    of one class, which it learned to ignore.

    On the same images, k-means with another seed agrees by an adjusted Rand index of at least 0.96 (one class: 0.7), on
    half of the images by 0.9 (one class: 0.7); 10 clusters are less stable than 8. The clusters divide a continuum
    (mean silhouette at most 0.21 in any space). HDBSCAN finds clusters in a few classes only, and leaves half of their
    images in none.

    Args:
        features: network for the features.
        weight: total variance of the features, relative to that of the outline; 0: outline alone.
        method: ``k_means``, or ``hdbscan``, which finds dense clusters and leaves other images in none.
        number: clusters per class of k-means.
        least_share: smallest cluster of HDBSCAN, as a share of the training images of its class.
        seed: of k-means; not that of the subject, because clusters depend on real images only.
    """

    packages = ("sklearn",)

    def __init__(
        self,
        features: FeatureNetwork,
        weight: float = 0.5,
        method: str = "k_means",
        number: int = 8,
        least_share: float = 0.02,
        seed: int = 0,
    ) -> None:
        check_number(0, 1000, weight=weight)
        one_of(("k_means", "hdbscan"), method=method)
        whole_number(minimum=2, maximum=MOST_SHOWN, number=number)
        check_number(0.001, 0.5, least_share=least_share)
        whole_number(minimum=0, seed=seed)
        self.features, self.weight, self.method = features, weight, method
        self.number, self.least_share, self.seed = number, least_share, seed

    @override
    def analyse(self, subject: Subject) -> Section:
        classes = {
            label: found
            for label in common_classes(subject.samples, subject.real.test, least=LEAST)
            if (found := self._frequencies(subject, label))
        }
        if not classes:
            raise NotApplicable(
                f"clusters need a class with at least {LEAST} samples, {LEAST} test images and "
                f"{LEAST_OF_A_CLUSTER * self.number} training images; give more samples"
            )
        every = [each for found in classes.values() for each in found]
        info, (shown, note) = subject.info, _shown(classes)
        return Section(
            "Clusters within the classes",
            "The real training images of each class are clustered by "
            f"{'k-means' if self.method == 'k_means' else 'HDBSCAN'} by their outline and the features of the "
            f"{self.features.name} network. Each of {len(subject.samples):,} samples and {len(subject.real.test):,} "
            "test images is assigned to the cluster of the nearest centre. A cluster is called missing if its share "
            "among the samples is below a quarter of its real share, and rare or over-produced if it is smaller or "
            "larger by a factor of 1.5. The difference must also be significant and exceed that of test images. "
            "Samples unlike any real image are assigned to a cluster too, so a shift of all samples changes shares "
            "although no cluster is missing: see the distances from the centres in the table." + note,
            [_overview(info, shown, every), *(_class_picture(info, label, found) for label, found in shown.items())],
            [Table("shares", _TABLE_CAPTION, COLUMNS, [each.values for each in every])],
            effects=[each.effect for each in every],
            values={"marks": {each.effect.key: each.row.mark for each in every}},
        )

    def _frequencies(self, subject: Subject, label: int) -> list[Frequency]:
        """Compares the clusters of a class; empty if it has too few training images or no clusters."""
        sets = (subject.samples, subject.real.test, subject.real.train)
        indices = [each.of_class(label) for each in sets]
        if len(indices[2]) < LEAST_OF_A_CLUSTER * self.number:
            return []
        images = [each.images[index] for each, index in zip(sets, indices, strict=True)]
        features = [self.features.features(each)[index] for each, index in zip(sets, indices, strict=True)]
        vectors = list(map(vectors_of, images, features))
        clusters = self._clusters(subject, label, vectors[2])
        if not clusters.number:
            return []
        assigned = map(clusters.assign, vectors)
        members = [Members(to_pixels(each), *found) for each, found in zip(images, assigned, strict=True)]
        count = clusters.number + (self.method == "hdbscan")
        return [compare_cluster(subject.info, label, cluster, clusters, *members) for cluster in range(count)]

    def _clusters(self, subject: Subject, label: int, vectors: NDArray[np.float32]) -> ClassClusters:
        """Returns the clusters of a class, found once for each data set."""
        train = subject.real.train
        choices = (self.weight, self.method, self.number, self.least_share, self.seed)
        space = f"the outline and {self.features.name_and_version}"
        key = f"styles of class {label} of {train.fingerprint} in {space}: {REVISION} {choices}"

        def compute() -> Arrays:
            return find_clusters(vectors, to_pixels(train.images[train.of_class(label)]), *choices).as_arrays()

        return ClassClusters.from_arrays(subject.store.arrays(key, compute))


def _shown(classes: Mapping[int, Sequence[Frequency]]) -> tuple[dict[int, Sequence[Frequency]], str]:
    """Selects the classes of the figures: if there are many, those with the largest differences of a cluster."""
    sizes = {label: max(each.effect.difference.at_least for each in found) for label, found in classes.items()}
    labels, note = most_telling(sizes, "with the largest differences")
    return {label: classes[label] for label in labels}, f" {note}" if note else ""


def _overview(info: DatasetInfo, classes: Mapping[int, Sequence[Frequency]], every: Sequence[Frequency]) -> Picture:
    return Picture(
        "overview",
        ratios_figure({info.class_names[label]: [each.row for each in found] for label, found in classes.items()}),
        "Each row is a cluster of a class, the most frequent first. Left of 1, generated images are in it less "
        "often than real ones. Named clusters differ by a factor of 1.5 and significantly more than test images. The "
        "line through a dot is the 95 % interval of the generated share; a triangle is a share at the edge or beyond.",
        f"Share of each cluster among generated images, divided by its real share. {_marked(every)}",
        lead=True,
    )


def _class_picture(info: DatasetInfo, label: int, found: Sequence[Frequency]) -> Picture:
    return Picture(
        picture_name(info, label),
        clusters_picture([each.row for each in found], f"Clusters of {info.plural(label)}, the most frequent first"),
        "Each row is a cluster: the real training images nearest to its centre, the first generated images assigned "
        "to it, and its share among real (blue) and generated images (vermilion) with 95 % intervals. The words "
        "compare it with the mean of its class.",
        f"{len(found)} clusters of {info.plural(label)} with examples and shares. {_marked(found)}",
    )


def _marked(found: Sequence[Frequency]) -> str:
    marked = [f"{each.effect.key.removeprefix('clusters/')} {each.row.mark}" for each in found if each.row.mark]
    return f"{len(marked)} of {len(found)} are marked: {', '.join(marked)}." if marked else "None is marked."
