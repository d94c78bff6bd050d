"""Interpolation between latent vectors and between classes."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from PIL.Image import Image
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.latent.space import balanced_latents, between_classes, can_blend, latent_generator, slerp
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_IMAGES, MOST_SHOWN, whole_number
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.grid import class_grid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.value import wilson_interval
from fmcgan.training.sampling import render

CHAIN = (0, 6, 2, 4, 3, 1, 8, 9, 7, 5, 0)  # classes: tops, dress, trouser, bag, shoes, and back
PAIRS = list(pairwise(CHAIN))
_STREAM, _HALFWAY_STREAM = 101, 102  # random streams of the latent vectors, combined with the subject's seed
_SCALE = 3  # magnification of images
_COLUMNS = (
    Column("first", "from"),
    Column("second", "to"),
    Column("read_as_first", "classified as the first", "percent", 0),
    Column("read_as_second", "classified as the second", "percent", 0),
    *interval_columns("read_as_third", "classified as a third class", "percent", 0),
    Column("most_often", "predicted most often"),
)


class Interpolation(Analysis):
    """Interpolates between latent vectors within each class, and between classes with a fixed latent vector.

    Within a class the path is a great circle (`slerp`). Between classes it mixes both label embeddings in all layers
    that have them; generators without label embeddings are not interpolated between classes.

    The classes that the classifier predicts halfway between two classes are counted. There is no reference: no real
    image lies between two classes.

    Paths have ``steps`` images, including both ends. Images halfway are generated from ``n_halfway`` latent vectors.
    """

    def __init__(self, features: ClassifierFeatures, steps: int = 10, n_halfway: int = 100) -> None:
        whole_number(minimum=2, maximum=MOST_SHOWN, steps=steps)
        whole_number(maximum=MOST_IMAGES, n_halfway=n_halfway)
        self.features, self.steps, self.n_halfway = features, steps, n_halfway

    @override
    def analyse(self, subject: Subject) -> Section:
        generator, latent_dim = latent_generator(subject)
        latents = balanced_latents(latent_dim, 10, subject.seed, _STREAM)[0].unflatten(0, (NUM_CLASSES, 10))
        section = Section(
            "Interpolation",
            "A generator that has learned a distribution rather than single images changes gradually between any two "
            "latent vectors, and every image in between looks real. There are no real images to compare with: inspect "
            "the figures.",
            [self._within(generator, latents[:, 0], latents[:, 1]), self._same_latent(generator, latents[0])],
        )
        blends_classes = can_blend(generator, latents[0, :2], PAIRS)
        if blends_classes:
            section.pictures.append(self._between(generator, latents[0, 0]))
            table, section.values["third_class_halfway"] = self._halfway(subject, generator)
            section.tables.append(table)
        else:
            section.introduction += (
                " This generator does not receive the label through embeddings that can be mixed, so it is not "
                "interpolated between classes; one figure shows the same latent vectors in all classes."
            )
        section.values["blends_classes"] = blends_classes
        return section

    def _within(self, generator: nn.Module, first: Tensor, second: Tensor) -> Picture:
        """Draws one path per class, from its first latent vector to its second one, [10, Z] each."""
        start, end = (each[:, None].expand(-1, self.steps, -1) for each in (first, second))
        paths = slerp(start, end, torch.linspace(0, 1, self.steps)[:, None])
        images = render(generator, paths.flatten(0, 1), torch.arange(NUM_CLASSES).repeat_interleave(self.steps))
        caption = (
            "From one latent vector (left) to another (right) along a great circle, in equal steps, within each class. "
            "Changes should be gradual, and every image should look real."
        )
        text = f"Ten rows of {self.steps} generated images, one class per row, each row changing from one into another."
        return Picture("within_class", _grid(images, CLASS_NAMES), caption, text)

    def _same_latent(self, generator: nn.Module, latents: Tensor) -> Picture:
        images = render(generator, latents.repeat(NUM_CLASSES, 1), torch.arange(NUM_CLASSES).repeat_interleave(10))
        caption = (
            "Each column is one latent vector in all ten classes. Its images share properties of the latent vector, "
            "such as brightness or width, and differ by the class."
        )
        text = "Ten rows (classes) by ten columns (latent vectors) of generated images."
        return Picture("same_latent", _grid(images, CLASS_NAMES), caption, text)

    def _between(self, generator: nn.Module, latent: Tensor) -> Picture:
        shares = torch.linspace(0, 1, self.steps).tolist()
        images = [between_classes(generator, latent[None], *pair, share) for pair in PAIRS for share in shares]
        tiles = _grid(torch.cat(images), [f"{CLASS_NAMES[a]} to {CLASS_NAMES[b]}" for a, b in PAIRS])
        caption = (
            "From class to class at one latent vector, by mixing both label embeddings in equal steps. Each row begins "
            "where the row above ends."
        )
        text = f"Ten rows of {self.steps} generated images, each row changing from one class into the next."
        return Picture("class_to_class", tiles, caption, text)

    def _halfway(self, subject: Subject, generator: nn.Module) -> tuple[Table, float]:
        """Counts the classes predicted halfway between two classes; also returns the mean share of third classes."""
        n, latent_dim = self.n_halfway, latent_generator(subject)[1]
        latents = balanced_latents(latent_dim, n, subject.seed, _HALFWAY_STREAM)[0][:n]
        images = torch.cat([between_classes(generator, latents, *pair, 0.5) for pair in PAIRS])
        labelled = ImageSet(images, torch.tensor(PAIRS)[:, 0].repeat_interleave(n))
        predicted = self.features.logits(labelled).argmax(dim=1).split(n)
        rows: list[list[str | float]] = []
        for (a, b), each in zip(PAIRS, predicted, strict=True):
            counts = each.bincount(minlength=NUM_CLASSES)
            first, second = int(counts[a]), int(counts[b])
            third = n - first - second
            shares = [first / n, second / n, third / n, *wilson_interval(third, n)]
            rows.append([CLASS_NAMES[a], CLASS_NAMES[b], *shares, CLASS_NAMES[int(counts.argmax())]])
        caption = (
            f"Classes predicted by the classifier halfway between two classes, at {n} latent vectors each. "
            "There is no reference value, because no real image lies there."
        )
        return Table("halfway", caption, _COLUMNS, rows), sum(float(row[4]) for row in rows) / len(rows)


def _grid(images: Tensor, names: Sequence[str]) -> Image:
    """Draws images, [R * C, 1, 28, 28], in R named rows."""
    return class_grid(images.squeeze(1).unflatten(0, (len(names), -1)).numpy(), names, scale=_SCALE)
