import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.conditioning.discriminator.base import DiscriminatorConditioning, DiscriminatorOutput


class AuxiliaryClassifier(DiscriminatorConditioning):
    """AC-GAN (Odena et al. 2017, eq. 2 and 3): an auxiliary head classifies real and generated images.

    The discriminator minimises its loss + weight * (cross-entropy on real + cross-entropy on generated images), the
    generator its loss + weight * cross-entropy on generated images. The logit does not depend on the label. The paper's
    weight is 1.
    """

    def __init__(self, weight: float = 1.0, num_classes: int = 10, channels: int = 1) -> None:
        super().__init__(num_classes, channels)
        number(minimum=0, weight=weight)
        self.weight = weight

    @override
    def head(self, features: int) -> nn.Module:
        return AuxiliaryHead(features, self.weight, self.num_classes)


class AuxiliaryHead(nn.Module):
    """A logit and a weighted cross-entropy for each sample; see `AuxiliaryClassifier`."""

    def __init__(self, features: int, weight: float, num_classes: int) -> None:
        super().__init__()
        self.weight = weight
        self.logit = nn.Linear(features, 1)
        self.classes = nn.Linear(features, num_classes)

    @override
    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        cross_entropy = F.cross_entropy(self.classes(features).float(), labels, reduction="none")
        return DiscriminatorOutput(self.logit(features).squeeze(1).float(), self.weight * cross_entropy)
