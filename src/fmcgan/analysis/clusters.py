"""Styles within a class (sleeves, heels, straps, prints): which of them samples lack, have rarely or too often."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, classes_of
from fmcgan.analysis.clustering.cluster_frequencies import COLUMNS, Compared, Members, compared, picture_name
from fmcgan.analysis.clustering.clusters import REVISION, Styles, find_styles, vectors_of
from fmcgan.analysis.section import Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, one_of, whole_number
from fmcgan.app.checks import number as check_number
from fmcgan.data.classes import CLASS_NAMES, plural
from fmcgan.figure.clusters import ratios_figure, styles_picture
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.results_store import Arrays

LEAST = 10
"""Samples and test images that a class must have."""
LEAST_OF_A_STYLE = 10
"""Training images that a class must have for each of its styles."""


class Clusters(Analysis):
    """Clusters of the real training images of each class, and how often each is met among real and among generated.

    They are found in the outline, at half the resolution, and in what a feature network sees of the inside. 14 spaces
    were measured on sandals, bags, shirts, dresses and boots, and exemplars of the best looked at. The classifier's own
    features mix sleeves, heels and handles, which it learned to ignore; grey levels and random features alone sort
    shirts by brightness first, whatever their sleeves. The outline alone parts heel, wedge and flat, long, short and
    no sleeve, handle and clutch, but sees no print. Half as much of the random features beside it adds prints and dark
    garments without mixing the outlines. K-means of another seed agrees with it by an adjusted Rand index of 0.96 or
    more (bags: 0.7), k-means of half of the images by 0.9 (bags: 0.7); 10 styles repeat less well than 8. Styles of
    garments touch each other (mean silhouette of 0.21 at best, in any space): they divide a continuum. HDBSCAN finds
    groups in a few classes only and counts half of their images to none.
    """

    def __init__(
        self,
        features: FeatureNetwork,
        weight: float = 0.5,
        method: str = "k_means",
        number: int = 8,
        least_share: float = 0.02,
        seed: int = 0,
    ) -> None:
        """Checks the parameters.

        Args:
            features: the network that sees the inside of the garment.
            weight: its total variance beside that of the outline, which is 1; 0 leaves the outline alone.
            method: ``k_means``, or ``hdbscan``, which finds dense groups and counts what lies between them to none.
            number: of styles a class, of k-means.
            least_share: of a cluster of HDBSCAN among the training images of its class.
            seed: of k-means; not the subject's, because styles are a function of real images alone.

        Raises:
            InvalidValueError: a value of another type or range.
        """
        check_number(0, 1000, weight=weight)
        one_of(("k_means", "hdbscan"), method=method)
        whole_number(minimum=2, maximum=MOST_SHOWN, number=number)
        check_number(0.001, 0.5, least_share=least_share)
        whole_number(minimum=0, seed=seed)
        self.features, self.weight, self.method = features, weight, method
        self.number, self.least_share, self.seed = number, least_share, seed

    def analyse(self, subject: Subject) -> Section:
        """Compares the shares of the styles.

        Raises:
            NotApplicable: no class has enough images.
        """
        classes: dict[int, list[Compared]] = {}
        for label in classes_of(subject.samples, LEAST):
            if found := self._of_class(subject, label):
                classes[label] = found
        if not classes:
            raise NotApplicable(
                f"styles need a class with at least {LEAST} samples, {LEAST} test images and "
                f"{LEAST_OF_A_STYLE * self.number} training images; draw more samples"
            )
        every = [each for found in classes.values() for each in found]
        return Section(
            title="Styles within the classes",
            introduction=self._introduction(subject),
            pictures=[_overview(classes), *(_of_one(label, found) for label, found in classes.items())],
            tables=[Table("styles", "All styles of all classes.", COLUMNS, [each.values for each in every])],
            effects=[each.effect for each in every],
        )

    def _introduction(self, subject: Subject) -> str:
        how = f"k-means into {self.number} styles" if self.method == "k_means" else "HDBSCAN"
        return (
            f"The {len(subject.real.train):,} real training images were clustered class by class ({how}); the "
            f"{len(subject.samples):,} samples and the {len(subject.real.test):,} real test images are counted to the "
            "style whose centre is nearest. A style is called missing if its share among the samples is less than a "
            "quarter of its real share, rare or over-produced if it is 1.5 times smaller or larger, and only if the "
            "difference is surely larger than that of test images. An image that resembles no real one is counted to "
            "some style too: if samples are shifted as a whole, shares move although no style is lacking, and the "
            "table tells how far they lie from the centres."
        )

    def _of_class(self, subject: Subject, label: int) -> list[Compared]:
        """One of each style of a class; nothing if it has too few images or no clusters."""
        sets = (subject.samples, subject.real.test, subject.real.train)
        indices = [each.of_class(label) for each in sets]
        if len(indices[1]) < LEAST or len(indices[2]) < LEAST_OF_A_STYLE * self.number:
            return []
        vectors = [self._vectors(each, some) for each, some in zip(sets, indices, strict=True)]
        styles = self._styles(subject, label, vectors[2])
        if not styles.number:
            return []
        members = [
            Members(each.images[some, 0].numpy(), *styles.assign(some_vectors))
            for each, some, some_vectors in zip(sets, indices, vectors, strict=True)
        ]
        groups = styles.number + (self.method == "hdbscan")
        return [compared(label, style, styles, *members) for style in range(groups)]

    def _vectors(self, images: ImageSet, indices: Tensor) -> NDArray[np.float32]:
        return vectors_of(images.images[indices], self.features.features(images)[indices])

    def _styles(self, subject: Subject, label: int, vectors: NDArray[np.float32]) -> Styles:
        """The styles of a class, found once for each data set."""
        train = subject.real.train
        choices = (self.weight, self.method, self.number, self.least_share, self.seed)
        network = f"{self.features.name} {self.features.version}"
        key = f"styles of class {label} of {train.fingerprint} in the outline and {network}: {REVISION} {choices}"

        def compute() -> Arrays:
            return find_styles(vectors, train.images[train.of_class(label), 0].numpy(), *choices).as_arrays()

        return Styles.from_arrays(subject.store.arrays(key, compute))


def _overview(classes: Mapping[int, Sequence[Compared]]) -> Picture:
    marked = [each for found in classes.values() for each in found if each.row.mark]
    figure = ratios_figure({CLASS_NAMES[label]: [each.row for each in found] for label, found in classes.items()})
    total = sum(map(len, classes.values()))
    told = f"{len(marked)} of {total} styles are marked: {_listed(marked)}." if marked else "No style is marked."
    return Picture(
        "overview",
        figure,
        "Each row is a style of a class, the most frequent above; left of the line generated images have it less often "
        "than real ones. Named are those whose share differs by a factor of 1.5 and surely more than that of new real "
        "images. The line through a dot is the interval of the generated share; a triangle lies at the edge or beyond.",
        f"Share of each style among generated images in multiples of its real share. {told}",
        vector=True,
        lead=True,
    )


def _of_one(label: int, found: Sequence[Compared]) -> Picture:
    marked = [each for each in found if each.row.mark]
    told = f"Marked: {_listed(marked)}." if marked else "No style is marked."
    return Picture(
        picture_name(label),
        styles_picture([each.row for each in found], f"Styles of {plural(label)}, the most frequent first"),
        "Each row is a style: the real training images nearest to its centre, the first generated ones counted to it, "
        "and its share among real (blue) and generated (vermilion) with 95 % intervals. The words compare it with the "
        "mean of its class.",
        f"{len(found)} styles of {plural(label)} with examples and shares. {told}",
    )


def _listed(marked: Sequence[Compared]) -> str:
    return ", ".join(f"{each.effect.key.removeprefix('clusters/')} {each.row.mark}" for each in marked)
