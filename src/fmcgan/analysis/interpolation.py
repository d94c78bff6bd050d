"""Interpolation between latent vectors and between classes."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from PIL.Image import Image
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.analysis.base import Analysis, Subject, class_key
from fmcgan.analysis.latent.space import balanced_latents, between_classes, can_blend, latent_generator, slerp
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.checks import MOST_IMAGES, MOST_SHOWN, whole_number
from fmcgan.data.garments import GARMENTS
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import some_classes
from fmcgan.figure.grid import class_grid, magnification
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.value import wilson_interval
from fmcgan.training.sampling import render

CHAINS = {GARMENTS.class_names: (0, 6, 2, 4, 3, 1, 8, 9, 7, 5)}  # tops, dress, trouser, bag, shoes
"""Orders of the classes in which neighbours look alike, by their names; of other data sets, that of the labels."""
_MOST_PAIRS, _LATENTS = 10, 10
_STREAM, _HALFWAY_STREAM = 101, 102  # random streams of the latent vectors, combined with the subject's seed
_SIDE = 84  # pixels of a magnified image, about
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
        info, (classes, _) = subject.info, some_classes(subject.info.labels)
        latents, _ = balanced_latents(classes, latent_dim, _LATENTS, subject.seed, _STREAM)
        latents = latents.unflatten(0, (len(classes), _LATENTS))
        section = Section(
            "Interpolation",
            "A generator that has learned a distribution rather than single images changes gradually between any two "
            "latent vectors, and every image in between looks real. There are no real images to compare with: inspect "
            "the figures.",
            [
                self._within(generator, info, latents[:, 0], latents[:, 1]),
                self._same_latent(generator, info, latents[0]),
            ],
        )
        blends_classes = can_blend(generator, info.num_classes, latents[0, :2], class_pairs(info))
        if blends_classes:
            section.pictures.append(self._between(generator, info, latents[0, 0]))
            table, section.values["third_class_halfway"] = self._halfway(subject, generator)
            section.tables.append(table)
        else:
            section.introduction += (
                " This generator does not receive the label through embeddings that can be mixed, so it is not "
                "interpolated between classes; one figure shows the same latent vectors in all classes."
            )
        section.values["blends_classes"] = blends_classes
        return section

    def _within(self, generator: nn.Module, info: DatasetInfo, first: Tensor, second: Tensor) -> Picture:
        """Draws one path for each class shown, from its first latent vector to its second one, [L, Z] each."""
        classes, note = some_classes(info.labels)
        start, end = (each[:, None].expand(-1, self.steps, -1) for each in (first, second))
        paths = slerp(start, end, torch.linspace(0, 1, self.steps)[:, None])
        images = render(generator, paths.flatten(0, 1), torch.tensor(classes).repeat_interleave(self.steps))
        caption = (
            "From one latent vector (left) to another (right) along a great circle, in equal steps, within each class. "
            f"Changes should be gradual, and every image should look real. {note}"
        )
        text = f"Rows of {self.steps} generated images, one class per row, each row changing from one into another."
        names = [info.class_names[label] for label in classes]
        return Picture("within_class", _grid(images, names), caption.rstrip(), text)

    def _same_latent(self, generator: nn.Module, info: DatasetInfo, latents: Tensor) -> Picture:
        classes, note = some_classes(info.labels)
        labels = torch.tensor(classes).repeat_interleave(len(latents))
        images = render(generator, latents.repeat(len(classes), 1), labels)
        caption = (
            "Each column is one latent vector in all classes. Its images share properties of the latent vector, "
            f"such as brightness or width, and differ by the class. {note}"
        )
        text = "Rows (classes) by columns (latent vectors) of generated images."
        names = [info.class_names[label] for label in classes]
        return Picture("same_latent", _grid(images, names), caption.rstrip(), text)

    def _between(self, generator: nn.Module, info: DatasetInfo, latent: Tensor) -> Picture:
        shares, pairs = torch.linspace(0, 1, self.steps).tolist(), class_pairs(info)
        images = [
            between_classes(generator, info.num_classes, latent[None], *pair, share)
            for pair in pairs
            for share in shares
        ]
        tiles = _grid(torch.cat(images), [" to ".join(info.class_names[label] for label in pair) for pair in pairs])
        caption = (
            "From class to class at one latent vector, by mixing both label embeddings in equal steps. Each row begins "
            "where the row above ends."
        )
        text = f"Rows of {self.steps} generated images, each row changing from one class into the next."
        return Picture("class_to_class", tiles, caption, text)

    def _halfway(self, subject: Subject, generator: nn.Module) -> tuple[Table, float]:
        """Counts the classes predicted halfway between two classes; also returns the mean share of third classes."""
        n, info, latent_dim = self.n_halfway, subject.info, latent_generator(subject)[1]
        pairs = class_pairs(info)
        latents, _ = balanced_latents(info.labels[:1], latent_dim, n, subject.seed, _HALFWAY_STREAM)
        images = [between_classes(generator, info.num_classes, latents, *pair, 0.5) for pair in pairs]
        labels = torch.tensor(pairs)[:, 0].repeat_interleave(n)
        labelled = ImageSet(torch.cat(images), labels, info, subject.samples.device)
        predicted = self.features.logits(labelled).argmax(dim=1).split(n)
        rows: list[list[str | float]] = []
        for (a, b), each in zip(pairs, predicted, strict=True):
            counts = each.bincount(minlength=info.num_classes)
            first, second = int(counts[a]), int(counts[b])
            third = n - first - second
            shares = [first / n, second / n, third / n, *wilson_interval(third, n)]
            most_often = class_key(info, int(counts.argmax()))
            rows.append([class_key(info, a), class_key(info, b), *shares, most_often])
        caption = (
            f"Classes predicted by the classifier halfway between two classes, at {n} latent vectors each. "
            "There is no reference value, because no real image lies there."
        )
        return Table("halfway", caption, _COLUMNS, rows), sum(float(row[4]) for row in rows) / len(rows)


def class_pairs(info: DatasetInfo) -> list[tuple[int, int]]:
    """Returns pairs of neighbouring classes, at most ten; each begins where the one before ends."""
    chain = CHAINS.get(info.class_names, tuple(info.labels))
    return list(pairwise([*chain, *chain[:1]] if len(chain) > 2 else chain))[:_MOST_PAIRS]


def _grid(images: Tensor, names: Sequence[str]) -> Image:
    """Draws images, uint8 [R * L, C, H, W], in R named rows."""
    tiles = to_pixels(images.unflatten(0, (len(names), -1)))
    return class_grid(tiles, names, scale=magnification(images.shape[3], _SIDE))
