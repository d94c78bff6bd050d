"""What a score is: numbers measured together on labelled images and set beside the same numbers of real images."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from fmcgan.metric.bootstrap import Interval
from fmcgan.metric.image_set import ImageSet


class Measurement(NamedTuple):
    """A number, which way it improves, and how sure it is."""

    value: float
    better: Literal["lower", "higher", "real"]
    """``real``: the nearer to what real images get, the better."""
    interval: Interval | None = None
    """95 % bootstrap interval over the samples, where the score allows one and the set asks for it."""
    by_class: Sequence[float | None] | None = None
    """The same of each of the ten classes alone; ``None`` for a class that has no samples."""


class RealImages(NamedTuple):
    """Both splits of the data set and the one that samples are compared with."""

    train: ImageSet
    test: ImageSet
    reference_split: Literal["train", "test"] = "test"

    @property
    def reference(self) -> ImageSet:
        """The split that samples are compared with."""
        return self.test if self.reference_split == "test" else self.train

    @property
    def other(self) -> ImageSet:
        """The split that is not the reference."""
        return self.train if self.reference_split == "test" else self.test


class Metric(ABC):
    """Numbers measured together; their names carry the protocol, as in ``fd_classifier_10k_test``.

    A score has no state beyond its parameters: the same samples and real images give the same bits, whatever was
    measured before, and the global random state is neither read nor changed. What it needs of a set more than once
    it keeps with `ImageSet.derived`. It is not a module: its networks are never trained and never in a checkpoint.
    """

    n: int | None = None
    """How many samples it asks for; ``None``: as many as the evaluation takes."""

    quick: bool = True
    """Whether it takes seconds; a score of minutes is measured on real images only, not on the other rows."""

    begins: Sequence[str] = ()
    """How the names of its measurements begin, up to the number of samples; empty where that is not known."""

    fewest: int = 2
    """Samples below which its value says more about their number than about them; `Evaluator` then warns."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """Says in full what is measured: every parameter and the version of every network. Keys what is kept."""

    @abstractmethod
    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Scores a set of samples.

        Args:
            samples: any number of at least 2; the names carry it.
            real: what the samples are compared with.

        Returns:
            Name -> measurement. No value is NaN or infinite, whatever the samples are.
        """

    def real_samples(self, real: RealImages) -> ImageSet:
        """Real images to score as if they were samples: what the best generator would get.

        They are not part of what the score compares with: by default the split that is not the reference. What reads
        labels takes test images, because the classifier has learned the training images.
        """
        return real.other

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, Any]:
        """What the score found beyond numbers, as plain JSON types, for the record and the figures."""
        return {}
