"""A class asked for, a class read: how often among samples and among real images, and that in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from fmcgan.analysis.effect import Difference, Effect, difference_of_shares, share_in_words
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, plural
from fmcgan.metric.gan_test import count_agreement

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
"""Of ratios below 1, in words; the nearest is taken."""

EXPLAINED = 0.5
"""Of a class's change in agreement: what one pair of classes explains of it is told by the pair alone."""


@dataclass(frozen=True)
class Cell:
    """A cell of both tables of confusions.

    Args:
        asked: label that was asked for, or that a real image has.
        read: label that the classifier reads.
        count: how many samples, of ``n`` of the class asked for.
        n: at least 1.
        real_count: how many real test images, of ``real_n`` of that class.
        real_n: at least 1.
        floor: between the first half of the test images of the class and the second.
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
        """Between the shares of samples and of real images."""
        return difference_of_shares(self.count, self.n, self.real_count, self.real_n)

    @property
    def gain(self) -> float:
        """By how much the share of the samples is larger than that of the real images, in -1..1."""
        return self.count / self.n - self.real_count / self.real_n

    @property
    def ratio(self) -> float | None:
        """Of the two shares; ``None`` where no real image is in the cell."""
        return self.count * self.real_n / (self.real_count * self.n) if self.real_count else None

    @property
    def shares(self) -> str:
        """Both, with their intervals."""
        return f"{share_in_words(self.count, self.n)} against {share_in_words(self.real_count, self.real_n)}"


def cells_of(counts: Tensor, real_counts: Tensor, halves: tuple[Tensor, Tensor]) -> list[Cell]:
    """The cells in which there is anything, of the classes that both tables have; the surest difference first.

    Args:
        counts: of the samples, int64 [10, 10], as `count_agreement` gives them.
        real_counts: of the test images, likewise.
        halves: of the two halves of the test images, likewise.
    """
    first, second = halves
    cells = [
        Cell(
            *(asked, read, int(counts[asked, read]), int(counts[asked].sum())),
            *(int(real_counts[asked, read]), int(real_counts[asked].sum())),
            difference_of_shares(
                *(int(first[asked, read]), int(first[asked].sum())),
                *(int(second[asked, read]), int(second[asked].sum())),
            ),
        )
        for asked in range(NUM_CLASSES)
        for read in range(NUM_CLASSES)
        if counts[asked].sum() and real_counts[asked].sum() and counts[asked, read] + real_counts[asked, read]
    ]
    return sorted(cells, key=lambda cell: (cell.difference.at_least, abs(cell.difference.size)), reverse=True)


def halves_of(labels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Counts the first half of the images of each class and the second: two tables, int64 [10, 10].

    Args:
        labels: int64 [N].
        logits: the classifier's answers, [N, 10].
    """
    places = [(labels == label).nonzero().squeeze(1) for label in range(NUM_CLASSES)]
    first = torch.cat([each[: len(each) // 2] for each in places])
    second = torch.cat([each[len(each) // 2 :] for each in places])
    return count_agreement(labels[first], logits[first]), count_agreement(labels[second], logits[second])


def effect_of_pair(cell: Cell) -> Effect:
    """That a class is read as another more often, or less often, than real images are."""
    asked, read = plural(cell.asked), plural(cell.read)
    if not cell.count:
        statement = f"Generated {asked} are never read as {read}, but real ones are ({cell.shares})"
    elif not cell.real_count:
        statement = f"Generated {asked} are read as {read}, but real ones never ({cell.shares})"
    else:
        statement = f"Generated {asked} are read as {read} {times(cell.ratio or 1)} as real ones ({cell.shares})"
    if cell.gain < 0:
        statement += ": in this they are easier to read than the data, as typical images are"
    return Effect(
        f"confusions/{CLASS_NAMES[cell.asked]}/{CLASS_NAMES[cell.read]}",
        f"{statement}.",
        cell.difference,
        cell.floor,
        (cell.asked, cell.read),
        "misread" if cell.count else "difference",
    )


def effects_of_agreement(cells: Sequence[Cell]) -> list[Effect]:
    """That a class is read as itself less often, or more often, than real images, where no pair says so already.

    Args:
        cells: as `cells_of` gives them.
    """
    found = []
    for cell in cells:
        others = [each.gain for each in cells if each.asked == cell.asked != each.read]
        # What the class loses the others gain, so that the pairs' gains have the sign that the class's has not.
        explained = max((math.copysign(1, -cell.gain) * gain for gain in others), default=0.0)
        if cell.asked == cell.read and explained < EXPLAINED * abs(cell.gain):
            name = plural(cell.asked)
            way, why = ("less", "no other class alone takes half of what is missing")
            if cell.gain > 0:
                way, why = "more", "they are easier to read than the data, as typical images are"
            statement = f"Generated {name} are read as {name} {way} often than real ones ({cell.shares}): {why}."
            key = f"confusions/{CLASS_NAMES[cell.asked]}/agreement"
            found.append(Effect(key, statement, cell.difference, cell.floor, (cell.asked,), "difference"))
    return found


def times(ratio: float) -> str:
    """How many times as often, in words: ``2.1 times as often``, ``about half as often``.

    Args:
        ratio: above 0.
    """
    if 0.95 < ratio < 1.05:
        return "as often"
    if ratio >= 1.05:
        return f"{ratio:.{1 if ratio < 9.95 else 0}f} times as often"
    if ratio < 0.09:
        return "less than a tenth as often"
    nearest = min(FRACTIONS, key=lambda fraction: abs(math.log(ratio / fraction)))
    return f"about {FRACTIONS[nearest]} as often"
