"""What a part of the analysis is: labelled samples, real images and perhaps their generator in, a section out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import nn

from fmcgan.analysis.section import Section
from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.base import RealImages
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Store


@dataclass(frozen=True)
class Subject:
    """What is analysed.

    Args:
        samples: generated images and the classes they were asked to show.
        real: the data set. Samples are compared with its training split; what its test split shows against the same
            is the floor of every effect, because no generator can be expected to be nearer.
        generator: that made the samples, on the CPU in evaluation mode, with ``latent_dim``: G(latent float32 [B, Z],
            labels int64 [B]) -> [B, 1, 28, 28] in [-1, 1]. ``None`` if the samples came from elsewhere.
        run: the folder of the run that trained it, if there is one.
        seed: non-negative; of every random choice.
        store: where what was computed of real images alone is kept, under a key that says what it is a function of.
    """

    samples: ImageSet
    real: RealImages
    generator: nn.Module | None
    run: Path | None
    seed: int
    store: Store


class NotApplicable(InvalidValueError):  # noqa: N818 (no fault of anybody: this part needs what the subject lacks)
    """The subject lacks what this part needs; the text says what, and how to have it."""


class Analysis(ABC):
    """A part of the analysis: one file, one yaml in ``configs/analysis``.

    It has no state beyond its parameters, draws all random numbers from the subject's seed and leaves the global random
    state as it was; the same subject gives the same section.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Import names, of the extra `analysis`, that this part needs. It is left out where one is not installed."""

    @abstractmethod
    def analyse(self, subject: Subject) -> Section:
        """Analyses a subject.

        Raises:
            NotApplicable: the subject lacks what this part needs, such as a generator, or has too few samples.
        """


def classes_of(samples: ImageSet, least: int = 1) -> Iterator[int]:
    """The classes, in rising order, of which a set holds at least so many images."""
    return (label for label in samples.labels.unique().tolist() if len(samples.of_class(label)) >= least)
