"""What a score is: a set of numbers measured together on labelled images, each beside its real-data floor."""

import logging
from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.checks import whole_number
from fmcgan.data.classes import NUM_CLASSES

_log = logging.getLogger(__name__)


class LabelledImages(NamedTuple):
    """Images and, one for one, the class each belongs to or was asked to show."""

    images: Tensor
    """uint8 [N, 1, 28, 28] in 0..255."""
    labels: Tensor
    """int64 [N] in 0..9."""


class Measurement(NamedTuple):
    """A number and which way it improves."""

    value: float
    better: Literal["lower", "higher"]


class Score(ABC):
    """A set of numbers measured together; their names carry the protocol, as in ``fd_classifier_10k_test``.

    `prepare` once, then `measure` as often as wanted. The reference is the whole test split. Nothing here draws from
    the global random state, so measuring during training leaves the training as it is. A score is not a module: its
    networks are never trained and never in a checkpoint.
    """

    n: int
    """Number of samples of the protocol, from `prepare`."""
    device: torch.device
    """Where the networks compute, from `prepare`."""

    def prepare(
        self, train: LabelledImages, test: LabelledImages, n: int, device: torch.device | str | None = None
    ) -> None:
        """Measures the reference and chooses the real images of the floor.

        Args:
            train: the training split; `floors` scores ``n`` of its images, balanced over the classes. If it has fewer,
                it uses them all and logs a warning.
            test: the test split, the reference.
            n: how many samples every later measurement has, at least 2.
            device: where the networks compute; ``None`` takes the device of the test images.

        Raises:
            ValueError: ``n`` is not a whole number of at least 2.
        """
        whole_number(2, n=n)
        self.n = n
        self.device = test.images.device if device is None else torch.device(device)
        if len(train.labels) < n:
            _log.warning("floors of the %d-sample scores use the %d training images there are", n, len(train.labels))
        chosen = class_balanced(train.labels, n)
        self._floor_images = LabelledImages(train.images[chosen], train.labels[chosen])
        self._floors: dict[str, float] | None = None
        self._set_reference(test)

    def measure(self, samples: LabelledImages) -> dict[str, Measurement]:
        """Scores generated images.

        Args:
            samples: as many as `prepare` was told, on any device.

        Returns:
            Name -> value and which way is better.

        Raises:
            ValueError: another number of samples than the names say.
        """
        if len(samples.images) != self.n or len(samples.labels) != self.n:
            given = f"{len(samples.images)} images with {len(samples.labels)} labels"
            raise ValueError(f"samples must be the {self.n} images of the protocol, got {given}")
        return self._measure(samples)

    def floors(self) -> dict[str, float]:
        """What real images get under the same names and protocol: the best value that can be expected of samples.

        Measured at the first call and kept.
        """
        if self._floors is None:
            self._floors = self._measure_floors(self._floor_images)
        return dict(self._floors)

    @abstractmethod
    def _set_reference(self, test: LabelledImages) -> None:
        """Measures what every comparison needs of the test split."""

    @abstractmethod
    def _measure(self, samples: LabelledImages) -> dict[str, Measurement]:
        """Scores samples, however many."""

    def _measure_floors(self, real: LabelledImages) -> dict[str, float]:
        """Scores real training images as if they were samples."""
        return {name: measurement.value for name, measurement in self._measure(real).items()}


def class_balanced(labels: Tensor, n: int) -> Tensor:
    """Chooses ``n`` images, as evenly over the classes as they allow: always the first of each class.

    Args:
        labels: int64 [N], of the images to choose from.
        n: how many.

    Returns:
        Their indices in rising order, int64 [min(n, N)].
    """
    within_class = F.one_hot(labels, NUM_CLASSES).cumsum(dim=0).gather(1, labels[:, None]).squeeze(1)
    # The first image of every class comes before the second of any: a prefix of this order is balanced.
    return (within_class * NUM_CLASSES + labels).argsort()[:n].sort().values


def count_name(n: int) -> str:
    """The sample count as names carry it: 10000 -> ``10k``, 2500 -> ``2500``."""
    return f"{n // 1000}k" if n % 1000 == 0 and n > 0 else str(n)
