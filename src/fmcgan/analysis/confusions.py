"""Confusions of a classifier on samples, compared with its confusions on real images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from fmcgan.analysis.base import EXAMPLES, Analysis, NotApplicable, Subject, class_key, class_noun, image_rows
from fmcgan.analysis.effect import Difference, Effect, Examples, Words, difference_of_shares, share_text
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import MOST_CLASSES
from fmcgan.figure.confusions import agreement_figure, difference_figure
from fmcgan.figure.grid import PAPER, class_grid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.gan_test import agreement_share, count_agreement
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.value import wilson_interval

SIGNIFICANT = 0.01  # p-value below which a difference is printed in bold
EXPLAINED = 0.5  # smallest share of a class's change in agreement that counts as explained by one pair of classes
FRACTIONS = {0.9: "nine tenths", 0.75: "three quarters", 2 / 3: "two thirds", 0.5: "half"}
FRACTIONS |= {1 / 3: "a third", 0.25: "a quarter", 0.2: "a fifth", 0.1: "a tenth"}
"""Words for ratios below 1."""
COLUMNS = (
    Column("asked", "conditioned class"),
    Column("read", "predicted class"),
    *interval_columns("share", "of the samples", "percent", 1),
    *interval_columns("real_share", "of real test images", "percent", 1),
    Column("ratio", "samples / real", "number", 2),
)
_MOST_ROWS = MOST_CLASSES**2  # of the table
_EASIER = "In this respect they are easier to classify than the data, as typical images are"
_MEANING = (
    "The classes are those that a classifier predicts, trained on the real training images; it errs on real images too."
)
_UNEXPLAINED = "No single class accounts for half of the difference"


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrices of samples and of real images."""

    info: DatasetInfo
    label: int  # conditioned class of the samples, label of the real images
    predicted: int  # class that the classifier predicts
    share: tuple[int, int]  # number of samples in the cell, and of the class (at least 1)
    real_share: tuple[int, int]  # the same of real test images
    floor: Difference  # difference between the first and the second half of the test images of the class

    @cached_property
    def difference(self) -> Difference:
        """Difference between the shares of samples and of real images."""
        return difference_of_shares(*self.share, *self.real_share)

    @property
    def gain(self) -> float:
        """The share of the samples minus that of the real images, in -1..1."""
        (count, n), (real_count, real_n) = self.share, self.real_share
        return count / n - real_count / real_n

    @property
    def ratio(self) -> float | None:
        """The share of the samples divided by that of the real images; ``None`` if that is 0."""
        (count, n), (real_count, real_n) = self.share, self.real_share
        return count * real_n / (real_count * n) if real_count else None

    @property
    def keys(self) -> tuple[str, str]:
        """Keys of the conditioned and of the predicted class."""
        return class_key(self.info, self.label), class_key(self.info, self.predicted)

    @property
    def nouns(self) -> tuple[str, str]:
        """Plural nouns of the conditioned and of the predicted class."""
        return class_noun(self.info, self.label), class_noun(self.info, self.predicted)

    @property
    def in_words(self) -> str:
        """Both shares with their intervals."""
        return f"{share_text(*self.share)} against {share_text(*self.real_share)}"


