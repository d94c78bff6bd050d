"""As which classes the samples are misread, beside how the same classifier misreads real images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.analysis.base import Analysis, NotApplicable, Subject
from fmcgan.analysis.effect import share_in_words, share_interval
from fmcgan.analysis.misreading import Cell, cells_of, effect_of_pair, effects_of_agreement, halves_of
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_SHOWN, whole_number
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.confusions import agreement_figure
from fmcgan.figure.confusions import difference_figure
from fmcgan.figure.grid import PAPER, class_grid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.gan_test import agreement_share, count_agreement
from fmcgan.metric.image_set import ImageSet

SURE = 0.01
"""A difference whose p-value is below is printed in bold."""

COLUMNS = (
    Column("asked", "class asked for"),
    Column("read", "class read"),
    Column("share", "of the samples", "percent", 1),
    Column("share_low", "from", "percent", 1),
    Column("share_high", "to", "percent", 1),
    Column("real_share", "of real test images", "percent", 1),
    Column("real_share_low", "from", "percent", 1),
    Column("real_share_high", "to", "percent", 1),
    Column("ratio", "times as often", "number", 2),
)


class Confusions(Analysis):
    """Tells what is the generator's fault from what is the classes' own likeness.

    The table of GAN-test (Shmelkov et al. 2018) by itself blames the generator for shirts that look like t-shirts,
    which real shirts do too. So the same classifier reads real test images (of the training images, which it has
    learned, it is surer), and what is told is the difference. The floor is the difference between the two halves of the
    test images of each class.

    There is an effect for each pair of classes in which there is anything. The agreement of a class tells the same once
    more where it is lost to one other class: it is an effect only if no pair explains at least half of its change.
    """

    def __init__(self, features: ClassifierFeatures, strips: int = 10, images_per_strip: int = 8) -> None:
        """Checks the parameters.

        Args:
            features: the classifier that reads the images.
            strips: of how many confusions samples are shown.
            images_per_strip: so many samples of each at most, and half as many real images.

        Raises:
            InvalidValueError: a number is not a whole one of at least 1.
        """
        whole_number(maximum=MOST_SHOWN, strips=strips, images_per_strip=images_per_strip)
        self.features = features
        self.strips = strips
        self.images_per_strip = images_per_strip

    def analyse(self, subject: Subject) -> Section:
        """Reads samples and real test images and compares both tables."""
        samples, test = subject.samples, subject.real.test
        counts, real_counts = (count_agreement(each.labels, self.features.logits(each)) for each in (samples, test))
        cells = cells_of(counts, real_counts, halves_of(test.labels, self.features.logits(test)))
        if not cells:
            raise NotApplicable("confusions: no class is both among the samples and among the real test images")
        pairs = [cell for cell in cells if cell.asked != cell.read]
        pictures = [_agreement(counts), _difference(counts, real_counts, cells)]
        if misread := [pair for pair in pairs if pair.count][: self.strips]:
            pictures.append(self._misread(samples, test, misread))
        return Section(
            title="Read as another class",
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
        gap = np.full((1, 28, 28), PAPER, np.uint8)
        strips = [
            np.concatenate([self._surest(samples, cell, self.images_per_strip), gap, self._surest(test, cell, few)])
            for cell in cells
        ]
        names = [f"{CLASS_NAMES[cell.asked]} read as {CLASS_NAMES[cell.read]}" for cell in cells]
        return Picture(
            "misread",
            class_grid(np.stack(strips), names, "Samples that are misread (left) and real test images (right)"),
            "The confusions whose shares differ most surely from those of real images, the largest difference first: "
            f"up to {self.images_per_strip} samples, those first that the classifier is surest of, and beside them up "
            f"to {few} real test images misread in the same way. Whether the sample or the classifier is wrong, the "
            "eye must say.",
            f"Rows of generated images beside real ones: {', '.join(names)}.",
        )

    def _surest(self, images: ImageSet, cell: Cell, most: int) -> NDArray[np.uint8]:
        """Images of a cell, the most probably so read first, then paper: uint8 [most, 28, 28]."""
        logits = self.features.logits(images)
        inside = ((images.labels == cell.asked) & (logits.argmax(dim=1) == cell.read)).nonzero().squeeze(1)
        probability = logits[inside].double().softmax(dim=1)[:, cell.read]
        chosen = inside[probability.argsort(descending=True, stable=True)[:most]]
        strip = np.full((most, 28, 28), PAPER, np.uint8)
        strip[: len(chosen)] = images.images[chosen, 0].numpy()
        return strip


def _introduction(counts: Tensor, real_counts: Tensor) -> str:
    (agreed, n), (real_agreed, real_n) = ((int(each.trace()), int(each.sum())) for each in (counts, real_counts))
    return (
        f"Our classifier, which has learned from the real training images, reads {share_in_words(agreed, n)} of "
        f"{n:,} samples as the class asked for, and {share_in_words(real_agreed, real_n)} of {real_n:,} real test "
        "images as the class they have. Some classes look alike, so that it confuses real images too: the generator is "
        "to blame for the difference only. Fewer confusions than among real images are no merit: a generator that "
        "draws typical images only is easier to read than the data."
    )


def _agreement(counts: Tensor) -> Picture:
    return Picture(
        "agreement",
        agreement_figure(counts.numpy(), "Samples: class read by the classifier, by class asked for"),
        "Of the samples of each class asked for (row), the percentage that is read as each class (column). What is off "
        "the framed diagonal may be the generator's fault or the classes' own likeness.",
        "Table of ten by ten percentages, class asked for by class read.",
        vector=True,
    )


def _difference(counts: Tensor, real_counts: Tensor, cells: Sequence[Cell]) -> Picture:
    sure = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=bool)
    for cell in cells:
        sure[cell.asked, cell.read] = cell.difference.p_value < SURE
    return Picture(
        "difference",
        difference_figure(counts.numpy(), real_counts.numpy(), sure),
        "The same minus what the classifier answers to real test images, in percentage points. Off the diagonal, "
        "vermilion is what the generator confuses and the data do not, and blue is what is easier to read in the "
        f"samples than in the data. Bold: chance gives as much in fewer than {100 * SURE:g} of 100 cases.",
        "Table of ten by ten differences between samples and real test images, in percentage points.",
        vector=True,
        lead=True,
    )


def _table(cells: Sequence[Cell]) -> Table:
    rows = [
        [
            *(CLASS_NAMES[cell.asked], CLASS_NAMES[cell.read]),
            *(cell.count / cell.n, *share_interval(cell.count, cell.n)),
            *(cell.real_count / cell.real_n, *share_interval(cell.real_count, cell.real_n)),
            cell.ratio,
        ]
        for cell in cells
    ]
    return Table(
        "confusions",
        "Each pair of classes, and each class with itself, in which there is anything: shares of the class asked for, "
        "with 95 % intervals; the surest difference first.",
        COLUMNS,
        rows,
    )
