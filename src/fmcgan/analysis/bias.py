"""Mean and standard deviation of simple attributes by class, of generated and of real images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from matplotlib.colors import Normalize
from numpy.typing import NDArray
from scipy import stats
from typing_extensions import override

from fmcgan.analysis.attributes import (
    ATTRIBUTES,
    DEFINITIONS,
    Attribute,
    Numbers,
    attributes_of,
    has_black_background,
    mean_of,
    spread_of,
)
from fmcgan.analysis.base import (
    Analysis,
    NotApplicable,
    Subject,
    class_key,
    class_noun,
    common_classes,
    evenly_ranked,
    image_rows,
)
from fmcgan.analysis.effect import Effect, Examples, Words, difference_of_means, difference_of_spreads
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app import checks
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import most_telling, short_names
from fmcgan.figure.grid import class_grid, side_by_side
from fmcgan.figure.heatmap import DIVERGING, heatmap_figure
from fmcgan.figure.violins import Violins, violins_figure
from fmcgan.metric.image_set import ImageSet

LEAST_SPREAD = {"width": 1.0, "height": 1.0}
"""Lower bounds of standard deviations in pixels, because nearly all images of a class may have the same width."""
SHOWN = np.linspace(0.01, 0.99, 7)
"""Quantiles of brightness of the images shown, without the extremes, which depend on the size of the set."""


@dataclass(frozen=True)
class AttributeComparison:
    """One attribute of one class, compared by mean (``is_mean``) or by standard deviation.

    The values are finite: [N] of samples, [M] of training images and [L] of test images.
    """

    info: DatasetInfo
    label: int
    attribute: Attribute
    is_mean: bool
    samples: Numbers
    train: Numbers
    test: Numbers
    examples: Callable[[], Examples] | None = None

    @cached_property
    def effect(self) -> Effect:
        """The difference between samples and training images; the floor is that of the test images."""
        words, least = self.attribute, LEAST_SPREAD.get(self.attribute.name, 0.0)
        compare, estimate = (difference_of_means, mean_of) if self.is_mean else (difference_of_spreads, spread_of)
        difference = compare(self.samples, self.train, least)
        generated, real = (estimate(values).in_words(words.digits) for values in (self.samples, self.train))
        if self.is_mean:
            shared, value = f"{words.more if difference.size > 0 else words.less} than real ones", words.mean
        else:
            more = "more" if difference.size > 0 else "less"
            shared, value = f"vary {more} in {words.name} than real ones", "standard deviation"
        noun, numbers = class_noun(self.info, self.label), f"{value} {generated} against {real}{words.unit}"
        return Effect(
            key=f"bias/{class_key(self.info, self.label)}/{words.name}{'' if self.is_mean else '_spread'}",
            statement=f"Generated {noun} {shared}: {numbers}.",
            difference=difference,
            floor=compare(self.test, self.train, least),
            classes=(self.label,),
            figure="means" if self.is_mean else "spreads",
            meaning=f"{words.name.capitalize()}: {DEFINITIONS[words.name]}."
            + ("" if self.is_mean else " Its standard deviation measures the variety within the class."),
            words=Words(noun, shared, numbers),
            examples=self.examples,
        )

    @property
    def shift(self) -> float:
        """Value in the heat map: effect size of the mean, or relative change of the standard deviation in percent."""
        if self.is_mean:
            return self.effect.difference.size
        real = float(self.train.std(ddof=1))
        return 100 * (float(self.samples.std(ddof=1)) / real - 1) if real > 0 else 0.0


class Bias(Analysis):
    """Compares attributes (`fmcgan.analysis.attributes`) of generated and real images, class by class.

    Neither correlations between attributes nor the content of images are compared.

    Classes with fewer than ``samples_a_class`` (at least 3) samples or real images are left out.
    """

    def __init__(self, samples_a_class: int = 10) -> None:
        checks.whole_number(minimum=3, samples_a_class=samples_a_class)
        self.samples_a_class = samples_a_class

    @override
    def analyse(self, subject: Subject) -> Section:
        black = has_black_background(subject.real.train)
        means, spreads = (list(self._compared(subject, is_mean, black)) for is_mean in (True, False))
        if not means:
            least = f"at least {self.samples_a_class} samples and real images of one class"
            raise NotApplicable(f"the comparison of attributes needs {least}: generate more")
        return Section(
            "Bias of attributes",
            f"{len(ATTRIBUTES)} attributes of each of {len(subject.samples):,} generated images are compared by class "
            f"with those of {len(subject.real.train):,} real training images. The floor is the same difference for "
            f"{len(subject.real.test):,} real test images. Classes with fewer than {self.samples_a_class} images are "
            "left out. Attributes measure size, shape and tone, not whether the class is recognisable."
            + ("" if black else " The background is not black, so the shape is the whole image, of fixed size."),
            [_heat_map(means), _heat_map(spreads), _violins(means), _by_brightness(subject, means, black)],
            [_table(means), _table(spreads)],
            effects=[each.effect for each in (*means, *spreads)],
        )

    def _compared(self, subject: Subject, is_mean: bool, black: bool) -> Iterator[AttributeComparison]:
        sets = (subject.samples, subject.real.train, subject.real.test)
        for label in common_classes(subject.samples, least=self.samples_a_class):
            for attribute in ATTRIBUTES:
                samples, train, test = (_values(images, attribute, label, black) for images in sets)
                if min(len(samples), len(train), len(test)) >= self.samples_a_class:  # black images lack attributes
                    show = partial(_examples, subject, attribute, label, black)
                    yield AttributeComparison(subject.info, label, attribute, is_mean, samples, train, test, show)


def _examples(subject: Subject, attribute: Attribute, label: int, black: bool) -> Examples:
    """Selects generated and real images at the same quantiles of an attribute."""

    def ranked(images: ImageSet) -> NDArray[np.uint8]:
        members = images.of_class(label)
        order = evenly_ranked(attributes_of(images, black)[attribute.name][members.numpy()])
        return to_pixels(images.images[members[torch.from_numpy(order)]])

    title = f"{class_noun(subject.info, label)}, from the 5th to the 95th percentile of {attribute.name}"
    return Examples(ranked(subject.samples), ranked(subject.real.train), title, title)


def _values(images: ImageSet, attribute: Attribute, label: int, black: bool) -> Numbers:
    found = attributes_of(images, black)[attribute.name][images.of_class(label).numpy()]
    return found[np.isfinite(found)]


def _shown(compared: Sequence[AttributeComparison]) -> tuple[list[int], list[str], str]:
    """Selects the classes with the largest differences; returns labels, names and a sentence for the caption."""
    sizes: dict[int, float] = {}
    for each in compared:
        sizes[each.label] = max(sizes.get(each.label, 0.0), each.effect.difference.at_least)
    labels, note = most_telling(sizes, "with the largest differences")
    return labels, [compared[0].info.class_names[label] for label in labels], f" {note}" if note else ""


def _heat_map(compared: Sequence[AttributeComparison]) -> Picture:
    (labels, names, note), is_mean = _shown(compared), compared[0].is_mean
    shape = (len(labels), len(ATTRIBUTES))
    shifts, faint = np.full(shape, np.nan), np.ones(shape, dtype=bool)
    for each in (each for each in compared if each.label in labels):
        cell = labels.index(each.label), ATTRIBUTES.index(each.attribute)
        shifts[cell], faint[cell] = each.shift, not each.effect.beyond_floor
    name, statistic, compares = (
        ("means", "Mean", "minus") if is_mean else ("spreads", "Standard deviation", "relative to")
    )
    figure = heatmap_figure(
        shifts,
        short_names(names),
        [each.name for each in ATTRIBUTES],
        formats="+.1f" if is_mean else "+.0f",
        title=f"{statistic} of generated images {compares} that of real ones",
        label="standard deviations of the real images" if is_mean else "change of the standard deviation, %",
        colours=DIVERGING,
        scale=Normalize(-1, 1) if is_mean else Normalize(-50, 50),
        faint=faint,
    )
    caption = (
        f"{statistic} of the generated images {compares} that of the real training images of the class: vermilion "
        "where it is larger, blue where it is smaller. Pale: not beyond the difference between real test and training "
        f"images.{note}"
    )
    largest = max(compared, key=lambda each: each.effect.difference.at_least).effect.statement
    return Picture(name, figure, caption, f"Coloured table of classes and attributes. Largest: {largest}", lead=is_mean)


def _violins(compared: Sequence[AttributeComparison]) -> Picture:
    (labels, names, note), panels = _shown(compared), []
    for attribute in ATTRIBUTES:
        found = {each.label: each for each in compared if each.attribute == attribute}
        real = [found[label].train if label in found else () for label in labels]
        generated = [found[label].samples if label in found else () for label in labels]
        y_label = attribute.unit.strip() or attribute.mean.removeprefix("mean ")
        panels.append(Violins(attribute.name.capitalize(), y_label, real, generated))
    figure = violins_figure(panels, names)
    definitions = "; ".join(f"{name}: {definition}" for name, definition in DEFINITIONS.items())
    caption = (
        "The central 99 % of each class, with the median: real training images left in blue, generated ones right in "
        f"vermilion. Definitions: {definitions}.{note}"
    )
    return Picture("distributions", figure, caption, "For each attribute a pair of half violins for each class.")


def _by_brightness(subject: Subject, compared: Sequence[AttributeComparison], black: bool) -> Picture:
    grids, (labels, names, note) = [], _shown(compared)
    for title, images in (("Real, from dark to bright", subject.real.train), ("Generated", subject.samples)):
        brightness, rows = attributes_of(images, black)["brightness"], []
        for label in labels:
            members = images.of_class(label)
            ranks = (SHOWN * (len(members) - 1)).round().astype(int)
            rows.append(members[brightness[members.numpy()].argsort()[ranks]])
        grids.append((title, class_grid(image_rows(images, rows, len(SHOWN)), names)))
    caption = (
        "Seven images of each class, from the 1st to the 99th percentile of brightness in equal steps: real training "
        f"images at the left, generated ones at the right.{note}"
    )
    text = "Two grids of images, one class per row, ordered by brightness."
    return Picture("brightness", side_by_side(grids), caption, text)


def _table(compared: Sequence[AttributeComparison]) -> Table:
    is_mean, (labels, _, note) = compared[0].is_mean, _shown(compared)
    estimate, name, what = (mean_of, "means", "Mean") if is_mean else (spread_of, "spreads", "Standard deviation")
    columns = [Column("class", "class"), Column("attribute", "attribute"), Column("unit", "unit")]
    intervals = {"generated": "generated", "train": "real training", "test": "real test", "size": "effect size"}
    for key, title in intervals.items():
        columns += interval_columns(key, title)
    columns += [Column("floor", "effect size of test images", "number"), Column("p", "p-value", "number", 4)]
    columns += [Column("adjusted_p", "adjusted p-value", "number", 4), Column("beyond_floor", "beyond the floor")]
    adjusted = stats.false_discovery_control([each.effect.difference.p_value for each in compared], method="by")
    rows = []
    for each, p in ((each, p) for each, p in zip(compared, adjusted, strict=True) if each.label in labels):
        effect = each.effect
        numbers = [number for values in (each.samples, each.train, each.test) for number in estimate(values)]
        numbers += [effect.difference.size, *effect.difference.interval, effect.floor.size, effect.difference.p_value]
        known = (float(number) if np.isfinite(number) else None for number in numbers)
        words = (class_key(each.info, each.label), each.attribute.name, each.attribute.unit.strip())
        rows.append((*words, *known, float(p), "yes" if effect.beyond_floor else "no"))
    compared_here = "of all classes" if note else "in this table"
    caption = (
        f"{what} of each attribute by class. The effect size is in standard deviations of the real images"
        f"{'' if is_mean else ' (√2 ln of the ratio of the standard deviations)'}, which count as at least a pixel for "
        f"width and height. p-values are adjusted for the number of comparisons {compared_here}.{note}"
    )
    return Table(name, caption, columns, rows)
