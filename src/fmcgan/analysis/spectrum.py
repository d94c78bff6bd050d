"""Whether generated images hold as much fine detail and as much coarse structure as real ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fmcgan.analysis.attributes import Estimate, Numbers
from fmcgan.analysis.base import Analysis, NotApplicable, Subject, classes_of
from fmcgan.analysis.effect import LEVEL, Effect, difference_of_means
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app import checks
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, plural
from fmcgan.figure.curves import Panel, Series, curves_figure
from fmcgan.figure.violins import heat_map
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.spectrum import RADII, Spectrum, decibels, radial_power

X_LABEL = "cycles an image"

_Z = float(stats.norm.ppf((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Levels:
    """How much of each spatial frequency each image of a set holds.

    Args:
        absolute: in decibels, float64 [N, 15].
        relative: to the mean of the real training images of the same class, in decibels, float64 [N, 15].
        labels: int64 [N].
    """

    absolute: Numbers
    relative: Numbers
    labels: np.ndarray

    def band(self, band: "Band", label: int | None) -> Numbers:
        """Mean over the rings of a band for each image, of one class or of all: [N]."""
        rings = self.relative[:, band.lowest : band.highest + 1].mean(axis=1)
        return rings if label is None else rings[self.labels == label]


@dataclass(frozen=True)
class Band:
    """Neighbouring rings: its name in a key and in a sentence, the lowest and the highest radius."""

    key: str
    name: str
    lowest: int
    highest: int

    @property
    def words(self) -> str:
        """``fine detail (10 to 14 cycles an image)``."""
        return f"{self.name} ({self.lowest} to {self.highest} cycles an image)"


class SpectrumAnalysis(Analysis):
    """Compares the radial power of `fmcgan.metric.spectrum.radial_power` image by image, in decibels.

    An image counts by the logarithm of its power, so that bright images do not decide alone, unlike in the score
    `fmcgan.metric.spectrum.Spectrum`, which takes the mean power of a set. Each image is compared with the mean of the
    real training images of its own class: how many samples each class has does not matter, and of several classes the
    standard deviation is the one within a class.

    Args:
        coarse_to: coarse structure is what has 1 to so many cycles an image; the mean of the image, at 0, is no part.
        fine_from: fine detail is what has so many to 14, more than ``coarse_to``.
        samples_a_class: at least 3; a class with fewer samples, or fewer real images, is left out.
    """

    def __init__(self, coarse_to: int = 4, fine_from: int = 10, samples_a_class: int = 10) -> None:
        checks.whole_number(coarse_to=coarse_to, fine_from=fine_from)
        checks.whole_number(minimum=3, samples_a_class=samples_a_class)
        if not coarse_to < fine_from < RADII:
            allowed = f"more than coarse_to = {coarse_to} and at most {RADII - 1}"
            raise InvalidValueError(f"fine_from must be {allowed}, got {fine_from}")
        self.bands = (
            Band("fine_detail", "fine detail", fine_from, RADII - 1),
            Band("coarse_structure", "coarse structure", 1, coarse_to),
        )
        self.samples_a_class = samples_a_class

    def analyse(self, subject: Subject) -> Section:
        """Measures all images and compares the sets."""
        sets = (subject.samples, subject.real.train, subject.real.test)
        classes = sorted(set.intersection(*(set(classes_of(images, self.samples_a_class)) for images in sets)))
        if not classes:
            least = f"at least {self.samples_a_class} samples and real images of one class"
            raise NotApplicable(f"the comparison of power spectra needs {least}: generate more")
        samples, train, test = _measured(sets, classes)
        return Section(
            title="Fine detail and coarse structure",
            introduction=(
                f"The power of each spatial frequency in each of {len(samples.labels):,} generated images, compared "
                f"with {len(train.labels):,} real training images of the same class; what {len(test.labels):,} real "
                "test images differ from the same is the floor. Blur takes power from the fine frequencies, noise and "
                "the traces of upsampling add some; an image that is darker holds less of all. Three decibels are a "
                "factor of two in power; where in the image a frequency stands is not seen."
            ),
            pictures=[_curves(samples, train, test), _heat_map(samples, train, test, classes)],
            tables=[_bands_table(self.bands, samples, train, test, classes)],
            effects=[
                _effect(band, label, samples, train, test)
                for band in self.bands
                for label in (None, *classes)[len(classes) == 1 :]  # of one class nothing is told twice
            ],
        )


def _measured(sets: Sequence[ImageSet], classes: Sequence[int]) -> list[Levels]:
    """Levels of the images of some classes of samples, training and test images."""
    found = []
    for images in sets:
        kept = np.isin(images.labels.numpy(), classes)
        found.append((_decibels(images)[kept], images.labels.numpy()[kept]))
    levels, labels = found[1]
    centre = np.zeros((NUM_CLASSES, RADII))
    for label in classes:
        centre[label] = levels[labels == label].mean(axis=0)
    return [Levels(each, each - centre[of], of) for each, of in found]


def _decibels(images: ImageSet) -> Numbers:
    # The protocol of the score, so that what it keeps of real images is found here, and the other way round.
    power = images.derived(Spectrum().protocol, lambda: {"power": radial_power(images.images)})["power"]
    return decibels(power).numpy()


def _difference(values: Numbers, real: Numbers) -> Estimate:
    """Of two means, with its interval by the normal approximation."""
    difference = float(values.mean() - real.mean())
    half = _Z * float(np.hypot(stats.sem(values), stats.sem(real)))
    return Estimate(difference, difference - half, difference + half)


def _effect(band: Band, label: int | None, samples: Levels, train: Levels, test: Levels) -> Effect:
    values, real, new = (levels.band(band, label) for levels in (samples, train, test))
    found = _difference(values, real)
    amount = Estimate(*found) if found.value > 0 else Estimate(-found.value, -found.high, -found.low)
    who = "images" if label is None else plural(label)
    how = "more" if found.value > 0 else "less"
    numbers = amount.in_words(1 if amount.value >= 1 else 2).replace(" [", " dB [")
    return Effect(
        key=f"spectrum/{'all' if label is None else CLASS_NAMES[label]}/{band.key}",
        statement=f"Generated {who} hold {numbers} {how} {band.words} than real ones.",
        difference=difference_of_means(values, real),
        floor=difference_of_means(new, real),
        classes=() if label is None else (label,),
        figure="spectra" if label is None else "classes",
    )


def _rings(levels: Levels, train: Levels) -> list[Estimate]:
    """Difference from the training images at each radius, 15 of them."""
    return [_difference(levels.relative[:, ring], train.relative[:, ring]) for ring in range(RADII)]


def _curves(samples: Levels, train: Levels, test: Levels) -> Picture:
    radius = np.arange(RADII)
    generated = samples.absolute.mean(axis=0)
    expected = generated - samples.relative.mean(axis=0)  # of the training images, with as many of each class
    upper = [Series("real (training)", radius, expected), Series("generated", radius, generated)]
    lower = []
    for label, levels in (("generated", samples), ("real (test)", test)):
        value, low, high = np.array(_rings(levels, train)).T
        lower.append(Series(label, radius, value, band=(low, high)))
    panels = [
        Panel("Power of each spatial frequency", "mean power, dB", upper, X_LABEL),
        Panel("Difference from real training images", "dB", lower, X_LABEL, references={"no difference": 0.0}),
    ]
    caption = (
        "Above, mean power of the generated images and of real training images at each spatial frequency, in decibels; "
        "below, how far generated and real test images are from the training images, with 95 % intervals: the test "
        "images show what chance gives."
    )
    alternative = "Curves of power over spatial frequency, generated and real, and their differences below."
    return Picture("spectra", curves_figure(panels, columns=1), caption, alternative, vector=True)


def _heat_map(samples: Levels, train: Levels, test: Levels, classes: Sequence[int]) -> Picture:
    values, faint = np.empty((len(classes), RADII)), np.empty((len(classes), RADII), dtype=bool)
    for row, label in enumerate(classes):
        of_class = [each.relative[each.labels == label] for each in (samples, train, test)]
        for ring in range(RADII):
            generated, real, new = (each[:, ring] for each in of_class)
            found, floor = _difference(generated, real), _difference(new, real)
            values[row, ring] = found.value
            faint[row, ring] = max(found.low, -found.high, 0.0) <= max(abs(floor.low), abs(floor.high))
    figure = heat_map(
        values,
        row_names=[CLASS_NAMES[label] for label in classes],
        column_names=[str(ring) for ring in range(RADII)],
        title="Power of generated images less that of real ones, by spatial frequency (cycles an image)",
        legend="dB",
        limit=max(1.0, float(np.percentile(np.abs(values), 95))),
        faint=faint,
        form="{:+.1f}",
    )
    caption = (
        "Mean power of generated images less that of real training images of the class, in decibels, coarse at the "
        "left and fine at the right: red where generated images hold more, blue where they hold less. Pale: not surely "
        "more than real test images differ from the same training images."
    )
    return Picture("classes", figure, caption, "Coloured table of classes and spatial frequencies.")


def _bands_table(bands: Sequence[Band], samples: Levels, train: Levels, test: Levels, classes: Sequence[int]) -> Table:
    columns = [Column("class", "class"), Column("samples", "samples", "whole")]
    for band in bands:
        columns.append(Column(f"{band.key}_db", f"{band.words}, dB", "number"))
        columns += [Column(f"{band.key}_{end}", word, "number") for end, word in (("low", "95 % from"), ("high", "to"))]
        columns.append(Column(f"{band.key}_floor_db", "real test images, dB", "number"))
    rows = []
    for label in (None, *classes):
        row = ["all" if label is None else CLASS_NAMES[label], len(samples.band(bands[0], label))]
        for band in bands:
            generated, real, new = (levels.band(band, label) for levels in (samples, train, test))
            row += [*_difference(generated, real), _difference(new, real).value]
        rows.append(row)
    caption = (
        "Power of generated images less that of real training images of the same class, mean over images, in decibels."
    )
    return Table("bands", caption, columns, rows, open=True)
