"""Base class of the parts of the analysis, and functions that they share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from fmcgan.analysis.section import Section
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import MOST_CLASSES, short_names, some_classes
from fmcgan.figure.grid import PAPER, class_grid
from fmcgan.figure.quiz import Quiz, draw_quiz
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.results_store import Store

MOST_ROWS = 3 * MOST_CLASSES  # of the grid of samples, which is read row by row
EXAMPLES = 6  # images of either origin that show an effect
_RESERVED = ("all", "agreement")  # other words at the place of a class in keys


@dataclass(frozen=True)
class Subject:
    """Samples to analyse, with their real images, generator and run.

    Samples are compared with the training split of the data set; the floor of an effect is the difference between its
    test and training splits.
    """

    samples: ImageSet  # their labels are those given to the generator
    real: RealImages
    generator: nn.Module | None
    """In evaluation mode, on the device of the samples, with ``latent_dim``: G(latent float32 [B, Z], labels int64 [B])
    -> [B, C, H, W] in [-1, 1]. ``None`` for samples from a file."""
    run: Path | None  # folder of the run that trained the generator; ``None`` if unknown
    seed: int  # of all random choices, non-negative
    store: Store  # cache of results that depend on real images only, by keys that name all their inputs
    discriminator: nn.Module | None = None
    """That of the run, in evaluation mode, on the device of the samples: D(images [B, C, H, W] in [-1, 1], labels [B])
    -> logits [B]. ``None`` for samples from a file and for an exported generator."""

    @property
    def info(self) -> DatasetInfo:
        """Classes and shape of the images."""
        return self.real.info


class NotApplicable(InvalidValueError):  # noqa: N818 (the part is skipped)
    """Error for a subject that lacks an input of a part; the message says which, and how to provide it."""


class Analysis(ABC):
    """Base class of a part of the analysis: one Python file and one yaml in ``configs/analysis``.

    The same subject gives the same section: random numbers follow from its seed, the global random state is unchanged,
    and a part has no state beyond its parameters. Constructors raise `InvalidValueError` for parameters of another
    type or range.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Modules of the extra `analysis` that the part imports; it is skipped if one is not installed."""

    def fit(self, real: RealImages) -> None:
        """Adapts the feature networks of the part to a data set, before `analyse`.

        Raises:
            NotApplicable: a network has no use on these images.
        """
        for each in vars(self).values():
            if isinstance(each, FeatureNetwork):
                try:
                    each.fit(real)
                except UserError as error:
                    raise NotApplicable(str(error)) from error

    @abstractmethod
    def analyse(self, subject: Subject) -> Section:
        """Analyses a subject.

        Raises:
            NotApplicable: the subject has too few samples, or lacks something that the part needs, such as a generator.
        """


def common_classes(*sets: ImageSet, least: int = 1) -> list[int]:
    """Returns the classes, ascending, of which every set has at least ``least`` images."""
    counts = torch.stack([images.labels.bincount(minlength=sets[0].info.num_classes) for images in sets])
    return (counts >= least).all(dim=0).nonzero().squeeze(1).tolist()


def class_key(info: DatasetInfo, label: int | None) -> str:
    """Returns the name of a class in keys and tables; ``all`` for ``None``.

    Slashes separate the parts of a key and "all" means all classes, so that a class with such a name gets another key.
    """
    if label is None:
        return "all"
    name = info.class_names[label]
    return f"{info.column(label)}_{label}" if "/" in name or name in _RESERVED else name


def class_noun(info: DatasetInfo, label: int | None) -> str:
    """Returns the plural noun of a class, such as ``t-shirts``; ``images`` for ``None``."""
    return "images" if label is None else info.plural(label)


def evenly_ranked(values: NDArray[np.float64], count: int = EXAMPLES) -> NDArray[np.int64]:
    """Returns the indices of ``count`` of [N] values at evenly spaced quantiles, 5 to 95 %, ascending; NaN is last."""
    ranks = (np.linspace(0.05, 0.95, count) * (len(values) - 1)).round().astype(int)
    return values.argsort(kind="stable")[ranks]


def image_rows(images: ImageSet, rows: Sequence[Tensor], columns: int) -> NDArray[np.uint8]:
    """Arranges images as tiles, uint8 [R, columns, H, W] or [R, columns, H, W, 3]; short rows end with blank tiles.

    ``rows`` holds the indices of the images of each of R rows; those beyond the columns are left out.
    """
    tiles = torch.full((len(rows), columns, *images.info.shape), PAPER, dtype=torch.uint8)
    for tile, index in zip(tiles, rows, strict=True):
        tile[: len(index)] = images.images[index[:columns]]
    return to_pixels(tiles)


def quiz(subject: Subject, classes: int = 10, columns: int = 5) -> Quiz | None:
    """Mixes samples with real training images, at most ``columns`` of either in a row for each class.

    Of many classes, ``classes`` are chosen evenly. ``None`` if samples and training images share no class.
    """
    sets = subject.samples, subject.real.train
    labels, _ = some_classes(common_classes(*sets), most=classes)
    if not labels:
        return None
    members = [[images.of_class(label) for label in labels] for images in sets]
    columns = min(columns, *(len(index) for rows in members for index in rows))
    generated, real = (image_rows(images, rows, columns) for images, rows in zip(sets, members, strict=True))
    return draw_quiz(generated, real, short_names([subject.info.class_names[label] for label in labels]), subject.seed)


def sample_grid(samples: ImageSet, most_columns: int) -> Image:
    """Draws the first samples of each class, at most ``most_columns``, with one row per class that has samples.

    A grid of more than `MOST_ROWS` classes shows some of them and says so above.
    """
    labels, note = some_classes(common_classes(samples), most=MOST_ROWS)
    rows = [samples.of_class(label) for label in labels]
    tiles = image_rows(samples, rows, min(most_columns, max(map(len, rows))))
    return class_grid(tiles, [samples.info.class_names[label] for label in labels], title=note or None)
