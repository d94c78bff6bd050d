from torch import nn
from typing_extensions import override

from fmcgan.conditioning.discriminator.base import DiscriminatorConditioning
from fmcgan.conditioning.discriminator.label_map import LinearHead


class NoConditioning(DiscriminatorConditioning):
    """The discriminator ignores the label: logit = v . f(x) + b, the unconditional arm of a comparison."""

    @override
    def head(self, features: int) -> nn.Module:
        return LinearHead(features)
