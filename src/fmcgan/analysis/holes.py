"""What is missing and what is beside: real images that no sample comes near, and samples near no real image."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from torch import Tensor

from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.effect import Difference, Effect, difference_of_shares, share_in_words
from fmcgan.analysis.nearest.coverage import Compared, compare, radii
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.data.classes import CLASS_NAMES, plural
from fmcgan.figure.grid import PAPER, class_grid, side_by_side
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.neighbours import nearest

Side = tuple[ImageSet, Tensor]
"""Images of a set, by their indices."""
CLUMPED = 1.2
"""How much wider than of independent images differences of shares of bare ones are: their z-scores between six disjoint
sets of 10,000 training images, of all and of each class, have a standard deviation of 1.16 (of outliers 0.99)."""


class Holes(Analysis):
    """Coverage turned round (Naeem et al. 2020, "Reliable fidelity and diversity metrics", section 3).

    The ball of a real test image reaches to its k-th nearest other test image. The image is *bare* if no sample is in
    its ball: a hole. A sample is *beside* the data if it is in no ball: an outlier. As many training images of each
    class, which no generator can be expected to surpass, say how often both happen to real images, and as many other
    training images, compared with the first, how much that varies.

    Only more of either than real images have is a finding: copies of test images fill the balls of these by themselves,
    and samples from the middle of the data are beside it more seldom. Sizes are what was measured, of either sign, but
    p-values are one-sided. Bare images are not independent of each other, because one image fills several balls:
    standard errors of their shares are widened by `CLUMPED`, and their p-values are the larger one of Fisher's test and
    of the normal approximation with that error.

    Classes of which there are few images are left out. Balls are always of all test images, and a sample of any class
    fills them.
    """

    def __init__(self, features: FeatureNetwork, k: int = 5, shown: int = 8, least: int = 10) -> None:
        """Checks the parameters.

        Args:
            features: on whose features distances are measured.
            k: which other test image a ball reaches to.
            shown: how many holes and outliers of each class are drawn.
            least: samples, and test images, below which a class is left out.

        Raises:
            InvalidValueError: a value is no whole number of at least 1.
        """
        whole_number(maximum=1000, k=k, least=least)
        whole_number(maximum=MOST_SHOWN, shown=shown)
        self.features, self.k, self.shown, self.least = features, k, shown, least

    def analyse(self, subject: Subject) -> Section:
        """Looks which real images are bare and which samples are beside the data.

        Raises:
            NotApplicable: no class has enough samples and real images.
        """
        test = subject.real.test
        samples, first, second = compare(subject, self.features, self.k, self.least)
        labels, n = samples.images.labels[samples.index].unique().tolist(), len(samples.index)
        effects = [
            _effect(what, label, *(each.counts(test, label)[what] for each in (samples, first, second)))
            for what in ("bare", "beside")
            for label in (None, *labels)[len(labels) == 1 :]  # of one class nothing is told twice
        ]
        introduction = (
            f"A real test image has a hole around it if none of {n:,} samples is as near to it as its {self.k}th "
            f"nearest other test image, on the features of the {self.features.name} network. A sample is an outlier if "
            "it is that near to no test image. As many training images say how often both happen to real images."
        )
        return Section(
            "Holes and outliers",
            introduction,
            [
                *([self._holes(samples, test, labels)] if samples.bare.any() else []),
                *([self._outliers(samples, subject.real.train, labels)] if samples.beside.any() else []),
            ],
            [_table(test, labels, samples, first)],
            effects=effects,
            values={"samples": n, "classes": [CLASS_NAMES[label] for label in labels], "k": self.k},
        )

    def _holes(self, samples: Compared, test: ImageSet, labels: Sequence[int]) -> Picture:
        bare = samples.bare.nonzero().squeeze(1)
        given = self.features.features(samples.images)[samples.index]
        index, distance = nearest(self.features.features(test)[bare], given)
        far = distance / radii(test, self.features, self.k)[bare]  # in units of its ball; infinite if that has no size
        sides = (test, bare), (samples.images, samples.index[index])
        titles = "real images without a sample near them", "the sample nearest to each"
        caption = (
            "Left: the real test images of each class that lie farthest from any sample, measured by the size of their "
            "own ball, the farthest first. Right: the sample nearest to each, whatever it was asked to show."
        )
        alternative = "Grid of real garments that no sample comes near, beside a grid of the samples nearest to them."
        return Picture("holes", _grids(titles, sides, far, labels, self.shown), caption, alternative)

    def _outliers(self, samples: Compared, train: ImageSet, labels: Sequence[int]) -> Picture:
        beside = samples.index[samples.beside]
        index, distance = nearest(self.features.features(samples.images)[beside], self.features.features(train))
        sides = (samples.images, beside), (train, index)
        titles = "samples beside the real images", "the training image nearest to each"
        caption = (
            f"Left: the samples in no test image's ball that lie farthest from all {len(train):,} training images, by "
            "the class they were asked for, the farthest first. Right: the training image nearest to each."
        )
        alternative = "Grid of generated garments that are unlike all real ones, beside the real ones nearest to them."
        return Picture("outliers", _grids(titles, sides, distance, labels, self.shown), caption, alternative)


def _grids(
    titles: tuple[str, str], sides: tuple[Side, Side], far: Tensor, labels: Sequence[int], width: int
) -> Image.Image:
    """Two grids of pairs: those of each class of the left image that are farthest apart, the farthest first."""
    images, index = sides[0]
    order = far.argsort(descending=True, stable=True)
    rows = [order[images.labels[index[order]] == label][:width] for label in labels]
    grids = []
    for images, index in sides:
        tiles: NDArray[np.uint8] = np.full((len(rows), width, 28, 28), PAPER, dtype=np.uint8)
        for place, row in enumerate(rows):
            tiles[place, : len(row)] = images.images[index[row]].squeeze(1).numpy()
        grids.append(class_grid(tiles, [CLASS_NAMES[label] for label in labels]))
    return side_by_side(list(zip(titles, grids, strict=True)), columns=2)


def _more(share: tuple[int, int], of_real: tuple[int, int], widened: float) -> Difference:
    """Of two shares, with the p-value of the test that the first is not the larger one, and the error so much wider."""
    (count, n), (real_count, real_n) = share, of_real
    table = [[count, n - count], [real_count, real_n - real_count]]
    p_value = stats.fisher_exact(table, alternative="greater").pvalue
    found = difference_of_shares(count, n, real_count, real_n)
    error = widened * found.error
    return replace(found, error=error, p_value=max(float(p_value), float(stats.norm.sf(found.size / error))))


def _effect(
    what: str, label: int | None, share: tuple[int, int], of_real: tuple[int, int], of_others: tuple[int, int]
) -> Effect:
    name = "images" if label is None else plural(label)
    widened = CLUMPED if what == "bare" else 1.0
    ours, theirs = share_in_words(*share, widened), share_in_words(*of_real, widened)
    statements = {
        "bare": f"{ours} of the real {name} have no generated image near them; with as many real training images in "
        f"place of the generated ones it is {theirs}.",
        "beside": f"{ours} of the generated {name} lie near no real image; of real training {name} {theirs} do.",
    }
    return Effect(
        f"holes/{'all' if label is None else CLASS_NAMES[label]}/{what}",
        statements[what],
        _more(share, of_real, widened),
        _more(of_others, of_real, widened),
        () if label is None else (label,),
        {"bare": "holes", "beside": "outliers"}[what],
    )


def _table(test: ImageSet, labels: Sequence[int], samples: Compared, real: Compared) -> Table:
    """A row a class, and one of all."""
    columns = [
        Column("class", "class"),
        Column("test_images", "test images", "whole"),
        Column("holes", "without a sample near", "percent", 1),
        Column("holes_of_real", "without a training image near", "percent", 1),
        Column("samples", "samples", "whole"),
        Column("outliers", "samples near no test image", "percent", 1),
        Column("outliers_of_real", "training images near none", "percent", 1),
    ]
    rows = []
    for label in (*labels, None):
        row: list[str | int | float] = ["all" if label is None else CLASS_NAMES[label]]
        of_samples, of_real = samples.counts(test, label), real.counts(test, label)
        for what in ("bare", "beside"):
            (count, n), (real_count, real_n) = of_samples[what], of_real[what]
            row += [n, count / n, real_count / real_n]
        rows.append(row)
    caption = "Holes and outliers of samples, and of as many training images, among all test images."
    return Table("holes", caption, columns, rows, open=True)
