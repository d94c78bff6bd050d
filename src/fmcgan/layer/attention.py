"""Every place of a map looks at every other."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import whole_number


class SelfAttention(nn.Module):
    """x + gamma * attention(x) (Zhang et al. 2019, SAGAN, eq. 1 to 3), the identity until gamma is learnt.

    Queries, keys and values have an eighth of the channels, and their products are not divided by anything, as in the
    paper. Written out rather than by `F.scaled_dot_product_attention`, whose fast kernels have no second derivative:
    gradient penalties need it.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        whole_number(channels=channels)
        inner = max(1, channels // 8)
        self.query, self.key, self.value = (nn.Linear(channels, inner, bias=False) for _ in range(3))
        self.out = nn.Linear(inner, channels, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    @override
    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        places = input.permute(0, 2, 3, 1).flatten(1, 2)  # [B, H * W, C], a view of a channels-last map
        closeness = self.query(places) @ self.key(places).transpose(1, 2)  # [B, place that looks, place looked at]
        seen = self.out(closeness.softmax(dim=2) @ self.value(places))
        return input + self.gamma * seen.unflatten(1, input.shape[2:]).permute(0, 3, 1, 2)
