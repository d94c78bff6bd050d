"""How fast images change along ways of the latent space: perceptual path length, on our classifier's features."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fmcgan.analysis.latent.space import slerp
from fmcgan.analysis.section import Column, Table

EPSILON = 1e-3
"""Share of a way over which a difference is taken: small beside all bends, large beside the rounding of float32."""

_AT_ONCE = 250


@torch.no_grad()
def path_lengths(
    generator: nn.Module,
    features_of: Callable[[Tensor], Tensor],
    latents: tuple[Tensor, Tensor],
    shares: Tensor,
    labels: Tensor,
    epsilon: float = EPSILON,
) -> Tensor:
    """The squared speed of the features along the great circle between two latent vectors, at one place of it each.

    ``d(G(slerp(z₁, z₂; t)), G(slerp(z₁, z₂; t + ε)))² / ε²`` (Karras et al. 2019, "A style-based generator
    architecture", eq. 2, in Z), whose mean is the perceptual path length. There d² is a perceptual distance that is
    itself quadratic; here it is the squared Euclidean distance of features of our own, so its numbers are not those of
    other projects. The images are not rounded to grey levels, which such small steps would hardly move.

    Args:
        generator: G(latent, labels) -> [B, 1, 28, 28] in [-1, 1], in evaluation mode.
        features_of: images float [B, 1, 28, 28] in [-1, 1] -> features [B, F].
        latents: standard normal, where each way begins and ends, [N, Z] each.
        shares: how much of the way each place lies behind, [N], in 0..1.
        labels: int64 [N].
        epsilon: ε, a share of the way.

    Returns:
        float64 [N].
    """
    first, second = (each.double() for each in latents)  # the step is small beside the vectors
    here, there = (slerp(first, second, shares.double()[:, None] + step).float() for step in (0.0, epsilon))
    found = []
    for some, others, of_class in zip(*(each.split(_AT_ONCE) for each in (here, there, labels)), strict=True):
        features, moved = (features_of(generator(z, of_class)).double() for z in (some, others))
        found.append((moved - features).square().sum(dim=1) / epsilon**2)
    return torch.cat(found)


def mean_squared_distance(features: Tensor) -> float | None:
    """Of two different rows of [N, F], over all pairs: twice the sum of the variances; none of fewer than 2 rows."""
    return 2 * features.double().var(dim=0).sum().item() if len(features) > 1 else None


def lengths_table(rows: Sequence[Sequence[Any]], n: int) -> Table:
    """What `path_lengths` gave, class by class.

    Args:
        rows: class, mean, its interval, distance of two samples, the mean divided by it, distance of two real images.
        n: ways a class.
    """
    columns = [
        Column("class", "class"),
        Column("path_length", "path length", "number", 2),
        Column("low", "at least", "number", 2),
        Column("high", "at most", "number", 2),
        Column("samples_distance", "two random samples", "number", 2),
        Column("detour", "path length / two samples", "number", 2),
        Column("real_distance", "two random real images", "number", 2),
    ]
    caption = (
        f"Perceptual path length of {n} ways a class: squared speed of the classifier's features from one latent "
        "vector to another, with its 95 % interval. No real images can say what it should be. Beside it the mean "
        "squared distance of two samples of the class: a way that led straight and at even speed from one to the other "
        "would have exactly that path length, and none can have less on average. The last column is the same of two "
        "real test images, as a yardstick of how far apart garments of the class are."
    )
    return Table("path_length", caption, columns, rows)
