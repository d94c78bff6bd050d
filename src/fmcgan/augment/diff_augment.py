from collections.abc import Mapping

from torch import Tensor, nn
from typing_extensions import override

from fmcgan.augment.base import Augmentation


class DiffAugment(Augmentation):
    """Applies its policies in order, each to every image (Zhao et al. 2020, DiffAugment).

    The yaml chooses those of the paper: colour, translation and cutout, with `Brightness` for colour.
    """

    def __init__(self, policies: Mapping[str, Augmentation]) -> None:
        super().__init__()
        self.policies = nn.ModuleList(policies.values())
        self.reads_signs = any(getattr(policy, "reads_signs", False) for policy in policies.values())

    @override
    def forward(self, images: Tensor) -> Tensor:
        for policy in self.policies:
            images = policy(images)
        return images

    @override
    def update(self, real_logits: Tensor) -> dict[str, Tensor]:
        recorded: dict[str, Tensor] = {}
        for policy in self.policies:
            assert isinstance(policy, Augmentation)
            recorded |= policy.update(real_logits)
        return recorded
