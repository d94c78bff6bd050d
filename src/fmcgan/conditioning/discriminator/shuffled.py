import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.conditioning.discriminator.base import DiscriminatorOutput
from fmcgan.conditioning.discriminator.projection import Projection, ProjectionHead


class Shuffled(Projection):
    """`Projection` with the labels of each training batch in random order, for real and for generated images alike.

    A control: the networks have the parameters of the conditional ones, and the label says nothing about the class.
    In evaluation mode the labels keep their order.
    """

    @override
    def head(self, features: int) -> nn.Module:
        return ShuffledHead(features, self.num_classes)


class ShuffledHead(ProjectionHead):
    """A `ProjectionHead` that permutes the labels; see `Shuffled`."""

    @override
    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        if self.training:  # by sorting: unlike randperm, it is recorded in CUDA graphs
            labels = labels[torch.rand(len(labels), device=labels.device).argsort()]
        return super().forward(features, labels)
