"""The protocol of the measurement: sizes, arms and seeds, and the training of each classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from fmcgan.app.checks import MOST_IMAGES, number, one_of, positive_number, seed_number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.data.subset import Subset
from fmcgan.downstream.arms import AUGMENTED, NOTHING, ONLY_GENERATED, REPEATED, TOPPED_UP, Arm, ratio_arm
from fmcgan.downstream.fixed_training import AUGMENTATION, OPTIMIZER
from fmcgan.metric.gan_train import NETWORKS, design


class RealSize(NamedTuple):
    """A kind of set of real images; the seed decides which images it has."""

    n: int
    long_tail: float | None = None  # images of the first class for each one of the last; ``None``: as in the data set

    @property
    def title(self) -> str:
        """In words."""
        return f"n = {self.n:,}" + ("" if self.long_tail is None else f", long tail {self.long_tail:g} : 1")

    def subset(self, seed: int) -> Subset:
        """Returns the choice of images under a seed: that of ``data.subset`` in a training."""
        return Subset(n=self.n, long_tail=self.long_tail, seed=seed)


@dataclass(frozen=True)
class Protocol:
    """Sizes, arms, seeds and training.

    Args:
        sizes: numbers n of real images; those above the size of the training set count as all of it.
        ratios: numbers m / n of generated images for each real one.
        augmented_ratios: ratios at which all images are also augmented.
        only_generated: whether a classifier is also trained on n generated images and no real one.
        long_tail: images of the first class for each one of the last, in the order of the labels; ``None``: no
            long-tailed sets.
        long_tail_sizes: numbers n of real images in long-tailed sets.
        seeds: each chooses real images, generated images, initial weights and order; at least two.
        network: classifier, a key of `fmcgan.metric.gan_train.NETWORKS`.
        steps: of the optimizer, the same for every arm and size; at least 10.
        batch_size: images of a step.
        learning_rate: largest one, of one cycle.

    Raises:
        InvalidValueError: a value is out of range.
    """

    sizes: Sequence[int]
    ratios: Sequence[float]
    augmented_ratios: Sequence[float]
    only_generated: bool
    long_tail: float | None
    long_tail_sizes: Sequence[int]
    seeds: Sequence[int]
    network: str
    steps: int
    batch_size: int
    learning_rate: float

    def __post_init__(self) -> None:
        for name in ("sizes", "long_tail_sizes", "ratios", "augmented_ratios", "seeds"):
            self._check_list(f"protocol.{name}", list(getattr(self, name)))
        if len(self.seeds) < 2:
            raise InvalidValueError(f"protocol.seeds must be at least two: no interval without, got {[*self.seeds]}")
        if self.long_tail is not None:
            number(1, 10_000, **{"protocol.long_tail": self.long_tail})
        if not self.real_sizes(MOST_IMAGES):
            raise InvalidValueError("protocol.sizes is empty; give at least one number of real images, such as [500]")
        one_of(tuple(NETWORKS), **{"protocol.network": self.network})
        whole_number(minimum=10, maximum=1_000_000, **{"protocol.steps": self.steps})
        whole_number(maximum=MOST_IMAGES, **{"protocol.batch_size": self.batch_size})
        positive_number(**{"protocol.learning_rate": self.learning_rate})

    @staticmethod
    def _check_list(name: str, values: list[object]) -> None:
        for value in values:
            if name.endswith("sizes"):
                whole_number(minimum=2, maximum=MOST_IMAGES, **{name: value})
            elif name.endswith("ratios"):
                positive_number(1000, **{name: value})
            else:
                seed_number(**{name: value})
        if len(set(values)) < len(values):
            raise InvalidValueError(f"{name} must not repeat a value, got {values}")

    def real_sizes(self, available: int) -> list[RealSize]:
        """Returns the sets of a data set with ``available`` training images, those of all images once."""
        sizes = dict.fromkeys(RealSize(min(n, available)) for n in self.sizes)
        tails = [] if self.long_tail is None else [RealSize(n, self.long_tail) for n in self.long_tail_sizes]
        return [*sizes, *(each for each in tails if each.n <= available)]

    def arms(self, size: RealSize) -> list[Arm]:
        """Returns the arms of a set, those without generated images first."""
        if size.long_tail is not None:
            return [NOTHING, AUGMENTED, REPEATED, TOPPED_UP]
        ratios = [ratio_arm(ratio) for ratio in sorted(self.ratios)]
        augmented = [ratio_arm(ratio, augmented=True) for ratio in sorted(self.augmented_ratios)]
        return [NOTHING, AUGMENTED, *ratios, *augmented, *([ONLY_GENERATED] if self.only_generated else [])]

    def training(self, info: DatasetInfo) -> str:
        """Describes the training of a classifier, as part of the key of stored results."""
        with torch.device("meta"):
            network = f"{self.network} {design(self.network, info)}"
        steps = f"{self.steps} steps of {OPTIMIZER} up to {self.learning_rate!r} in batches of {self.batch_size}"
        return f"{network}, {steps}; augmentation: {AUGMENTATION}{', mirrored' if info.flips else ''}"
