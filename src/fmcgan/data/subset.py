"""Choice of fewer training images, for experiments with little or unbalanced data."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.app.checks import number, seed_number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.data.stratified import shuffled_members


@dataclass(frozen=True)
class Subset:
    """Chooses training images at random; a smaller subset is part of a larger one with the same seed.

    Args:
        n: number of images, with the class shares of the rest of the choice; ``None``: all.
        per_class: images of each class; with ``long_tail``, of the first class.
        long_tail: ratio of the number of images of the first class to that of the last; the sizes between fall
            geometrically, in the order of the labels (Cui et al. 2019, section 5.1); ``None``: classes as they are.
        seed: of the choice.
    """

    n: int | None = None
    per_class: int | None = None
    long_tail: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        seed_number(seed=self.seed)
        given = {"n": self.n, "per_class": self.per_class}
        whole_number(**{name: value for name, value in given.items() if value is not None})
        if self.long_tail is not None:
            number(1, 10_000, long_tail=self.long_tail)
        if self.n is not None and self.per_class is not None:
            raise InvalidValueError(f"give either n or per_class, got n={self.n} and per_class={self.per_class}")

    @property
    def is_all(self) -> bool:
        """Whether all images are chosen."""
        return self.n is None and self.per_class is None and self.long_tail is None

    def choose(self, labels: Tensor, info: DatasetInfo) -> Tensor:
        """Returns the ascending indices of the chosen images, int64, among labels int64 [N].

        Raises:
            InvalidValueError: a class, or the whole set, has fewer images than asked for.
        """
        sizes = self._sizes(labels.bincount(minlength=info.num_classes), info)
        chosen = [shuffled_members(labels, label, self.seed)[:size] for label, size in enumerate(sizes)]
        return torch.cat(chosen).sort().values

    def _sizes(self, available: Tensor, info: DatasetInfo) -> list[int]:
        sizes = available.double()
        if self.per_class is not None or self.long_tail is not None:
            largest = self.per_class or int(available[0])
            falling = torch.arange(info.num_classes).double() / (info.num_classes - 1)
            wanted = largest * (self.long_tail or 1.0) ** -falling
            sizes = wanted.round().clamp(min=1)
            if self.per_class is None:
                sizes = sizes.minimum(available.double())
        if self.n is not None:
            if self.n > int(sizes.sum()):
                raise InvalidValueError(f"data.subset.n must be at most {int(sizes.sum())}, got {self.n}")
            sizes = _apportion(sizes, self.n)
        for label in (sizes > available).nonzero().flatten().tolist():
            raise InvalidValueError(
                f"data.subset.per_class={self.per_class}: class {info.class_names[label]} has only "
                f"{int(available[label])} training images"
            )
        return [int(size) for size in sizes]


def _apportion(sizes: Tensor, n: int) -> Tensor:
    """Scales sizes to the sum ``n`` in whole numbers: the largest remainders are rounded up."""
    exact = sizes * n / sizes.sum()
    whole = exact.floor()
    missing = int(n - whole.sum())
    order = (whole - exact).argsort(stable=True)
    whole[order[:missing]] += 1
    return whole
