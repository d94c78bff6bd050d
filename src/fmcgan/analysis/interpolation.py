"""Interpolation between latent vectors and between classes."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.latent.space import balanced_latents, between_classes, can_blend, latent_generator, slerp
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_IMAGES, MOST_SHOWN, whole_number
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.grid import class_grid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.value import wilson_interval
from fmcgan.training.sampling import render

CHAIN = (0, 6, 2, 4, 3, 1, 8, 9, 7, 5, 0)
"""Order of the classes: tops, dress, trouser, bag, shoes, and back."""
PAIRS = list(pairwise(CHAIN))
"""Pairs of classes to interpolate between."""
_STREAM, _HALFWAY_STREAM = 101, 102
"""Random streams of the latent vectors, combined with the subject's seed."""
_SCALE = 3
"""Magnification of images."""


class Interpolation(Analysis):
    """Interpolates between latent vectors within each class, and between classes with a fixed latent vector.

    Within a class the path is a great circle (`slerp`). Between classes it mixes both label embeddings in all layers
    that have them; generators without label embeddings are not interpolated between classes.

    The classes that the classifier reads halfway between two classes are counted. There is no reference: no real image
    lies between two classes.

    Args:
        features: the classifier.
        steps: images of a path including both ends, at least 2.
        n_halfway: latent vectors for images halfway between two classes.
    """

    def __init__(self, features: ClassifierFeatures, steps: int = 10, n_halfway: int = 100) -> None:
        whole_number(minimum=2, maximum=MOST_SHOWN, steps=steps)
        whole_number(maximum=MOST_IMAGES, n_halfway=n_halfway)
        self.features, self.steps, self.n_halfway = features, steps, n_halfway

    @override
    def analyse(self, subject: Subject) -> Section:
        generator, latent_dim = latent_generator(subject)
        latents, labels = balanced_latents(latent_dim, 2, subject.seed, _STREAM)
        shared = latents.unflatten(0, (NUM_CLASSES, 2))[0]
        section = Section(
            "Interpolation",
            "A generator that has learned a distribution rather than single images changes gradually between any two "
            "latent vectors, and every image in between looks real. There are no real images to compare with: inspect "
            "the figures.",
            [self._within(generator, latents, labels), self._same_latent(subject, generator)],
        )
        if can_blend(generator, shared, PAIRS):
            section.pictures.append(self._between(generator, shared[0]))
            table, third = self._halfway(subject, generator)
            section.tables.append(table)
            section.values["third_class_halfway"] = third
        else:
            section.introduction += (
                " This generator does not receive the label through embeddings that can be mixed, so it is not "
                "interpolated between classes; one figure shows the same latent vectors in all classes."
            )
        section.values["blends_classes"] = len(section.pictures) == 3
        return section

    def _within(self, generator: nn.Module, latents: Tensor, labels: Tensor) -> Picture:
        """Draws one path per class, each between two latent vectors of its own."""
        first, second = latents.unflatten(0, (NUM_CLASSES, 2)).unsqueeze(2).unbind(1)  # [10, 1, Z] each
        shares = torch.linspace(0, 1, self.steps)[:, None]
        paths = slerp(first.expand(-1, self.steps, -1), second.expand(-1, self.steps, -1), shares)
        images = render(generator, paths.flatten(0, 1), labels[::2].repeat_interleave(self.steps))
        return Picture(
            "within_class",
            class_grid(_rows(images, self.steps), CLASS_NAMES, scale=_SCALE),
            "From one latent vector (left) to another (right) along a great circle, in equal steps, within each class. "
            "Changes should be gradual, and every image should look real.",
            f"Ten rows of {self.steps} generated images, one class per row, each row changing from one into another.",
        )

    def _same_latent(self, subject: Subject, generator: nn.Module) -> Picture:
        latents = balanced_latents(latent_generator(subject)[1], 10, subject.seed, _STREAM)[0][:10]
        images = render(generator, latents.repeat(NUM_CLASSES, 1), torch.arange(NUM_CLASSES).repeat_interleave(10))
        return Picture(
            "same_latent",
            class_grid(_rows(images, 10), CLASS_NAMES, scale=_SCALE),
            "Each column is one latent vector in all ten classes. Its images share properties of the latent "
            "vector, such as brightness or width, and differ by the class.",
            "Ten rows (classes) by ten columns (latent vectors) of generated images.",
        )

    def _between(self, generator: nn.Module, latent: Tensor) -> Picture:
        shares = torch.linspace(0, 1, self.steps).tolist()
        images = [between_classes(generator, latent[None], *pair, share) for pair in PAIRS for share in shares]
        names = [f"{CLASS_NAMES[a]} to {CLASS_NAMES[b]}" for a, b in PAIRS]
        return Picture(
            "class_to_class",
            class_grid(_rows(torch.cat(images), self.steps), names, scale=_SCALE),
            "From class to class at one latent vector, by mixing both label embeddings in equal steps. Each row begins "
            "where the row above ends.",
            f"Ten rows of {self.steps} generated images, each row changing from one class into the next.",
        )

    def _halfway(self, subject: Subject, generator: nn.Module) -> tuple[Table, float]:
        """Counts the classes read halfway between two classes; also returns the mean share of third classes."""
        latent_dim = latent_generator(subject)[1]
        latents = balanced_latents(latent_dim, self.n_halfway, subject.seed, _HALFWAY_STREAM)[0][: self.n_halfway]
        images = torch.cat([between_classes(generator, latents, *pair, 0.5) for pair in PAIRS])
        asked = torch.tensor(PAIRS)[:, 0].repeat_interleave(self.n_halfway)
        read = self.features.logits(ImageSet(images, asked)).argmax(dim=1).unflatten(0, (len(PAIRS), self.n_halfway))
        rows = [
            _halfway_row(pair, each.bincount(minlength=NUM_CLASSES)) for pair, each in zip(PAIRS, read, strict=True)
        ]
        columns = [
            Column("first", "from"),
            Column("second", "to"),
            Column("read_as_first", "read as the first", "percent", 0),
            Column("read_as_second", "read as the second", "percent", 0),
            Column("read_as_third", "read as a third class", "percent", 0),
            Column("read_as_third_low", "95 % from", "percent", 0),
            Column("read_as_third_high", "to", "percent", 0),
            Column("most_often", "most often read"),
        ]
        caption = (
            f"Classes read by the classifier halfway between two classes, at {self.n_halfway} latent vectors each. "
            "There is no reference value, because no real image lies there."
        )
        return Table("halfway", caption, columns, rows), sum(float(row[4]) for row in rows) / len(rows)


def _halfway_row(pair: tuple[int, int], counts: Tensor) -> list[str | float]:
    n = int(counts.sum())
    first, second = (int(counts[label]) for label in pair)
    third = n - first - second
    names = [CLASS_NAMES[label] for label in pair]
    most = CLASS_NAMES[int(counts.argmax())]
    return [*names, first / n, second / n, third / n, *wilson_interval(third, n), most]


def _rows(images: Tensor, columns: int) -> NDArray[np.uint8]:
    """Reshapes [R * columns, 1, 28, 28] to a numpy array [R, columns, 28, 28]."""
    tiles: NDArray[np.uint8] = images.squeeze(1).unflatten(0, (-1, columns)).numpy()
    return tiles
