"""Membership: whether training images can be told from real images that training never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.analysis.base import EXAMPLES, Analysis, NotApplicable, Subject, class_key, common_classes
from fmcgan.analysis.effect import Difference, Effect, Examples, difference_by_auc, ranks_within_classes
from fmcgan.analysis.latent.inversion import Search, invert
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_IMAGES, whole_number
from fmcgan.app.device import full_float32
from fmcgan.data.images import to_float, to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.data.stratified import shuffled_members
from fmcgan.figure.classes import short_names, some_classes
from fmcgan.figure.image_rows import Block, Row, Tile, rows_picture
from fmcgan.figure.intervals import IntervalLine, IntervalPanel, intervals_figure
from fmcgan.metric.base import pixel_unit
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.memorisation import unit, vectors
from fmcgan.metric.neighbours import nearest

_STREAM = 141  # random stream of the latent vectors, combined with the subject's seed
_BATCH = 250  # images that the discriminator judges at once
_LEAST, _LEAST_OF_CLASS = 10, 20  # images of each split, and of each class that has an AUC of its own
_SHOWN = 10  # classes in the figure of reconstructions
_AUC = "auc"  # name of the figure of all attacks
_COLUMNS = (
    Column("attack", "attack"),
    Column("class", "class"),
    Column("images", "images of each set", "whole"),
    *interval_columns("auc", "AUC", "percent", 1),
    *interval_columns("held_out_auc", "AUC of held-out images", "percent", 1),
    Column("train_median", "median of training images", "number"),
    Column("held_out_median", "of held-out images", "number"),
)


class Membership(Analysis):
    """Attacks that guess whether an image is one of the training images, by three scores.

    - ``discriminator``: its logit (Hayes et al. 2019, "LOGAN");
    - ``nearest_sample``: the distance to the nearest sample, on pixels (Chen et al. 2020,
      "GAN-Leaks"). Features of a classifier would not do: it was trained on the training images itself;
    - ``inversion``: the error of the best reconstruction by the generator (`invert`; "GAN-Leaks" too).

    Each is applied to training images and to as many held-out ones, the test images, of each class. The statistic is
    the AUC: the share of pairs of a training and a held-out image of one class in which the attack picks the training
    image; its interval is over the images. Without memorisation it is 50 %. The floor is the AUC of one half of the
    held-out images against the other. Training images are those of ``subject.real``: for a generator, its own data set
    with its ``data.subset``.

    Args:
        n: images of each split for the first two attacks, at most.
        n_inverted: images of each split that are inverted, at most.
        candidates: random images of each class, from which an inversion starts at the nearest.
        starts: starts of each inversion.
        steps: steps of Adam of each start.
        learning_rate: of its first step.
    """

    def __init__(
        self,
        n: int = 5000,
        n_inverted: int = 100,
        candidates: int = 100,
        starts: int = 2,
        steps: int = 50,
        learning_rate: float = 0.1,
    ) -> None:
        whole_number(minimum=_LEAST, maximum=MOST_IMAGES, n=n, n_inverted=n_inverted)
        self.n, self.n_inverted = n, n_inverted
        self.search = Search(candidates, starts, steps, learning_rate)

    @override
    def analyse(self, subject: Subject) -> Section:
        attacks: list[_Attack] = []
        missing: list[str] = []
        train, held_out = _matched(subject, self.n)
        if subject.discriminator is None:
            missing.append("the attack with the discriminator, which needs run= (a run folder or a checkpoint)")
        else:
            attacks.append(_by_discriminator(subject.discriminator, train, held_out))
        attacks.append(_by_nearest_sample(subject.samples, train, held_out))
        pictures: list[Picture] = []
        if subject.generator is None:
            missing.append("the attack by inversion, which needs a generator (run=)")
        else:
            some = _matched(subject, self.n_inverted)
            attacks.append(_by_inversion(subject.generator, *some, self.search, subject.seed))
            pictures.append(_reconstructions(attacks[-1]))
        classes, note = some_classes(train.labels.unique().tolist())
        sizes = ", ".join(f"{len(attack.train.images):,} for the attack {attack.way}" for attack in attacks)
        left_out = f" Left out: {'; '.join(missing)}." if missing else ""
        return Section(
            "Membership",
            "Can an attacker who has an image and knows its class tell whether training used it? Training images are "
            f"compared with as many held-out ones of each class, test images that training never sees: {sizes}. "
            f"{_whose(subject)} At an AUC of 50 % an attack is a blind guess; other attacks may still succeed."
            f"{left_out}",
            [_auc_picture(attacks, classes, subject.info, note), *pictures],
            [_table(attacks, classes, subject.info)],
            effects=[attack.effect() for attack in attacks],
            values={attack.name: attack.record() for attack in attacks},
        )


@dataclass(frozen=True, eq=False)
class _Measured:
    """What an attack measures of some images."""

    images: ImageSet
    values: Tensor  # [N]
    generated: Tensor | None = None  # the generated image that belongs to each, uint8 [N, C, H, W]


@dataclass(frozen=True, eq=False)
class _Attack:
    """An attack, and what it measures of training and of as many held-out images of each class."""

    name: str
    way: str  # such as ``by inversion``
    statement: str  # what tells training images, continued by ``with an AUC of``
    meaning: str
    train: _Measured
    held_out: _Measured
    sign: int  # 1: a larger value suggests a training image; -1: a smaller one
    title: str = ""  # of the generated images, such as ``their nearest samples``

    @cached_property
    def _scores(self) -> tuple[Tensor, Tensor]:
        """Scores of training and of held-out images, higher for training images, on one scale for all classes."""
        sides = self.train, self.held_out
        values, labels = (torch.cat(each) for each in zip(*((s.values, s.images.labels) for s in sides), strict=True))
        ranks = ranks_within_classes(self.sign * values.double(), labels)
        return ranks[: len(self.train.values)], ranks[len(self.train.values) :]

    def auc(self, label: int | None = None) -> tuple[Difference, float, tuple[float, float]]:
        """Computes `difference_by_auc` of training and held-out images of a class, or of all."""
        return difference_by_auc(*self._of_class(label))

    def floor(self, label: int | None = None) -> tuple[Difference, float, tuple[float, float]]:
        """Computes the same of one half of the held-out images against the other."""
        held_out = self._of_class(label)[1]
        return difference_by_auc(held_out[::2], held_out[1::2])

    def _of_class(self, label: int | None) -> tuple[Tensor, Tensor]:
        train, held_out = self._scores
        if label is None:
            return train, held_out
        return train[self.train.images.of_class(label)], held_out[self.held_out.images.of_class(label)]

    def groups(self, classes: Sequence[int]) -> list[int | None]:
        """Returns ``None`` for all images, and those of several classes that have enough images."""
        counts = self.train.images.labels.bincount(minlength=max(classes) + 1)
        if len(classes) == 1:  # the same images
            return [None]
        return [None, *(label for label in classes if counts[label] >= _LEAST_OF_CLASS)]

    def effect(self) -> Effect:
        difference, area, (low, high) = self.auc()
        return Effect(
            f"membership/all/{self.name}",
            f"{self.statement} with an AUC of {100 * area:.1f} % [{100 * low:.1f}, {100 * high:.1f}].",
            difference.one_sided,  # an attack that is worse than a guess gives nothing away
            self.floor()[0],
            figure=_AUC,
            meaning=f"{self.meaning} AUC: share of pairs of a training and a held-out image of one class in which the "
            "attack picks the training image; 50 % is a blind guess.",
            examples=None if self.train.generated is None else self._examples,
        )

    def _examples(self) -> Examples:
        """Selects the training images that the attack is surest of."""
        assert self.train.generated is not None
        chosen = self._scores[0].argsort(descending=True, stable=True)[:EXAMPLES]
        images, generated = self.train.images.images[chosen], self.train.generated[chosen]
        return Examples(to_pixels(generated), to_pixels(images), self.title, "the training images told most surely")

    def record(self) -> dict[str, object]:
        """Returns the AUC with its interval, and the number of images of each split."""
        _, area, bounds = self.auc()
        return {"auc": area, "interval": list(bounds), "images": len(self.train.values)}


def _matched(subject: Subject, n: int) -> tuple[ImageSet, ImageSet]:
    """Chooses equally many training and test images of each class that has samples, at most ``n`` of each split.

    Raises `NotApplicable` if there are fewer than ten of each.
    """
    train, test = subject.real.train, subject.real.test
    classes = common_classes(subject.samples, train, test)
    chosen: list[tuple[Tensor, Tensor]] = []
    for label in classes:
        first, second = (shuffled_members(each.labels, label, subject.seed) for each in (train, test))
        count = min(max(n // len(classes), 1), len(first), len(second))
        chosen.append((first[:count], second[:count]))
    if sum(len(some) for some, _ in chosen) < _LEAST:
        raise NotApplicable(f"membership needs {_LEAST} training and as many test images, of classes with samples")
    of_train, of_test = (torch.cat(some) for some in zip(*chosen, strict=True))
    return train.subset(of_train), test.subset(of_test)


def _by_discriminator(discriminator: nn.Module, train: ImageSet, held_out: ImageSet) -> _Attack:
    return _Attack(
        "discriminator",
        "with the discriminator",
        "The discriminator's logit tells training images from held-out ones",
        "To that degree it knows its training images by heart. Anyone who has the checkpoint can use this; the "
        "generator alone does not show it.",
        _Measured(train, _logits(discriminator, train)),
        _Measured(held_out, _logits(discriminator, held_out)),
        sign=1,
    )


@torch.no_grad()
@full_float32()
def _logits(discriminator: nn.Module, images: ImageSet) -> Tensor:
    batches = zip(images.images.split(_BATCH), images.labels.split(_BATCH), strict=True)
    found = [discriminator(to_float(x.to(images.device)), y.to(images.device)) for x, y in batches]
    return torch.cat(found).float().cpu()


def _by_nearest_sample(samples: ImageSet, train: ImageSet, held_out: ImageSet) -> _Attack:
    def measured(images: ImageSet) -> _Measured:
        index, distance = nearest(vectors(images, None), vectors(samples, None))
        return _Measured(images, distance / unit(images, None), samples.images[index])

    return _Attack(
        "nearest_sample",
        "by the nearest sample",
        f"The distance to the nearest of {len(samples):,} samples tells training images from held-out ones",
        "The generator repeats some of its training images, or parts of them.",
        measured(train),
        measured(held_out),
        sign=-1,
        title="their nearest samples",
    )


def _by_inversion(generator: nn.Module, train: ImageSet, held_out: ImageSet, search: Search, seed: int) -> _Attack:
    def measured(images: ImageSet) -> _Measured:
        found = invert(generator, images, search, seed, _STREAM)
        return _Measured(images, found.errors, found.images)

    return _Attack(
        "inversion",
        "by inversion",
        "The error of the generator's best reconstruction tells training images from held-out ones",
        "Some latent vectors give images that are nearer to training images than to new real ones.",
        measured(train),
        measured(held_out),
        sign=-1,
        title="their reconstructions",
    )


def _whose(subject: Subject) -> str:
    n = f"{len(subject.real.train):,}"
    if subject.generator is None:
        return f"It is not known whether training used all {n} training images of the data set."
    return f"Training images: the {n} of the data set and data.subset that the generator names."


def _auc_picture(attacks: Sequence[_Attack], classes: Sequence[int], info: DatasetInfo, note: str) -> Picture:
    shown: list[int | None] = [None, *classes] if len(classes) > 1 else [None]
    lines = []
    for attack in attacks:
        known = {label: (area, *bounds) for label in attack.groups(classes) for _, area, bounds in [attack.auc(label)]}
        points = np.array([known.get(label, (np.nan,) * 3) for label in shown])
        lines.append(IntervalLine(attack.way, *(100 * points.T - 50)))
    panel = IntervalPanel("Guessing training images", "AUC - 50 % (points)", lines, zero=True, joined=False)
    figure = intervals_figure([panel], short_names([class_key(info, label) for label in shown]), "class")
    caption = (
        "AUC of each attack minus 50 %, with its 95 % interval, for all images and by class. 0 is a blind guess, 50 "
        f"points are certainty; below 0, held-out images look more familiar than training images. {note}"
    )
    text = "Points with intervals: the AUC of each attack, of all images and of each class, around the line of chance."
    return Picture(_AUC, figure, caption.rstrip(), text, lead=True)


def _reconstructions(attack: _Attack) -> Picture:
    """Draws the first image of each class of both splits above its reconstruction."""
    rows = []
    for name, side in (("training", attack.train), ("held-out", attack.held_out)):
        assert side.generated is not None
        labels, _ = some_classes(side.images.labels.unique().tolist(), most=_SHOWN)
        first = [int(side.images.of_class(label)[0]) for label in labels]
        given, made = (to_pixels(images[first]) for images in (side.images.images, side.generated))
        errors = [f"{error:.1f}" for error in side.values[first].tolist()]
        rows.append(Row([[Tile(image) for image in given]], f"{name} image"))
        rows.append(Row([[Tile(image, [error]) for image, error in zip(made, errors, strict=True)]], "reconstruction"))
    median = [f"{side.values.quantile(0.5).item():.1f}" for side in (attack.train, attack.held_out)]
    caption = (
        "Each real image above the most similar generated image of its class that was found, with the root mean "
        f"square difference in {pixel_unit(attack.train.images.info)}. The median difference is {median[0]} for "
        f"training and {median[1]} for held-out images."
    )
    text = "Real images of each class, of the training and the test split, above their reconstructions."
    return Picture("reconstructions", rows_picture([Block("", len(rows[0].tiles[0]))], rows), caption, text)


def _table(attacks: Sequence[_Attack], classes: Sequence[int], info: DatasetInfo) -> Table:
    rows = []
    for attack in attacks:
        for label in attack.groups(classes):
            of_class = slice(None) if label is None else attack.train.images.labels == label
            _, area, bounds = attack.auc(label)
            _, floor, floor_bounds = attack.floor(label)
            medians = [side.values[of_class].double().quantile(0.5).item() for side in (attack.train, attack.held_out)]
            count = len(attack.train.values[of_class])
            rows.append([attack.way, class_key(info, label), count, area, *bounds, floor, *floor_bounds, *medians])
    caption = (
        "AUC: share of pairs of a training and a held-out image of one class in which the attack picks the training "
        "image; 50 % is a blind guess. Beside it, the AUC of one half of the held-out images against the other. "
        f"Medians are logits, or root mean square differences in {pixel_unit(info)}. Classes with fewer than "
        f"{_LEAST_OF_CLASS} images are left out."
    )
    return Table("attacks", caption, _COLUMNS, rows)
