"""Whether generated garments differ from real ones, class by class, in what one sees at a glance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import stats

from fmcgan.analysis.attributes import ATTRIBUTES, Attribute, Numbers, attributes_of, mean_of, spread_of
from fmcgan.analysis.base import Analysis, NotApplicable, Subject, classes_of
from fmcgan.analysis.effect import Effect, difference_of_means, difference_of_spreads
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app import checks
from fmcgan.data.classes import CLASS_NAMES, plural
from fmcgan.figure.violins import Violins, heat_map, violins_figure
from fmcgan.figure.grid import class_grid, side_by_side
from fmcgan.metric.image_set import ImageSet

Respect = Literal["mean", "spread"]

LEAST_SPREAD = {"width": 1.0, "height": 1.0}
"""What a standard deviation counts as at least: nearly all sneakers are 28 pixels wide; a tenth of one is nothing."""

SHOWN = np.linspace(0.01, 0.99, 7)
"""Ranks by brightness, as shares of a class, of the images shown: 6,000 must not look more extreme than 1,000."""


@dataclass(frozen=True)
class Comparison:
    """The mean or the spread of one attribute of one class.

    Args:
        label: the class.
        attribute: what was measured.
        respect: what is compared: ``mean``, or ``spread``, the standard deviation.
        samples: of generated images, finite float64 [N].
        train: of real training images, finite float64 [M].
        test: of real test images, finite float64 [K].
    """

    label: int
    attribute: Attribute
    respect: Respect
    samples: Numbers
    train: Numbers
    test: Numbers

    @cached_property
    def effect(self) -> Effect:
        """How far the samples are from the training images, and how far the test images are."""
        is_mean, words = self.respect == "mean", self.attribute
        compare, estimate = (difference_of_means, mean_of) if is_mean else (difference_of_spreads, spread_of)
        least = LEAST_SPREAD.get(words.name, 0.0)
        difference = compare(self.samples, self.train, least)
        told, real = (estimate(values).in_words(words.digits) for values in (self.samples, self.train))
        if is_mean:
            how = f"{words.more if difference.size > 0 else words.less} than real ones: {words.mean}"
        else:
            more = "more" if difference.size > 0 else "less"
            how = f"vary {more} in {words.name} than real ones: standard deviation"
        return Effect(
            key=f"bias/{CLASS_NAMES[self.label]}/{words.name}{'' if is_mean else '_spread'}",
            statement=f"Generated {plural(self.label)} {how} {told} against {real}{words.unit}.",
            difference=difference,
            floor=compare(self.test, self.train, least),
            classes=(self.label,),
            figure=f"{self.respect}s",
        )

    @property
    def shift(self) -> float:
        """As the heat map shows it: of means in standard deviations of real images, of spreads in percent of theirs."""
        if self.respect == "mean":
            return self.effect.difference.size
        real = float(self.train.std(ddof=1))
        return 100 * (float(self.samples.std(ddof=1)) / real - 1) if real > 0 else 0.0


class Bias(Analysis):
    """Compares means and spreads of `fmcgan.analysis.attributes.measure_attributes`, class by class.

    It sees what can be measured of each image by itself; that two attributes go together in another way than in real
    images, or what a garment shows, it does not see.

    Args:
        samples_a_class: at least 3; a class with fewer samples, or fewer real images, is left out.
    """

    def __init__(self, samples_a_class: int = 10) -> None:
        checks.whole_number(minimum=3, samples_a_class=samples_a_class)
        self.samples_a_class = samples_a_class

    def analyse(self, subject: Subject) -> Section:
        """Measures all images and compares the sets."""
        means, spreads = (list(self._compared(subject, respect)) for respect in ("mean", "spread"))
        if not means:
            least = f"at least {self.samples_a_class} samples and real images of one class"
            raise NotApplicable(f"the comparison of what one sees at a glance needs {least}: generate more")
        return Section(
            title="Bias and trend",
            introduction=(
                f"Seven attributes of each of {len(subject.samples):,} generated images are compared, class by class, "
                f"with those of {len(subject.real.train):,} real training images; what {len(subject.real.test):,} real "
                f"test images differ from the same is the floor. Classes with fewer than {self.samples_a_class} images "
                "are left out. This tells of size, shape and tone, and nothing of whether the garments are convincing."
            ),
            pictures=[_heat_map(means), _heat_map(spreads), _violins(means), _from_dark_to_bright(subject, means)],
            tables=[_table(means), _table(spreads)],
            effects=[each.effect for each in (*means, *spreads)],
        )

    def _compared(self, subject: Subject, respect: Respect) -> Iterator[Comparison]:
        sets = (subject.samples, subject.real.train, subject.real.test)
        for label in classes_of(subject.samples, self.samples_a_class):
            for attribute in ATTRIBUTES:
                samples, train, test = (_values(images, attribute, label) for images in sets)
                if min(len(samples), len(train), len(test)) >= self.samples_a_class:  # black images lack attributes
                    yield Comparison(label, attribute, respect, samples, train, test)


def _values(images: ImageSet, attribute: Attribute, label: int) -> Numbers:
    found = attributes_of(images)[attribute.name][images.of_class(label).numpy()]
    return found[np.isfinite(found)]


def _labels(compared: Sequence[Comparison]) -> list[int]:
    return sorted({each.label for each in compared})


def _heat_map(compared: Sequence[Comparison]) -> Picture:
    """Of means, or of spreads: classes x attributes."""
    labels, is_mean = _labels(compared), compared[0].respect == "mean"
    shape = (len(labels), len(ATTRIBUTES))
    shifts, faint = np.full(shape, np.nan), np.ones(shape, dtype=bool)
    for each in compared:
        place = labels.index(each.label), ATTRIBUTES.index(each.attribute)
        shifts[place], faint[place] = each.shift, not each.effect.beyond_floor
    less = "less" if is_mean else "in relation to"
    figure = heat_map(
        shifts,
        row_names=[CLASS_NAMES[label] for label in labels],
        column_names=[each.name for each in ATTRIBUTES],
        title=f"How generated garments {'differ from' if is_mean else 'vary, compared with'} real ones",
        legend="standard deviations of the real images" if is_mean else "change of the standard deviation, %",
        limit=1.0 if is_mean else 50.0,
        faint=faint,
        form="{:+.2f}" if is_mean else "{:+.0f} %",
    )
    what = "Mean" if is_mean else "Standard deviation"
    caption = (
        f"{what} of the generated images {less} that of the real training images of the class: red where generated "
        f"garments {'have' if is_mean else 'vary'} more, blue where they {'have' if is_mean else 'vary'} less. "
        "Pale: not surely more than real test images differ from the same training images."
    )
    largest = max(compared, key=lambda each: each.effect.difference.at_least).effect.statement
    name = "means" if is_mean else "spreads"
    return Picture(name, figure, caption, f"Coloured table of classes and attributes. Largest: {largest}", lead=is_mean)


def _violins(compared: Sequence[Comparison]) -> Picture:
    labels, panels = _labels(compared), []
    for attribute in ATTRIBUTES:
        found = {each.label: each for each in compared if each.attribute == attribute}
        real = [found[label].train if label in found else () for label in labels]
        generated = [found[label].samples if label in found else () for label in labels]
        y_label = attribute.unit.strip() or attribute.mean.removeprefix("mean ")
        panels.append(Violins(attribute.name.capitalize(), y_label, real, generated))
    figure = violins_figure(panels, [CLASS_NAMES[label] for label in labels])
    definitions = "; ".join(f"{each.name}: {each.definition}" for each in ATTRIBUTES)
    caption = (
        "The central 99 % of each class, with the median: real training images at the left in blue, generated ones at "
        f"the right in vermilion. Of each garment {definitions}."
    )
    return Picture("distributions", figure, caption, "For each attribute a pair of half violins for each class.")


def _from_dark_to_bright(subject: Subject, compared: Sequence[Comparison]) -> Picture:
    grids, labels = [], _labels(compared)
    for title, images in (("Real, from dark to bright", subject.real.train), ("Generated", subject.samples)):
        brightness, rows = attributes_of(images)["brightness"], []
        for label in labels:
            indices = images.of_class(label).numpy()
            ranks = (SHOWN * (len(indices) - 1)).round().astype(int)
            rows.append(images.images.numpy()[indices[brightness[indices].argsort()[ranks]], 0])
        grids.append((title, class_grid(np.stack(rows), [CLASS_NAMES[label] for label in labels])))
    caption = (
        "Seven garments of each class at equal steps of rank by brightness, without the darkest and the brightest 1 %: "
        "real training images at the left, generated ones at the right."
    )
    alternative = "Two grids of garments, a row a class, which become brighter from left to right."
    return Picture("brightness", side_by_side(grids), caption, alternative)


def _table(compared: Sequence[Comparison]) -> Table:
    is_mean = compared[0].respect == "mean"
    estimate, name, what = (mean_of, "means", "Mean") if is_mean else (spread_of, "spreads", "Standard deviation")
    columns = [Column("class", "class"), Column("attribute", "attribute"), Column("unit", "unit")]
    for key, title in (("generated", "generated"), ("train", "real training"), ("test", "real test")):
        columns += [Column(key, title, "number"), Column(f"{key}_low", "95 % from", "number")]
        columns.append(Column(f"{key}_high", "to", "number"))
    columns += [Column("size", "difference", "number"), Column("size_low", "95 % from", "number")]
    columns += [Column("size_high", "to", "number"), Column("floor", "of real test images", "number")]
    columns += [Column("p", "p", "number", 4), Column("adjusted_p", "p, adjusted", "number", 4)]
    columns.append(Column("beyond_floor", "beyond the floor"))
    adjusted = stats.false_discovery_control([each.effect.difference.p_value for each in compared], method="by")
    rows = []
    for each, p in zip(compared, adjusted, strict=True):
        effect = each.effect
        numbers = [number for values in (each.samples, each.train, each.test) for number in estimate(values)]
        numbers += [effect.difference.size, *effect.difference.interval, effect.floor.size, effect.difference.p_value]
        known = (float(number) if np.isfinite(number) else None for number in numbers)
        words = (CLASS_NAMES[each.label], each.attribute.name, each.attribute.unit.strip())
        rows.append((*words, *known, float(p), "yes" if effect.beyond_floor else "no"))
    caption = (
        f"{what} of each attribute in each class. The difference is in standard deviations of the real images"
        f"{'' if is_mean else ' (for spreads: √2 ln of their ratio)'}, those of width and height counting as "
        "a pixel at least; p is adjusted for the comparisons of this table."
    )
    return Table(name, caption, columns, rows)
