"""Holes and outliers: real images without a sample nearby, and samples without a real image nearby."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from PIL.Image import Image
from scipy import stats
from torch import Tensor
from typing_extensions import override

from fmcgan.analysis.base import EXAMPLES, Analysis, Subject, class_key, class_noun, image_rows
from fmcgan.analysis.effect import Difference, Effect, Examples, Words, difference_of_shares, share_gap_text, share_text
from fmcgan.analysis.nearest.coverage import Coverage, compare_coverage, radii
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import most_telling, short_names
from fmcgan.figure.grid import class_grid, side_by_side
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.neighbours import nearest

WIDENING = {"holes": 1.2, "outliers": 1.0}
"""Factors on the standard errors of differences of shares. Holes are not independent: between six disjoint sets of
10,000 training images, the z-scores have a standard deviation of 1.16 (0.99 for outliers)."""


class Holes(Analysis):
    """Finds the images that coverage counts (Naeem et al. 2020, "Reliable fidelity and diversity metrics", section 3).

    The ball of a real test image reaches to its k-th nearest other test image. A hole is a test image whose ball
    contains no sample. An outlier is a sample in no ball. The reference is the same count for as many training images
    of each class; the floor compares it with as many other training images.

    Only more holes or outliers than among real images are a finding, so p-values are one-sided: copies of test images
    cover all balls, and samples from the centre of the data are rarely outliers. One image may cover several balls, so
    holes are not independent: standard errors of their shares are multiplied by `WIDENING`, and the p-value is the
    larger one of Fisher's exact test and of a normal test with that error.

    Classes with fewer than ``least`` samples or test images are left out. Balls are those of all test images; samples
    of any class cover them. The figures show ``shown`` holes and outliers of each class.
    """

    def __init__(self, features: FeatureNetwork, k: int = 5, shown: int = 8, least: int = 10) -> None:
        whole_number(maximum=1000, k=k, least=least)
        whole_number(maximum=MOST_SHOWN, shown=shown)
        self.features, self.k, self.shown, self.least = features, k, shown, least

    @override
    def analyse(self, subject: Subject) -> Section:
        test, info = subject.real.test, subject.info
        samples, first, second = compare_coverage(subject, self.features, self.k, self.least)
        labels, n = samples.images.labels[samples.index].unique().tolist(), len(samples.index)
        pairs = {"holes": self._holes(test, samples), "outliers": self._outliers(subject.real.train, samples)}
        meaning = (
            f"Nearby: no farther from a real test image than its {self.k}th nearest other test image (k = {self.k}), "
            f"in the features of the {self.features.name} network. Both shares depend on n; both are for n = {n:,}."
        )
        effects = []
        for what, pair in pairs.items():
            for label in (None, *labels)[len(labels) == 1 :]:  # a single class equals all classes
                share, of_real, of_others = (each.counts(test, label)[what] for each in (samples, first, second))
                about = n, meaning, partial(pair.examples, label)
                effects.append(_effect(info, what, label, share, of_real, of_others, *about))
        return Section(
            "Holes and outliers",
            f"A real test image is a hole if none of {n:,} samples is as near to it as its {self.k}th nearest other "
            f"test image, in the features of the {self.features.name} network. A sample is an outlier if it is that "
            "near to no test image. Shares of both depend on n, so they are compared with those of the same number of "
            "real training images: only the difference is due to the generator.",
            self._pictures(test, samples, pairs, labels),
            [_table(test, labels, samples, first, meaning)],
            effects=effects,
            values={"samples": n, "classes": [info.class_names[label] for label in labels], "k": self.k},
        )

    def _holes(self, test: ImageSet, samples: Coverage) -> "_Pairs":
        """Pairs each hole with its nearest sample, by distance in radii of its ball, which is infinite for radius 0."""
        holes = samples.uncovered.nonzero().squeeze(1)
        of_test, of_samples = self.features.features(test), self.features.features(samples.images)
        index, distance = nearest(of_test[holes], of_samples[samples.index])
        relative = distance / radii(test, self.features, self.k)[holes]
        titles = "test images without a sample nearby", "nearest sample of each"
        return _Pairs(test, holes, samples.images, samples.index[index], relative, titles)

    def _outliers(self, train: ImageSet, samples: Coverage) -> "_Pairs":
        """Pairs each outlier with its nearest training image."""
        outliers = samples.index[samples.outside]
        index, distance = nearest(self.features.features(samples.images)[outliers], self.features.features(train))
        titles = "samples without a real image nearby", "nearest training image of each"
        return _Pairs(samples.images, outliers, train, index, distance, titles, is_generated=True)

    def _pictures(
        self, test: ImageSet, samples: Coverage, pairs: Mapping[str, "_Pairs"], labels: Sequence[int]
    ) -> list[Picture]:
        captions = {
            "holes": "Left: the real test images of each class that are farthest from any sample, relative to the "
            f"distance to their {self.k}th nearest test image, the farthest first. Right: the nearest sample of each, "
            "of any class.",
            "outliers": "Left: the outliers of each conditioned class that are farthest from all training images, the "
            "farthest first. Right: the nearest training image of each.",
        }
        texts = {
            "holes": "Grid of real images without a sample nearby, beside a grid of the nearest samples.",
            "outliers": "Grid of generated images unlike real ones, beside a grid of the nearest training images.",
        }
        counts = {label: samples.counts(test, label) for label in labels}
        pictures = []
        for what, pair in pairs.items():
            if len(pair.index):
                shown, note = _shown(counts, what)
                pictures.append(Picture(what, pair.grids(shown, self.shown), captions[what] + note, texts[what]))
        return pictures


@dataclass(frozen=True, eq=False)
class _Pairs:
    """N images, and the nearest image of the other origin to each."""

    images: ImageSet
    index: Tensor  # int64 [N]
    others: ImageSet
    other_index: Tensor  # int64 [N]
    distance: Tensor  # [N]; the images with the largest are shown
    titles: tuple[str, str]
    is_generated: bool = False  # whether the images are samples, or else the others

    def of_class(self, label: int | None) -> Tensor:
        """Returns the pairs of a class of the images, or all, the most distant first."""
        order = self.distance.argsort(descending=True, stable=True)
        return order if label is None else order[self.images.labels[self.index[order]] == label]

    def grids(self, labels: Sequence[int], columns: int) -> Image:
        """Draws two grids side by side, one class of the images per row."""
        rows = [self.of_class(label) for label in labels]
        names = short_names([self.images.info.class_names[label] for label in labels])
        sides = (self.images, self.index), (self.others, self.other_index)
        tiles = [image_rows(images, [index[row] for row in rows], columns) for images, index in sides]
        grids = [(title, class_grid(each, names)) for title, each in zip(self.titles, tiles, strict=True)]
        return side_by_side(grids, columns=2)

    def examples(self, label: int | None) -> Examples:
        """Selects the most distant pairs of a class, or of all."""
        row = self.of_class(label)[:EXAMPLES]
        sides = to_pixels(self.images.images[self.index[row]]), to_pixels(self.others.images[self.other_index[row]])
        return Examples(*sides, *self.titles) if self.is_generated else Examples(*sides[::-1], *self.titles[::-1])


def _shown(counts: Mapping[int, Mapping[str, tuple[int, int]]], what: str) -> tuple[list[int], str]:
    """Selects the classes of a figure: if there are many, those with the largest shares."""
    shares = {label: each[what][0] / each[what][1] for label, each in counts.items()}
    labels, note = most_telling(shares, f"with the largest shares of {what}")
    return labels, f" {note}" if note else ""


def _one_sided(share: tuple[int, int], of_real: tuple[int, int], widening: float) -> Difference:
    """Compares two shares; the p-value is one-sided and small if the first is larger."""
    (count, n), (real_count, real_n) = share, of_real
    table = [[count, n - count], [real_count, real_n - real_count]]
    p_value = stats.fisher_exact(table, alternative="greater").pvalue
    found = difference_of_shares(count, n, real_count, real_n)
    error = widening * found.error
    return replace(found, error=error, p_value=max(float(p_value), float(stats.norm.sf(found.size / error))))


def _effect(
    info: DatasetInfo,
    what: str,
    label: int | None,
    share: tuple[int, int],
    of_real: tuple[int, int],
    of_others: tuple[int, int],
    n: int,
    meaning: str,
    examples: Callable[[], Examples],
) -> Effect:
    noun, widening = class_noun(info, label), WIDENING[what]
    gap = share_gap_text(*share, *of_real, widening)
    against = f"{share_text(*share, widening)} against {share_text(*of_real, widening)}"
    statement, shared = {
        "holes": (
            f"{gap} more of the real {noun} lack a generated image nearby than lack a real training image nearby",
            "leave more real images without one nearby than as many real training images do",
        ),
        "outliers": (
            f"{gap} more of the generated {noun} lack a real image nearby than of the real training {noun}",
            "lack a real image nearby more often than real training images",
        ),
    }[what]
    difference, floor = (_one_sided(each, of_real, widening) for each in (share, of_others))
    return Effect(
        f"holes/{class_key(info, label)}/{what}",
        f"{statement}: {against} (n = {n:,} each).",
        difference,
        floor,
        () if label is None else (label,),
        what,
        meaning,
        Words(noun, shared, f"{gap} more ({against})"),
        examples,
    )


def _table(test: ImageSet, labels: Sequence[int], samples: Coverage, real: Coverage, meaning: str) -> Table:
    columns = (
        Column("class", "class"),
        Column("test_images", "test images", "whole"),
        Column("holes_gap", "holes beyond real", "percent", 1),
        Column("holes", "holes", "percent", 1),
        Column("holes_of_real", "holes with training images", "percent", 1),
        Column("samples", "samples", "whole"),
        Column("outliers_gap", "outliers beyond real", "percent", 1),
        Column("outliers", "outliers", "percent", 1),
        Column("outliers_of_real", "outliers of training images", "percent", 1),
    )
    rows = []
    for label in (*labels, None):
        row: list[str | int | float] = [class_key(test.info, label)]
        for what, (count, n) in samples.counts(test, label).items():
            real_count, real_n = real.counts(test, label)[what]
            row += [n, count / n - real_count / real_n, count / n, real_count / real_n]
        rows.append(row)
    caption = f"Shares of holes and outliers, of the samples and of as many training images. {meaning}"
    return Table("holes", caption, columns, rows, open=True)
