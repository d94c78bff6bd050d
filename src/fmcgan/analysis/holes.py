"""Holes and outliers: real images without a sample nearby, and samples without a real image nearby."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PIL.Image import Image
from scipy import stats
from torch import Tensor
from typing_extensions import override

from fmcgan.analysis.base import Analysis, Subject, class_key, class_noun, image_rows
from fmcgan.analysis.effect import Difference, Effect, difference_of_shares, share_text
from fmcgan.analysis.nearest.coverage import Coverage, compare_coverage, radii
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, whole_number
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
        test = subject.real.test
        samples, first, second = compare_coverage(subject, self.features, self.k, self.least)
        labels, n = samples.images.labels[samples.index].unique().tolist(), len(samples.index)
        effects = [
            _effect(subject.info, what, label, *(each.counts(test, label)[what] for each in (samples, first, second)))
            for what in ("holes", "outliers")
            for label in (None, *labels)[len(labels) == 1 :]  # a single class equals all classes
        ]
        return Section(
            "Holes and outliers",
            f"A real test image is a hole if none of {n:,} samples is as near to it as its {self.k}th nearest other "
            f"test image, in the features of the {self.features.name} network. A sample is an outlier if no test "
            "image is that near. The reference is the same number of real training images.",
            self._pictures(samples, test, subject.real.train, labels),
            [_table(test, labels, samples, first)],
            effects=effects,
            values={"samples": n, "classes": [subject.info.class_names[label] for label in labels], "k": self.k},
        )

    def _pictures(self, samples: Coverage, test: ImageSet, train: ImageSet, labels: Sequence[int]) -> list[Picture]:
        of_test, of_samples = self.features.features(test), self.features.features(samples.images)
        pictures = []
        counts = {label: samples.counts(test, label) for label in labels}
        if samples.uncovered.any():
            holes = samples.uncovered.nonzero().squeeze(1)
            shown, note = _shown(counts, "holes")
            index, distance = nearest(of_test[holes], of_samples[samples.index])
            relative = distance / radii(test, self.features, self.k)[holes]  # infinite for a ball of radius 0
            sides = {
                "real images without a sample nearby": (test, holes),
                "nearest sample of each": (samples.images, samples.index[index]),
            }
            caption = (
                "Left: the real test images of each class that are farthest from any sample, in radii of their ball, "
                "the farthest first. Right: the nearest sample of each, of any class." + note
            )
            text = "Grid of real images without a sample nearby, beside a grid of the nearest samples."
            pictures.append(Picture("holes", self._grids(sides, relative, shown), caption, text))
        if samples.outside.any():
            outliers = samples.index[samples.outside]
            shown, note = _shown(counts, "outliers")
            index, distance = nearest(of_samples[outliers], self.features.features(train))
            sides = {
                "samples without a real image nearby": (samples.images, outliers),
                "nearest training image of each": (train, index),
            }
            caption = (
                f"Left: the outliers of each conditioned class that are farthest from all {len(train):,} training "
                f"images, the farthest first. Right: the nearest training image of each.{note}"
            )
            text = "Grid of generated images unlike real ones, beside a grid of the nearest training images."
            pictures.append(Picture("outliers", self._grids(sides, distance, shown), caption, text))
        return pictures

    def _grids(self, sides: Mapping[str, tuple[ImageSet, Tensor]], distance: Tensor, labels: Sequence[int]) -> Image:
        """Draws pairs of images in two grids, the most distant pairs of each class of the left image first."""
        images, index = next(iter(sides.values()))
        order = distance.argsort(descending=True, stable=True)
        rows = [order[images.labels[index[order]] == label] for label in labels]
        names = short_names([images.info.class_names[label] for label in labels])
        tiles = [image_rows(images, [index[row] for row in rows], self.shown) for images, index in sides.values()]
        grids = [(title, class_grid(each, names)) for title, each in zip(sides, tiles, strict=True)]
        return side_by_side(grids, columns=2)


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
) -> Effect:
    noun, widening = class_noun(info, label), WIDENING[what]
    ours, theirs = share_text(*share, widening), share_text(*of_real, widening)
    statement = {
        "holes": f"{ours} of the real {noun} have no generated image nearby; with as many real training images "
        f"{theirs}.",
        "outliers": f"{ours} of the generated {noun} have no real image nearby, against {theirs} of real training "
        f"{noun}.",
    }[what]
    difference, floor = (_one_sided(each, of_real, widening) for each in (share, of_others))
    classes = () if label is None else (label,)
    return Effect(f"holes/{class_key(info, label)}/{what}", statement, difference, floor, classes, what)


def _table(test: ImageSet, labels: Sequence[int], samples: Coverage, real: Coverage) -> Table:
    columns = (
        Column("class", "class"),
        Column("test_images", "test images", "whole"),
        Column("holes", "holes", "percent", 1),
        Column("holes_of_real", "holes with training images", "percent", 1),
        Column("samples", "samples", "whole"),
        Column("outliers", "outliers", "percent", 1),
        Column("outliers_of_real", "outliers of training images", "percent", 1),
    )
    rows = []
    for label in (*labels, None):
        row: list[str | int | float] = [class_key(test.info, label)]
        for what, (count, n) in samples.counts(test, label).items():
            real_count, real_n = real.counts(test, label)[what]
            row += [n, count / n, real_count / real_n]
        rows.append(row)
    caption = "Shares of holes and outliers, of the samples and of as many training images."
    return Table("holes", caption, columns, rows, open=True)
