"""What a classifier is trained on: real images alone, augmented, with generated ones, or generated ones only."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch
from torch import Tensor

from fmcgan.metric.image_set import class_counts


@dataclass(frozen=True)
class Arm:
    """One way to use n real images; all arms get the same number of optimizer steps.

    Args:
        name: in files, such as ``generated_0.5``.
        title: in words, such as ``m = n/2``.
        ratio: generated images for each real one, m / n.
        keeps_real: whether the real images are trained on too.
        fill: images that make every class as large as the largest: generated ones, or repeated real ones.
        augmented: whether all images are shifted, and mirrored where that is plausible.
    """

    name: str
    title: str
    ratio: float = 0.0
    keeps_real: bool = True
    fill: Literal["", "generated", "repeated"] = ""
    augmented: bool = False

    @property
    def uses_generated(self) -> bool:
        """Whether a generator is needed."""
        return self.ratio > 0 or self.fill == "generated"

    def generated_counts(self, real_counts: Tensor) -> list[int]:
        """Returns the number of generated images of each class, for real images by class, int64 [K].

        Those of a ratio are in the proportions of the real images.
        """
        if self.fill == "generated":
            return (real_counts.max() - real_counts).tolist()
        m = round(self.ratio * int(real_counts.sum()))
        return class_counts(real_counts.double(), m) if m else [0] * len(real_counts)

    def real_indices(self, labels: Tensor) -> Tensor:
        """Returns which real images, with labels int64 [N], are trained on; repeated ones occur several times."""
        if not self.keeps_real:
            return torch.empty(0, dtype=torch.int64)
        if self.fill != "repeated":
            return torch.arange(len(labels))
        members = [(labels == label).nonzero().squeeze(1) for label in labels.unique().tolist()]
        largest = max(map(len, members))
        return torch.cat([each.repeat(-(-largest // len(each)))[:largest] for each in members])


NOTHING = Arm("nothing", "nothing added")
AUGMENTED = Arm("augmented", "classical augmentation", augmented=True)
ONLY_GENERATED = Arm("only_generated", "only generated", ratio=1.0, keeps_real=False)
REPEATED = Arm("repeated", "rare classes repeated", fill="repeated")
TOPPED_UP = Arm("topped_up", "rare classes topped up", fill="generated")


def ratio_arm(ratio: float, augmented: bool = False) -> Arm:
    """Makes the arm of m = ratio · n generated images beside the real ones."""
    part = Fraction(ratio).limit_denominator(1000)
    title = f"m = {part.numerator if part.numerator != 1 else ''}n{f'/{part.denominator}' * (part.denominator != 1)}"
    if augmented:
        return Arm(f"generated_{ratio:g}_augmented", f"{title}, augmented", ratio=ratio, augmented=True)
    return Arm(f"generated_{ratio:g}", title, ratio=ratio)


def reference_of(arm: Arm) -> Arm | None:
    """Returns the arm that costs nothing to make and that this one has to beat, beside `NOTHING`; ``None`` for none."""
    if arm.fill == "generated":
        return REPEATED
    return AUGMENTED if arm.uses_generated else None