class Confusions(Analysis):
    """Separates errors of the generator from the similarity of the classes.

    GAN-test (Shmelkov et al. 2018) counts a sample that looks like another class as an error of the generator, although
    some real images of its class do too. Effects are therefore differences from real images: test images, because the
    classifier was trained on the training images. Their floor is the difference between the two halves of the test
    images of each class.

    Each pair of classes that occurs is an effect. The agreement of a class is an effect only if no pair explains at
    least half of its change.

    A figure shows at most ``images_per_strip`` samples of each of the ``strips`` largest confusions, and half as many
    real images.
    """

    def __init__(self, features: ClassifierFeatures, strips: int = 10, images_per_strip: int = 8) -> None:
        whole_number(maximum=MOST_SHOWN, strips=strips, images_per_strip=images_per_strip)
        self.features, self.strips, self.images_per_strip = features, strips, images_per_strip

    @override
    def analyse(self, subject: Subject) -> Section:
        samples, test, info = subject.samples, subject.real.test, subject.info
        first_half = torch.cat([each[: len(each) // 2] for each in map(test.of_class, info.labels)])
        logits = self.features.logits(test)
        counts = count_agreement(samples.labels, self.features.logits(samples))
        real_counts = count_agreement(test.labels, logits)
        cells = _cells(info, counts, real_counts, count_agreement(test.labels[first_half], logits[first_half]))
        if not cells:
            raise NotApplicable("confusions: samples and real test images have no class in common")
        pairs = [cell for cell in cells if cell.label != cell.predicted]
        pictures = [_agreement(counts, info), _difference(counts, real_counts, cells)]
        if shown := [pair for pair in pairs if pair.share[0]][: self.strips]:
            pictures.append(self._misclassified(samples, test, shown))
        return Section(
            "Confusions",
            _introduction(counts, real_counts),
            pictures,
            [_table(cells)],
            effects=[
                *(_effect_of_pair(pair, partial(self._examples, samples, test, pair)) for pair in pairs),
                *_effects_of_agreement(cells, partial(self._examples, samples, test)),
            ],
            values={
                "agreement": agreement_share(counts),
                "agreement_of_real_images": agreement_share(real_counts),
                "agreement_matrix": counts.tolist(),
                "agreement_matrix_of_real_images": real_counts.tolist(),
            },
        )

    def _misclassified(self, samples: ImageSet, test: ImageSet, cells: Sequence[Cell]) -> Picture:
        few = max(1, self.images_per_strip // 2)
        generated, real = (
            image_rows(images, [self._most_certain(images, cell) for cell in cells], columns)
            for images, columns in ((samples, self.images_per_strip), (test, few))
        )
        gap = np.full_like(real[:, :1], PAPER)
        tiles = np.concatenate([generated, gap, real], axis=1)
        known = samples.info.class_names
        names = [f"{known[cell.label]} classified as {known[cell.predicted]}" for cell in cells]
        return Picture(
            "misread",
            class_grid(tiles, names, "Misclassified samples (left), real images (right)"),
            f"The confusions whose shares differ most from those of real images: up to {self.images_per_strip} "
            f"samples of each, those of the highest confidence of the classifier first, and up to {few} real test "
            "images misclassified in the same way. Check whether the sample or the classifier is wrong.",
            f"Rows of generated images beside real ones: {', '.join(names)}.",
        )

    def _examples(self, samples: ImageSet, test: ImageSet, cell: Cell) -> Examples:
        """Selects generated and real images of a cell."""
        label, predicted = cell.nouns
        generated, real = (
            to_pixels(images.images[self._most_certain(images, cell)[:EXAMPLES]]) for images in (samples, test)
        )
        what = f"{label} classified as {predicted}"
        return Examples(generated, real, what, what)

    def _most_certain(self, images: ImageSet, cell: Cell) -> Tensor:
        """Returns indices of the images of a cell, the highest probability of the predicted class first."""
        logits = self.features.logits(images)
        inside = ((images.labels == cell.label) & (logits.argmax(dim=1) == cell.predicted)).nonzero().squeeze(1)
        probability = logits[inside].double().softmax(dim=1)[:, cell.predicted]
        return inside[probability.argsort(descending=True, stable=True)[: self.images_per_strip]]


def _cells(info: DatasetInfo, counts: Tensor, real_counts: Tensor, first_half: Tensor) -> list[Cell]:
    """Returns the non-empty cells of the classes in both matrices, the largest differences first.

    Args:
        info: of the images.
        counts: confusion matrix of the samples (`count_agreement`).
        real_counts: of the test images.
        first_half: of the first half of the test images of each class.
    """
    cells = []
    for label, predicted in (counts + real_counts).nonzero().tolist():
        share, real_share, *halves = (
            (int(each[label, predicted]), int(each[label].sum()))
            for each in (counts, real_counts, first_half, real_counts - first_half)
        )
        if share[1] and real_share[1]:
            floor = difference_of_shares(*halves[0], *halves[1])
            cells.append(Cell(info, label, predicted, share, real_share, floor))
    return sorted(cells, key=lambda cell: (cell.difference.at_least, abs(cell.difference.size)), reverse=True)


def _effect_of_pair(cell: Cell, examples: Callable[[], Examples]) -> Effect:
    """Makes the effect of a class that is classified as another one more or less often than in real images."""
    label, predicted = cell.nouns
    if not cell.share[0]:
        statement = f"Generated {label} are never classified as {predicted}; real ones are ({cell.in_words})"
    elif cell.ratio is None:
        statement = f"Generated {label} are classified as {predicted}; real ones never are ({cell.in_words})"
    else:
        how_often = f"{ratio_in_words(cell.ratio)} as real ones ({cell.in_words})"
        statement = f"Generated {label} are classified as {predicted} {how_often}"
    if cell.gain < 0:
        statement += f". {_EASIER}"
    words = Words(label, f"are classified as {predicted} more often than real ones", cell.in_words)
    if cell.gain < 0:
        numbers = f"as {predicted} {cell.in_words}"
        words = Words(label, "are classified as another class less often than real ones", numbers)
    return Effect(
        "/".join(("confusions", *cell.keys)),
        f"{statement}.",
        cell.difference,
        cell.floor,
        (cell.label, cell.predicted),
        "misread" if cell.share[0] else "difference",
        _MEANING,
        words,
        examples,
        cell.predicted,
    )


def _effects_of_agreement(cells: Sequence[Cell], examples: Callable[[Cell], Examples]) -> list[Effect]:
    """Makes the effects of classes classified correctly more or less often, if no pair of classes explains it."""
    found = []
    for cell in (each for each in cells if each.label == each.predicted):
        others = [each.gain for each in cells if each.label == cell.label != each.predicted]
        # A loss of the class itself is a gain of other classes: gains of pairs have the opposite sign.
        explained = max((math.copysign(1, -cell.gain) * gain for gain in others), default=0.0)
        if explained < EXPLAINED * abs(cell.gain):
            name = cell.nouns[0]
            way, why = ("more", _EASIER) if cell.gain > 0 else ("less", _UNEXPLAINED)
            compared = f"{way} often than real ones ({cell.in_words})"
            statement = f"Generated {name} are classified as {name} {compared}. {why}."
            key = f"confusions/{cell.keys[0]}/agreement"
            words = Words(name, f"are classified as their class {way} often than real ones", cell.in_words)
            about = _MEANING, words, partial(examples, cell)
            found.append(Effect(key, statement, cell.difference, cell.floor, (cell.label,), "difference", *about))
    return found


def ratio_in_words(ratio: float) -> str:
    """Puts a ratio above 0 into words: ``2.1 times as often``, ``about half as often``."""
    if 0.95 < ratio < 1.05:
        return "as often"
    if ratio >= 1.05:
        return f"{ratio:.{1 if ratio < 9.95 else 0}f} times as often"
    if ratio < 0.09:
        return "less than a tenth as often"
    nearest = min(FRACTIONS, key=lambda fraction: abs(math.log(ratio / fraction)))
    return f"about {FRACTIONS[nearest]} as often"


def _introduction(counts: Tensor, real_counts: Tensor) -> str:
    (agreed, n), (real_agreed, real_n) = ((int(each.trace()), int(each.sum())) for each in (counts, real_counts))
    return (
        f"A classifier trained on the real training images classifies {share_text(agreed, n)} of {n:,} samples as "
        f"their conditioned class, and {share_text(real_agreed, real_n)} of {real_n:,} real test images as their "
        "class. Some classes look alike, so it confuses real images too: only the difference is due to the generator. "
        "Fewer confusions than among real images are no advantage: typical images are easier to classify than the data."
    )


def _agreement(counts: Tensor, info: DatasetInfo) -> Picture:
    title = "Samples: predicted class by conditioned class"
    figure = agreement_figure(counts.numpy(), title, names=info.class_names)
    caption = (
        "Percentage of the samples of each conditioned class (row) that is classified as each class (column). Cells "
        "off the framed diagonal are errors, of the generator or of the classifier."
    )
    text = "Table of percentages: conditioned class by predicted class."
    return Picture("agreement", figure, caption, text)


def _difference(counts: Tensor, real_counts: Tensor, cells: Sequence[Cell]) -> Picture:
    significant = np.zeros(counts.shape, dtype=bool)
    for cell in cells:
        significant[cell.label, cell.predicted] = cell.difference.p_value < SIGNIFICANT
    names = cells[0].info.class_names
    figure = difference_figure(counts.numpy(), real_counts.numpy(), significant, names=names)
    caption = (
        "Percentage of the samples of a class (row) classified as a class (column), minus that of real test images. "
        "Off the diagonal, vermilion marks confusions that are more frequent among samples than among the data, and "
        "blue those that are less frequent. "
        f"Bold: p < {SIGNIFICANT:g}; pale: not significant."
    )
    text = "Table of differences between samples and real test images, in percentage points."
    return Picture("difference", figure, caption, text, lead=True)


def _table(cells: Sequence[Cell]) -> Table:
    rows: list[list[object]] = []
    for cell in cells[:_MOST_ROWS]:
        row: list[object] = list(cell.keys)
        for count, n in (cell.share, cell.real_share):
            row += [count / n, *wilson_interval(count, n)]
        rows.append([*row, cell.ratio])
    caption = (
        "All pairs of conditioned class and predicted class that occur: shares of the conditioned class with 95 % "
        "intervals, the largest difference first."
    )
    if len(cells) > _MOST_ROWS:
        caption += f" The first {_MOST_ROWS} of {len(cells):,} are shown."
    return Table("confusions", caption, COLUMNS, rows)
