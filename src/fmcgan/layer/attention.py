import torch
from torch import Tensor, nn

from fmcgan.app.checks import whole_number


class SelfAttention(nn.Module):
    """x + gamma * attention(x) (Zhang et al. 2019, SAGAN, eq. 1 to 3); gamma starts at 0.

    Queries, keys and values have an eighth of the channels, and their products are not scaled, as in the paper. The
    fast kernels of `F.scaled_dot_product_attention` have no second derivative, which gradient penalties need.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        whole_number(channels=channels)
        inner = max(1, channels // 8)
        self.query, self.key, self.value = (nn.Linear(channels, inner, bias=False) for _ in range(3))
        self.out = nn.Linear(inner, channels, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        pixels = input.permute(0, 2, 3, 1).flatten(1, 2)  # [B, H * W, C], a view of a channels-last map
        weights = (self.query(pixels) @ self.key(pixels).transpose(1, 2)).softmax(dim=2)  # [B, query, key]
        attended = self.out(weights @ self.value(pixels))
        return input + self.gamma * attended.unflatten(1, input.shape[2:]).permute(0, 3, 1, 2)
