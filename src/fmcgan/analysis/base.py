"""Base class of the parts of the analysis, and functions that they share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from fmcgan.analysis.section import Section
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, plural
from fmcgan.figure.grid import PAPER, class_grid
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store


@dataclass(frozen=True)
class Subject:
    """Samples to analyse, with their real images, generator and run.

    Samples are compared with the training split of the data set; the floor of an effect is the difference between its
    test and training splits.
    """

    samples: ImageSet  # their labels are those given to the generator
    real: RealImages
    generator: nn.Module | None
    """On the CPU in evaluation mode, with ``latent_dim``: G(latent float32 [B, Z], labels int64 [B]) ->
    [B, 1, 28, 28] in [-1, 1]. ``None`` for samples from a file."""
    run: Path | None  # folder of the run that trained the generator; ``None`` if unknown
    seed: int  # of all random choices, non-negative
    store: Store  # cache of results that depend on real images only, by keys that name all their inputs


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

    @abstractmethod
    def analyse(self, subject: Subject) -> Section:
        """Analyses a subject.

        Raises:
            NotApplicable: the subject has too few samples, or lacks something that the part needs, such as a generator.
        """


def common_classes(*sets: ImageSet, least: int = 1) -> list[int]:
    """Returns the classes, ascending, of which every set has at least ``least`` images."""
    return [label for label in range(NUM_CLASSES) if all(len(images.of_class(label)) >= least for images in sets)]


def class_key(label: int | None) -> str:
    """Returns the name of a class in keys and tables; ``all`` for ``None``."""
    return "all" if label is None else CLASS_NAMES[label]


def class_noun(label: int | None) -> str:
    """Returns the plural noun of a class, such as ``t-shirts``; ``images`` for ``None``."""
    return "images" if label is None else plural(label)


def image_rows(images: ImageSet, rows: Sequence[Tensor], columns: int) -> NDArray[np.uint8]:
    """Arranges images as tiles, uint8 [R, columns, 28, 28]; short rows end with blank tiles.

    ``rows`` holds the indices of the images of each of R rows; those beyond the columns are left out.
    """
    tiles = np.full((len(rows), columns, 28, 28), PAPER, dtype=np.uint8)
    for tile, index in zip(tiles, rows, strict=True):
        tile[: len(index)] = images.images[index[:columns], 0].numpy()
    return tiles


def sample_grid(samples: ImageSet, most_columns: int) -> Image:
    """Draws the first samples of each class, at most ``most_columns``; classes without samples have no row."""
    labels = common_classes(samples)
    rows = [samples.of_class(label) for label in labels]
    tiles = image_rows(samples, rows, min(most_columns, max(map(len, rows))))
    return class_grid(tiles, [CLASS_NAMES[label] for label in labels])
