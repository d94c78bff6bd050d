from torch import Tensor, nn
from typing_extensions import override

from fmcgan.conditioning.discriminator.base import DiscriminatorConditioning, DiscriminatorOutput


class Projection(DiscriminatorConditioning):
    """logit = v . f(x) + b + e(y) . f(x) (Miyato & Koyama 2018, eq. 3)."""

    @override
    def head(self, features: int) -> nn.Module:
        return ProjectionHead(features, self.num_classes)


class ProjectionHead(nn.Module):
    """A linear layer plus the inner product with the label's embedding."""

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.logit = nn.Linear(features, 1)
        self.embedding = nn.Embedding(num_classes, features)
        nn.init.normal_(self.embedding.weight, 0.0, 0.02)

    @override
    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        projected = (features * self.embedding(labels)).sum(dim=1)
        return DiscriminatorOutput((self.logit(features).squeeze(1) + projected).float())
