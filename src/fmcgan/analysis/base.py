"""Base class of the parts of the analysis: each turns samples, real images and perhaps a generator into a section."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from fmcgan.analysis.section import Section
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES, plural
from fmcgan.figure.grid import PAPER
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store


@dataclass(frozen=True)
class Subject:
    """What is analysed.

    Args:
        samples: generated images and the classes they were asked to show.
        real: the data set. Samples are compared with its training split. The difference between its test split and its
            training split is the floor of an effect: no generator can be expected to come closer.
        generator: of the samples, on the CPU in evaluation mode, with ``latent_dim``: G(latent float32 [B, Z],
            labels int64 [B]) -> [B, 1, 28, 28] in [-1, 1]. ``None`` if the samples came from a file.
        run: the folder of the run that trained it, if there is one.
        seed: non-negative; of every random choice.
        store: cache of results on real images alone, under keys that name everything they depend on.
    """

    samples: ImageSet
    real: RealImages
    generator: nn.Module | None
    run: Path | None
    seed: int
    store: Store


class NotApplicable(InvalidValueError):  # noqa: N818 (not a fault: the part is left out)
    """The subject lacks what a part needs; the text says what, and how to provide it."""


class Analysis(ABC):
    """A part of the analysis: one file, and one yaml in ``configs/analysis``.

    A part has no state beyond its parameters. It draws all random numbers from the subject's seed and does not change
    the global random state, so that the same subject gives the same section.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Import names, of the extra `analysis`, that this part needs. It is left out where one is not installed."""

    @abstractmethod
    def analyse(self, subject: Subject) -> Section:
        """Analyses a subject.

        Raises:
            NotApplicable: the subject has too few samples, or lacks something that the part needs, such as a generator.
        """


def common_classes(*sets: ImageSet, least: int = 1) -> list[int]:
    """The classes, in rising order, of which every set has at least ``least`` images."""
    return [label for label in range(NUM_CLASSES) if all(len(images.of_class(label)) >= least for images in sets)]


def class_key(label: int | None) -> str:
    """The name of a class as in keys and tables; ``all`` for ``None``."""
    return "all" if label is None else CLASS_NAMES[label]


def class_noun(label: int | None) -> str:
    """The noun for the images of a class in sentences: ``t-shirts``; ``images`` for ``None``."""
    return "images" if label is None else plural(label)


def image_rows(images: ImageSet, rows: Sequence[Tensor], columns: int) -> NDArray[np.uint8]:
    """Arranges images in rows, with paper behind the last image of a short row.

    Args:
        images: a set.
        rows: indices of the images of each row.
        columns: length of a row.

    Returns:
        uint8 [R, columns, 28, 28].
    """
    tiles = np.full((len(rows), columns, 28, 28), PAPER, dtype=np.uint8)
    for tile, index in zip(tiles, rows, strict=True):
        tile[: len(index)] = images.images[index[:columns], 0].numpy()
    return tiles
