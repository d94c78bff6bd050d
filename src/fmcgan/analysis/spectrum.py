"""Power spectra: fine detail and coarse structure of generated and of real images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray
from scipy import stats
from typing_extensions import override

from fmcgan.analysis.attributes import Estimate, Numbers
from fmcgan.analysis.base import (
    Analysis,
    NotApplicable,
    Subject,
    class_key,
    class_noun,
    common_classes,
    evenly_ranked,
)
from fmcgan.analysis.effect import Effect, Examples, Words, Z, difference_of_means
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app import checks
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.images import to_pixels
from fmcgan.data.info import LARGEST, DatasetInfo
from fmcgan.figure.classes import most_telling, short_names
from fmcgan.figure.curves import Panel, Series, curves_figure
from fmcgan.figure.heatmap import DIVERGING, heatmap_figure
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.spectrum import Spectrum, decibels

X_LABEL = "cycles per image"


class Levels(NamedTuple):
    """Power of each image at each spatial frequency, in decibels."""

    absolute: Numbers  # [N, R], of the radii 0..R - 1
    relative: Numbers  # to the mean of the real training images of the same class, [N, R]
    labels: NDArray[np.int64]
    images: ImageSet
    rows: NDArray[np.int64]  # index of each image in ``images``, [N]

    @property
    def info(self) -> DatasetInfo:
        """Classes and shape of the images."""
        return self.images.info

    def band(self, band: "Band", label: int | None) -> Numbers:
        """Averages the relative power in a band, for each image of one class or of all: [N]."""
        rings = self.relative[:, band.lowest : band.highest + 1].mean(axis=1)
        return rings if label is None else rings[self.labels == label]

    def ranked(self, band: "Band", label: int | None) -> NDArray[np.uint8]:
        """Returns images of one class, or of all, at evenly spaced quantiles of the power in a band."""
        members = self.rows if label is None else self.rows[self.labels == label]
        return to_pixels(self.images.images[members[evenly_ranked(self.band(band, label))]])


class Band(NamedTuple):
    """A frequency band: name in sentences, lowest and highest radius in cycles per image."""

    name: str
    lowest: int
    highest: int

    @property
    def key(self) -> str:
        """Name in keys and columns, such as ``fine_detail``."""
        return self.name.replace(" ", "_")

    @property
    def words(self) -> str:
        """Name and range, such as ``fine detail (10 to 14 cycles per image)``."""
        return f"{self.name} ({self.lowest} to {self.highest} cycles per image)"

    @property
    def meaning(self) -> str:
        """What more or less power in the band means, with the unit."""
        return (
            f"{self.name.capitalize()}: the power of patterns that repeat {self.lowest} to {self.highest} times across "
            "the image, relative to real images of the class; 3 dB are a factor of two. Blur and darkness remove "
            "power, noise and brightness add it."
        )


class SpectrumAnalysis(Analysis):
    """Compares the radial power of `fmcgan.metric.spectrum.radial_power` image by image, in decibels.

    Decibels are averaged, so that bright images do not dominate; the metric `fmcgan.metric.spectrum.Spectrum` averages
    power. Each image is compared with the mean of the real training images of its class, so that class proportions do
    not matter and standard deviations are within classes.

    Coarse structure has 1 to ``coarse_to`` cycles per image (0 is the mean of the image), fine detail ``fine_from`` to
    the highest frequency of the images, half their size; ``None``: 2/7 and 5/7 of that. Classes with fewer than
    ``samples_a_class`` (at least 3) samples or real images are left out.
    """

    def __init__(self, coarse_to: int | None = None, fine_from: int | None = None, samples_a_class: int = 10) -> None:
        for name, value in {"coarse_to": coarse_to, "fine_from": fine_from}.items():
            if value is not None:
                checks.whole_number(maximum=LARGEST // 2, **{name: value})
        if coarse_to is not None and fine_from is not None and coarse_to >= fine_from:
            raise InvalidValueError(f"fine_from must be more than coarse_to = {coarse_to}, got {fine_from}")
        checks.whole_number(minimum=3, samples_a_class=samples_a_class)
        self.coarse_to, self.fine_from, self.samples_a_class = coarse_to, fine_from, samples_a_class

    @override
    def analyse(self, subject: Subject) -> Section:
        bands = self.bands(subject.info)
        sets = subject.samples, subject.real.train, subject.real.test
        classes = common_classes(*sets, least=self.samples_a_class)
        if not classes:
            least = f"at least {self.samples_a_class} samples and real images of one class"
            raise NotApplicable(f"the comparison of power spectra needs {least}: generate more")
        measured = _measured(sets, classes)
        n, n_train, n_test = (len(levels.labels) for levels in measured)
        return Section(
            "Spectrum (fine detail and coarse structure)",
            f"The power of {n:,} generated images at each spatial frequency is compared with that of {n_train:,} "
            f"real training images of the same class. The floor is the same difference for {n_test:,} real test "
            "images. Blur removes power at fine frequencies; noise and upsampling artefacts add power; darker "
            "images have less power at all frequencies. Three decibels are a factor of two in power. Spectra do "
            "not depend on positions within the image.",
            [_curves(*measured), _heat_map(measured, classes)],
            [_bands_table(bands, measured, classes)],
            effects=[
                _effect(band, label, measured)
                for band in bands
                for label in (None, *classes)[len(classes) == 1 :]  # a single class equals all classes
            ],
        )

    def bands(self, info: DatasetInfo) -> tuple[Band, Band]:
        """Returns the bands of fine detail and of coarse structure in images of a data set.

        Raises:
            NotApplicable: the parameters leave one of them empty.
        """
        highest = info.size // 2
        coarse_to = round(2 / 7 * highest) if self.coarse_to is None else self.coarse_to
        fine_from = round(5 / 7 * highest) if self.fine_from is None else self.fine_from
        if not coarse_to < fine_from <= highest:
            allowed = f"more than coarse_to = {coarse_to} and at most {highest} for images of {info.size} pixels"
            raise NotApplicable(f"fine_from must be {allowed}, got {fine_from}")
        return Band("fine detail", fine_from, highest), Band("coarse structure", 1, coarse_to)


def _measured(sets: Sequence[ImageSet], classes: Sequence[int]) -> list[Levels]:
    """Measures the images of some classes in samples, training and test images."""
    found = []
    for images in sets:
        chosen = np.flatnonzero(np.isin(images.labels.numpy(), classes))
        found.append((_decibels(images)[chosen], images.labels.numpy()[chosen], images, chosen))
    levels, labels, *_ = found[1]
    centre = np.zeros((sets[0].info.num_classes, levels.shape[1]))
    for label in classes:
        centre[label] = levels[labels == label].mean(axis=0)
    return [Levels(each, each - centre[of], of, images, rows) for each, of, images, rows in found]


def _decibels(images: ImageSet) -> Numbers:
    # Those of the metric, so that both share the stored spectra of real images.
    return decibels(Spectrum()._power(images)).numpy()


def _difference(values: Numbers, real: Numbers) -> Estimate:
    """Estimates the difference of two means, with a normal 95 % interval."""
    difference = float(values.mean() - real.mean())
    half = Z * float(np.hypot(stats.sem(values), stats.sem(real)))
    return Estimate(difference, difference - half, difference + half)


def _effect(band: Band, label: int | None, measured: Sequence[Levels]) -> Effect:
    values, real, new = (levels.band(band, label) for levels in measured)
    found = _difference(values, real)
    amount = Estimate(*found) if found.value > 0 else Estimate(-found.value, -found.high, -found.low)
    how = "more" if found.value > 0 else "less"
    info = measured[0].info
    numbers = amount.in_words(1 if amount.value >= 1 else 2).replace(" [", " dB [")
    noun, shared = class_noun(info, label), f"have {how} {band.words} than real ones"

    def examples() -> Examples:
        title = f"{noun}, from the 5th to the 95th percentile of {band.name}"
        return Examples(measured[0].ranked(band, label), measured[1].ranked(band, label), title, title)

    return Effect(
        key=f"spectrum/{class_key(info, label)}/{band.key}",
        statement=f"Generated {noun} have {numbers} {how} {band.words} than real ones.",
        difference=difference_of_means(values, real),
        floor=difference_of_means(new, real),
        classes=() if label is None else (label,),
        figure="spectra" if label is None else "classes",
        meaning=band.meaning,
        words=Words(noun, shared, f"{numbers} {how}"),
        examples=examples,
    )


def _curves(samples: Levels, train: Levels, test: Levels) -> Picture:
    generated = samples.absolute.mean(axis=0)
    radius = np.arange(len(generated))
    expected = generated - samples.relative.mean(axis=0)  # of the training images, with as many of each class
    upper = [Series("real (training)", radius, expected), Series("generated", radius, generated)]
    lower = []
    for label, levels in (("generated", samples), ("real (test)", test)):
        pairs = zip(levels.relative.T, train.relative.T, strict=True)
        value, low, high = np.array([_difference(ours, theirs) for ours, theirs in pairs]).T
        lower.append(Series(label, radius, value, band=(low, high)))
    panels = [
        Panel("Power of each spatial frequency", "mean power, dB", upper, X_LABEL),
        Panel("Difference from real training images", "dB", lower, X_LABEL, references={"no difference": 0.0}),
    ]
    caption = (
        "Mean power of generated images and of real training images at each spatial frequency, in decibels. "
        "Beside it: difference of generated images and of real test images from the training images, with 95 % "
        "intervals; that of the test images is due to chance."
    )
    alternative = "Curves of power over spatial frequency, generated and real, and their differences below."
    return Picture("spectra", curves_figure(panels), caption, alternative)


def _shown(measured: Sequence[Levels], classes: Sequence[int]) -> tuple[list[int], str]:
    """Selects the classes with the largest mean difference over all frequencies; see `most_telling`."""
    sizes = {}
    for label in classes:
        generated, real = (each.relative[each.labels == label].mean(axis=0) for each in measured[:2])
        sizes[label] = float(np.abs(generated - real).mean())
    return most_telling(sizes, "with the largest differences")


def _heat_map(measured: Sequence[Levels], classes: Sequence[int]) -> Picture:
    shown, note = _shown(measured, classes)
    names, radii = [measured[0].info.class_names[label] for label in shown], measured[0].relative.shape[1]
    values, faint = np.empty((len(shown), radii)), np.empty((len(shown), radii), dtype=bool)
    for row, label in enumerate(shown):
        of_class = [each.relative[each.labels == label] for each in measured]
        for ring in range(radii):
            generated, real, new = (each[:, ring] for each in of_class)
            found, floor = _difference(generated, real), _difference(new, real)
            values[row, ring] = found.value
            faint[row, ring] = max(found.low, -found.high, 0.0) <= max(abs(floor.low), abs(floor.high))
    limit = max(1.0, float(np.percentile(np.abs(values), 95)))
    figure = heatmap_figure(
        values,
        short_names(names),
        [str(ring) for ring in range(radii)],
        formats=_few_letters,
        title="Power of generated images minus that of real ones",
        label="dB",
        names=("", X_LABEL),
        colours=DIVERGING,
        scale=Normalize(-limit, limit),
        faint=faint,
    )
    caption = (
        "Mean power of generated images minus that of real training images of the class, in decibels, from coarse "
        "(left) to fine (right): vermilion where generated images have more, blue where they have less. Pale: not "
        f"beyond the difference between real test and training images. {note}"
    ).rstrip()
    return Picture("classes", figure, caption, "Coloured table of classes and spatial frequencies.")


def _bands_table(bands: Sequence[Band], measured: Sequence[Levels], classes: Sequence[int]) -> Table:
    columns = [Column("class", "class"), Column("samples", "samples", "whole")]
    for band in bands:
        columns += interval_columns(f"{band.key}_db", f"{band.words}, dB", ends=f"{band.key}_")
        columns.append(Column(f"{band.key}_floor_db", "real test images, dB", "number"))
    rows, (shown, note) = [], _shown(measured, classes)
    for label in (None, *shown):
        row = [class_key(measured[0].info, label), len(measured[0].band(bands[0], label))]
        for band in bands:
            generated, real, new = (levels.band(band, label) for levels in measured)
            row += [*_difference(generated, real), _difference(new, real).value]
        rows.append(row)
    caption = "Mean power of generated images minus that of real training images of the same class, in decibels."
    return Table("bands", f"{caption} {note}".rstrip(), columns, rows, open=True)


def _few_letters(value: float) -> str:
    """Formats a difference in few letters: ``+.4``, ``-1.3`` or ``+12``."""
    text = f"{value:+.1f}"
    return f"{value:+.0f}" if len(text) > len("+1.3") else text.replace("+0.", "+.").replace("-0.", "-.")
