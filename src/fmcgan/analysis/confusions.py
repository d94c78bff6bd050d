"""Confusions of a classifier on samples, compared with its confusions on real images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject, image_rows
from fmcgan.analysis.effect import Difference, Effect, difference_of_shares, share_text
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, plural
from fmcgan.figure.confusions import agreement_figure, difference_figure
from fmcgan.figure.grid import PAPER, class_grid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.gan_test import agreement_share, count_agreement
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.value import wilson_interval

SIGNIFICANT = 0.01
"""p-value below which a difference is printed in bold."""
EXPLAINED = 0.5
"""Smallest share of a class's change in agreement that counts as explained by one pair of classes."""
FRACTIONS = {
    9 / 10: "nine tenths",
    3 / 4: "three quarters",
    2 / 3: "two thirds",
    1 / 2: "half",
    1 / 3: "a third",
    1 / 4: "a quarter",
    1 / 5: "a fifth",
    1 / 10: "a tenth",
}
"""Words for ratios below 1."""
COLUMNS = (
    Column("asked", "class asked for"),
    Column("read", "class read"),
    Column("share", "of the samples", "percent", 1),
    Column("share_low", "95 % from", "percent", 1),
    Column("share_high", "to", "percent", 1),
    Column("real_share", "of real test images", "percent", 1),
    Column("real_share_low", "95 % from", "percent", 1),
    Column("real_share_high", "to", "percent", 1),
    Column("ratio", "samples / real", "number", 2),
)


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrices of samples and of real images.

    Args:
        asked: the class asked for, or the label of a real image.
        read: the class that the classifier reads.
        count: samples in the cell.
        n: samples of the class asked for, at least 1.
        real_count: real test images in the cell.
        real_n: real test images of the class, at least 1.
        floor: difference between the first and the second half of the test images of the class.
    """

    asked: int
    read: int
    count: int
    n: int
    real_count: int
    real_n: int
    floor: Difference

    @cached_property
    def difference(self) -> Difference:
        """Difference between the shares of samples and of real images."""
        return difference_of_shares(self.count, self.n, self.real_count, self.real_n)

    @property
    def gain(self) -> float:
        """The share of the samples minus that of the real images, in -1..1."""
        return self.count / self.n - self.real_count / self.real_n

    @property
    def ratio(self) -> float | None:
        """The share of the samples divided by that of the real images; ``None`` without real images."""
        return self.count * self.real_n / (self.real_count * self.n) if self.real_count else None

    @property
    def shares(self) -> str:
        """Both shares with their intervals."""
        return f"{share_text(self.count, self.n)} against {share_text(self.real_count, self.real_n)}"


class Confusions(Analysis):
    """Separates errors of the generator from the similarity of the classes.

    GAN-test (Shmelkov et al. 2018) counts a shirt that looks like a t-shirt as an error of the generator, although some
    real shirts do too. Effects are therefore differences from real test images; the classifier was trained on the
    training images. Their floor is the difference between the two halves of the test images of each class.

    Each pair of classes that occurs is an effect. The agreement of a class is an effect only if no pair explains at
    least half of its change.

    Args:
        features: the classifier.
        strips: number of confusions whose samples are shown.
        images_per_strip: maximum number of samples of each, and half as many real images.
    """

    def __init__(self, features: ClassifierFeatures, strips: int = 10, images_per_strip: int = 8) -> None:
        whole_number(maximum=MOST_SHOWN, strips=strips, images_per_strip=images_per_strip)
        self.features = features
        self.strips = strips
        self.images_per_strip = images_per_strip

    @override
    def analyse(self, subject: Subject) -> Section:
        samples, test = subject.samples, subject.real.test
        counts, real_counts = (count_agreement(each.labels, self.features.logits(each)) for each in (samples, test))
        cells = cells_of(counts, real_counts, halves_of(test.labels, self.features.logits(test)))
        if not cells:
            raise NotApplicable("confusions: samples and real test images have no class in common")
        pairs = [cell for cell in cells if cell.asked != cell.read]
        pictures = [_agreement(counts), _difference(counts, real_counts, cells)]
        if misread := [pair for pair in pairs if pair.count][: self.strips]:
            pictures.append(self._misread(samples, test, misread))
        return Section(
            title="Confusions",
            introduction=_introduction(counts, real_counts),
            pictures=pictures,
            tables=[_table(cells)],
            effects=[effect_of_pair(pair) for pair in pairs] + effects_of_agreement(cells),
            values={
                "agreement": agreement_share(counts),
                "agreement_of_real_images": agreement_share(real_counts),
                "agreement_matrix": counts.tolist(),
                "agreement_matrix_of_real_images": real_counts.tolist(),
            },
        )

    def _misread(self, samples: ImageSet, test: ImageSet, cells: Sequence[Cell]) -> Picture:
        few = max(1, self.images_per_strip // 2)
        generated, real = (
            image_rows(images, [self._most_certain(images, cell) for cell in cells], columns)
            for images, columns in ((samples, self.images_per_strip), (test, few))
        )
        gap = np.full((len(cells), 1, 28, 28), PAPER, dtype=np.uint8)
        names = [f"{CLASS_NAMES[cell.asked]} read as {CLASS_NAMES[cell.read]}" for cell in cells]
        return Picture(
            "misread",
            class_grid(
                np.concatenate([generated, gap, real], axis=1), names, "Misread samples (left), real images (right)"
            ),
            "The confusions whose shares differ most from those of real images: "
            f"up to {self.images_per_strip} samples of each, those of the highest confidence of the classifier first, "
            f"and up to {few} real test images misread in the same way. Check whether the sample or the "
            "classifier is wrong.",
            f"Rows of generated images beside real ones: {', '.join(names)}.",
        )

    def _most_certain(self, images: ImageSet, cell: Cell) -> Tensor:
        """Returns indices of the images of a cell, the highest probability of the class read first."""
        logits = self.features.logits(images)
        inside = ((images.labels == cell.asked) & (logits.argmax(dim=1) == cell.read)).nonzero().squeeze(1)
        probability = logits[inside].double().softmax(dim=1)[:, cell.read]
        return inside[probability.argsort(descending=True, stable=True)[: self.images_per_strip]]


def cells_of(counts: Tensor, real_counts: Tensor, halves: tuple[Tensor, Tensor]) -> list[Cell]:
    """Returns the non-empty cells of the classes in both matrices, the largest differences first.

    Args:
        counts: confusion matrix of the samples, int64 [10, 10] (`count_agreement`).
        real_counts: of the test images, int64 [10, 10].
        halves: of the two halves of the test images, int64 [10, 10] each.
    """
    totals, real_totals, *half_totals = (table.sum(dim=1).tolist() for table in (counts, real_counts, *halves))
    filled = (
        (counts + real_counts > 0) & (counts.sum(dim=1, keepdim=True) > 0) & (real_counts.sum(dim=1, keepdim=True) > 0)
    )
    cells = []
    for asked, read in filled.nonzero().tolist():
        first, second = (
            (int(half[asked, read]), total[asked]) for half, total in zip(halves, half_totals, strict=True)
        )
        count, real_count = int(counts[asked, read]), int(real_counts[asked, read])
        floor = difference_of_shares(*first, *second)
        cells.append(Cell(asked, read, count, totals[asked], real_count, real_totals[asked], floor))
    return sorted(cells, key=lambda cell: (cell.difference.at_least, abs(cell.difference.size)), reverse=True)


def halves_of(labels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Computes confusion matrices of the first and of the second half of each class, int64 [10, 10] each.

    Args:
        labels: int64 [N].
        logits: of the classifier, [N, 10].
    """
    members = [(labels == label).nonzero().squeeze(1) for label in range(NUM_CLASSES)]
    first = torch.cat([each[: len(each) // 2] for each in members])
    second = torch.cat([each[len(each) // 2 :] for each in members])
    return count_agreement(labels[first], logits[first]), count_agreement(labels[second], logits[second])


def effect_of_pair(cell: Cell) -> Effect:
    """Makes the effect of a class that is read as another one more or less often than in real images."""
    asked, read = plural(cell.asked), plural(cell.read)
    if not cell.count:
        statement = f"Generated {asked} are never read as {read}; real ones are ({cell.shares})"
    elif not cell.real_count:
        statement = f"Generated {asked} are read as {read}; real ones never are ({cell.shares})"
    else:
        statement = (
            f"Generated {asked} are read as {read} {ratio_in_words(cell.ratio or 1)} as real ones ({cell.shares})"
        )
    if cell.gain < 0:
        statement += f". {_EASIER}"
    key = f"confusions/{CLASS_NAMES[cell.asked]}/{CLASS_NAMES[cell.read]}"
    figure = "misread" if cell.count else "difference"
    return Effect(key, f"{statement}.", cell.difference, cell.floor, (cell.asked, cell.read), figure)


_EASIER = "In this respect they are easier to classify than the data, as typical images are"


def effects_of_agreement(cells: Sequence[Cell]) -> list[Effect]:
    """Makes the effects of classes read as themselves more or less often, if no pair of `cells_of` explains it."""
    found = []
    for cell in cells:
        others = [each.gain for each in cells if each.asked == cell.asked != each.read]
        # A loss of the class itself is a gain of other classes: gains of pairs have the opposite sign.
        explained = max((math.copysign(1, -cell.gain) * gain for gain in others), default=0.0)
        if cell.asked == cell.read and explained < EXPLAINED * abs(cell.gain):
            name, is_more = plural(cell.asked), cell.gain > 0
            why = _EASIER if is_more else "No single class accounts for half of the difference"
            way = "more" if is_more else "less"
            statement = f"Generated {name} are read as {name} {way} often than real ones ({cell.shares}). {why}."
            key = f"confusions/{CLASS_NAMES[cell.asked]}/agreement"
            found.append(Effect(key, statement, cell.difference, cell.floor, (cell.asked,), "difference"))
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
        f"A classifier trained on the real training images reads {share_text(agreed, n)} of {n:,} samples as the class "
        f"asked for, and {share_text(real_agreed, real_n)} of {real_n:,} real test images as their class. Some classes "
        "look alike, so it confuses real images too: only the difference is due to the generator. Fewer confusions "
        "than among real images are no advantage: typical images are easier to classify than the data."
    )


def _agreement(counts: Tensor) -> Picture:
    return Picture(
        "agreement",
        agreement_figure(counts.numpy(), "Samples: class read by the classifier, by class asked for"),
        "Percentage of the samples of each class asked for (row) that is read as each class (column). Cells off "
        "the framed diagonal are errors, of the generator or of the classifier.",
        "Table of ten by ten percentages: class asked for and class read.",
        vector=True,
    )


def _difference(counts: Tensor, real_counts: Tensor, cells: Sequence[Cell]) -> Picture:
    significant: NDArray[np.bool_] = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=bool)
    for cell in cells:
        significant[cell.asked, cell.read] = cell.difference.p_value < SIGNIFICANT
    return Picture(
        "difference",
        difference_figure(counts.numpy(), real_counts.numpy(), significant),
        "The same percentages minus those of real test images. Off the diagonal, vermilion marks confusions that are "
        "more frequent among samples than among the data, and blue those that are less frequent. "
        f"Bold: p < {SIGNIFICANT:g}; pale: not significant.",
        "Table of ten by ten differences between samples and real test images, in percentage points.",
        vector=True,
        lead=True,
    )


def _table(cells: Sequence[Cell]) -> Table:
    rows = [
        [
            *(CLASS_NAMES[cell.asked], CLASS_NAMES[cell.read]),
            *(cell.count / cell.n, *wilson_interval(cell.count, cell.n)),
            *(cell.real_count / cell.real_n, *wilson_interval(cell.real_count, cell.real_n)),
            cell.ratio,
        ]
        for cell in cells
    ]
    caption = (
        "All pairs of class asked for and class read that occur: shares of the class asked for with 95 % intervals, "
        "the largest difference first."
    )
    return Table("confusions", caption, COLUMNS, rows)
