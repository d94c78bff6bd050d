"""From one latent vector to another, and from one class to another: what lies between two images of a generator."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.effect import share_interval
from fmcgan.analysis.latent.space import balanced_latents, between_classes, can_blend, generator_of, slerp
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.checks import MOST_IMAGES, MOST_SHOWN, whole_number
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.figure.grid import class_grid
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet
from fmcgan.training.sampling import render

CHAIN = (0, 6, 2, 4, 3, 1, 8, 9, 7, 5, 0)
"""From class to class: tops, dress, trouser, bag, shoes, and back."""

WAYS = list(pairwise(CHAIN))

_STREAM, _HALFWAY_STREAM = 101, 102
"""Of this part's latent vectors, beside the subject's seed."""

_SCALE = 3
"""Each pixel is drawn as so many by so many."""


class Interpolation(Analysis):
    """Ways through the latent space within each class, and from class to class with the latent vector held fast.

    Within a class the way is a great circle (`slerp`). From class to class it leads through mixtures of the two label
    embeddings, wherever in the network they stand. A generator that is told its class in another way has nothing in
    between: of it only the ends are shown.

    What the classifier reads halfway between two classes is counted. There is no right answer: no real image is half a
    dress. But a third class there tells how the generator has arranged the classes.
    """

    def __init__(self, features: ClassifierFeatures, steps: int = 10, n_halfway: int = 100) -> None:
        """Checks the parameters.

        Args:
            features: the classifier that reads what lies halfway.
            steps: images of each way, both ends among them, at least 2.
            n_halfway: latent vectors at which each way between two classes is read in its middle.

        Raises:
            InvalidValueError: a value is no whole number, or too small.
        """
        whole_number(minimum=2, maximum=MOST_SHOWN, steps=steps)
        whole_number(maximum=MOST_IMAGES, n_halfway=n_halfway)
        self.features, self.steps, self.n_halfway = features, steps, n_halfway

    def analyse(self, subject: Subject) -> Section:
        """Draws both kinds of ways.

        Raises:
            NotApplicable: there is no generator.
        """
        generator = generator_of(subject)
        latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
        latents, labels = balanced_latents(latent_dim, 2, subject.seed, _STREAM)
        shared = latents.unflatten(0, (NUM_CLASSES, 2))[0]
        section = Section(
            "Between two images",
            "A generator that has learned a distribution, and not a list of images, changes steadily between any two "
            "latent vectors, and what lies between looks like a garment too. Nothing real is there to compare with: "
            "these pictures are for the eye.",
            [self._within(generator, latents, labels), self._same_latent(subject, generator)],
        )
        if can_blend(generator, shared, WAYS):
            section.pictures.append(self._between(generator, shared[0]))
            table, third = self._halfway(subject, generator)
            section.tables.append(table)
            section.values["third_class_halfway"] = third
        else:
            section.introduction += (
                " This generator is told its class otherwise than by embeddings that could be mixed, so there is "
                "nothing between two classes: the figure with the same latent vector in all classes shows the ends."
            )
        section.values["blends_classes"] = len(section.pictures) == 3
        return section

    def _within(self, generator: nn.Module, latents: Tensor, labels: Tensor) -> Picture:
        """One way a class, each between two latent vectors of its own."""
        first, second = latents.unflatten(0, (NUM_CLASSES, 2)).unsqueeze(2).unbind(1)  # [10, 1, Z] each
        shares = torch.linspace(0, 1, self.steps)[:, None]
        ways = slerp(first.expand(-1, self.steps, -1), second.expand(-1, self.steps, -1), shares)
        images = render(generator, ways.flatten(0, 1), labels[::2].repeat_interleave(self.steps))
        return Picture(
            "within_class",
            class_grid(_rows(images, self.steps), CLASS_NAMES, scale=_SCALE),
            "From one latent vector (left) to another (right) along a great circle, in equal steps, within each class. "
            "Steady change is good; a sudden jump, or nothing like a garment on the way, is not.",
            f"Ten rows of {self.steps} generated garments, one class a row, each row changing from one into another.",
        )

    def _same_latent(self, subject: Subject, generator: nn.Module) -> Picture:
        latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
        latents = balanced_latents(latent_dim, 10, subject.seed, _STREAM)[0][:10]
        images = render(generator, latents.repeat(NUM_CLASSES, 1), torch.arange(NUM_CLASSES).repeat_interleave(10))
        return Picture(
            "same_latent",
            class_grid(_rows(images, 10), CLASS_NAMES, scale=_SCALE),
            "Each column is one latent vector, in all ten classes. What its images have in common, such as brightness "
            "or width, the latent vector decides; what differs, the class.",
            "Ten rows, one a class, and ten columns, one a latent vector, of generated garments.",
        )

    def _between(self, generator: nn.Module, latent: Tensor) -> Picture:
        shares = torch.linspace(0, 1, self.steps).tolist()
        images = [between_classes(generator, latent[None], *way, share) for way in WAYS for share in shares]
        names = [f"{CLASS_NAMES[a]} to {CLASS_NAMES[b]}" for a, b in WAYS]
        return Picture(
            "class_to_class",
            class_grid(_rows(torch.cat(images), self.steps), names, scale=_SCALE),
            "From class to class at one latent vector, by mixing the two label embeddings in equal steps. Each row "
            "begins where the one above it ends.",
            f"Ten rows of {self.steps} generated garments, each row changing from one class into the next.",
        )

    def _halfway(self, subject: Subject, generator: nn.Module) -> tuple[Table, float]:
        """What is read in the middle of each way, and the share read as a third class of all."""
        latent_dim = int(generator.latent_dim)  # type: ignore[arg-type]
        latents = balanced_latents(latent_dim, self.n_halfway, subject.seed, _HALFWAY_STREAM)[0][: self.n_halfway]
        images = torch.cat([between_classes(generator, latents, *way, 0.5) for way in WAYS])
        asked = torch.tensor(WAYS)[:, 0].repeat_interleave(self.n_halfway)
        read = self.features.logits(ImageSet(images, asked)).argmax(dim=1).unflatten(0, (len(WAYS), self.n_halfway))
        rows = [_halfway_row(way, each.bincount(minlength=NUM_CLASSES)) for way, each in zip(WAYS, read, strict=True)]
        columns = [
            Column("first", "from"),
            Column("second", "to"),
            Column("read_as_first", "read as the first", "percent", 0),
            Column("read_as_second", "read as the second", "percent", 0),
            Column("read_as_third", "read as a third", "percent", 0),
            Column("read_as_third_low", "at least", "percent", 0),
            Column("read_as_third_high", "at most", "percent", 0),
            Column("most_often", "most often read"),
        ]
        caption = (
            f"What the classifier reads halfway between two classes, at {self.n_halfway} latent vectors each; of the "
            "share read as a third class with its 95 % interval. No real image lies there, so no share is right."
        )
        return Table("halfway", caption, columns, rows), sum(row[4] for row in rows) / len(rows)


def _halfway_row(way: tuple[int, int], counts: Tensor) -> list[Any]:
    n = int(counts.sum())
    first, second = (int(counts[label]) for label in way)
    third = n - first - second
    names = [CLASS_NAMES[label] for label in way]
    most = CLASS_NAMES[int(counts.argmax())]
    return [*names, first / n, second / n, third / n, *share_interval(third, n), most]


def _rows(images: Tensor, columns: int) -> Any:
    """[R * columns, 1, 28, 28] as the numpy array [R, columns, 28, 28] that `class_grid` takes."""
    return images.squeeze(1).unflatten(0, (-1, columns)).numpy()
