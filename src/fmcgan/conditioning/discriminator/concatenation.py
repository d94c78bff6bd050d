import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number
from fmcgan.conditioning.discriminator.base import DiscriminatorConditioning, DiscriminatorOutput


class Concatenation(DiscriminatorConditioning):
    """A hidden layer receives [f(x), e(y)] (Mirza & Osindero 2014, section 3.2).

    Without a hidden layer the label would only add a constant to the logit.
    """

    def __init__(
        self, embedding_dim: int = 50, hidden_dim: int = 128, num_classes: int = 10, channels: int = 1
    ) -> None:
        super().__init__(num_classes, channels)
        whole_number(embedding_dim=embedding_dim, hidden_dim=hidden_dim)
        self.embedding_dim, self.hidden_dim = embedding_dim, hidden_dim

    @override
    def head(self, features: int) -> nn.Module:
        return ConcatenationHead(features, self.embedding_dim, self.hidden_dim, self.num_classes)


class ConcatenationHead(nn.Module):
    """One hidden layer on features and embedding; see `Concatenation`."""

    def __init__(self, features: int, embedding_dim: int, hidden_dim: int, num_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        self.label_parts = [self.embedding]
        self.layers = nn.Sequential(
            nn.Linear(features + embedding_dim, hidden_dim), nn.LeakyReLU(0.2, inplace=True), nn.Linear(hidden_dim, 1)
        )

    @override
    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        joined = torch.cat([features, self.embedding(labels).to(features.dtype)], dim=1)
        return DiscriminatorOutput(self.layers(joined).squeeze(1).float())
