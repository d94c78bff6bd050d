import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.discriminator.base import DiscriminatorConditioning, DiscriminatorOutput


def label_plane(num_classes: int, embedding_dim: int, size: int) -> nn.Sequential:
    """Builds a learnt image of the class, a linear map of its embedding: int64 [B] to [B, 1, ``size``, ``size``]."""
    embedding = nn.Embedding(num_classes, embedding_dim)
    return nn.Sequential(embedding, nn.Linear(embedding_dim, size * size), nn.Unflatten(1, (1, size, size)))


class LabelMap(DiscriminatorConditioning):
    """A learnt image of the class as a further input channel, as in recipe A."""

    def __init__(self, embedding_dim: int = 50, num_classes: int = 10, channels: int = 1, image_size: int = 28) -> None:
        super().__init__(num_classes, channels)
        whole_number(embedding_dim=embedding_dim, image_size=image_size)
        self.plane = label_plane(num_classes, embedding_dim, image_size)

    @property
    @override
    def image_channels(self) -> int:
        return self.channels + 1

    @override
    def combine(self, images: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([images, self.plane(labels).to(images.dtype)], dim=1)

    @override
    def head(self, features: int) -> nn.Module:
        return LinearHead(features)


class LinearHead(nn.Module):
    """A linear layer; the features already depend on the label."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.logit = nn.Linear(features, 1)

    @override
    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.logit(features).squeeze(1).float())
