"""Random choices of images within each class."""

import torch
from torch import Tensor


def stratified(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Draws a share of each class at random, at least one image, and leaves at least one.

    Returns the ascending indices of those that are left and of the drawn ones among labels int64 [N].
    """
    left, drawn = [], []
    for label in labels.unique().tolist():
        order = shuffled_members(labels, label, seed)
        n_drawn = min(max(1, round(share * len(order))), len(order) - 1)
        drawn.append(order[:n_drawn])
        left.append(order[n_drawn:])
    return torch.cat(left).sort().values, torch.cat(drawn).sort().values


def shuffled_members(labels: Tensor, label: int, seed: int) -> Tensor:
    """Returns the indices of a class among labels int64 [N], in a random order that depends on seed and class."""
    members = (labels == label).nonzero().squeeze(1)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + label)
    return members[torch.randperm(len(members), generator=generator)]
