"""Perceptual path length: how fast features of images change along paths in the latent space."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fmcgan.analysis.latent.space import slerp
from fmcgan.analysis.section import Column, Table
from fmcgan.app.device import full_float32

EPSILON = 1e-3
"""Step of the finite difference as a share of the path: small compared with bends, large compared with rounding."""
_AT_ONCE = 250


@torch.no_grad()
def path_lengths(
    generator: nn.Module,
    features_of: Callable[[Tensor], Tensor],
    latents: tuple[Tensor, Tensor],
    shares: Tensor,
    labels: Tensor,
) -> Tensor:
    """Computes the squared speed of the features at one point of the great circle between two latent vectors.

    ``d(G(slerp(z₁, z₂; t)), G(slerp(z₁, z₂; t + ε)))² / ε²`` (Karras et al. 2019, "A style-based generator
    architecture", eq. 2, in Z), whose mean is the perceptual path length. Here d² is the squared Euclidean distance of
    the classifier's features instead of a perceptual distance, so values cannot be compared with those of other
    projects. Images are not rounded to grey levels.

    Args:
        generator: G(latent, labels) -> [B, C, H, W] in [-1, 1], in evaluation mode, on any device.
        features_of: images float [B, C, H, W] in [-1, 1] on that device -> features [B, F].
        latents: standard normal start and end of each path, [N, Z] each.
        shares: position t of the point on its path, [N], in 0..1.
        labels: the class of each path, int64 [N].

    Returns:
        float64 [N] on the CPU.
    """
    device = next(generator.parameters()).device
    first, second = (each.double() for each in latents)  # because the step is small; on the CPU: MPS has no float64
    here, there = (slerp(first, second, shares.double()[:, None] + step).float() for step in (0.0, EPSILON))
    found = []
    with full_float32():  # the rounding of TF32 is as large as the differences
        for some, others, of_class in zip(*(each.split(_AT_ONCE) for each in (here, there, labels)), strict=True):
            on_device = of_class.to(device)
            ends = (features_of(generator(z.to(device), on_device)) for z in (some, others))
            features, moved = (each.cpu().double() for each in ends)
            found.append((moved - features).square().sum(dim=1) / EPSILON**2)
    return torch.cat(found)


def mean_squared_distance(features: Tensor) -> float | None:
    """Averages over all pairs of rows of [N, F]: twice the sum of the variances; None for fewer than 2 rows."""
    return 2 * features.double().var(dim=0).sum().item() if len(features) > 1 else None


def lengths_table(rows: Sequence[Sequence[object]], n: int, note: str) -> Table:
    """Makes the table of `path_lengths` by class, of ``n`` paths each, with one value per column in each row.

    ``note`` ends the caption.
    """
    columns = [
        Column("class", "class"),
        Column("path_length", "path length", "number", 2),
        Column("low", "95 % from", "number", 2),
        Column("high", "to", "number", 2),
        Column("samples_distance", "two random samples", "number", 2),
        Column("detour", "path length / two samples", "number", 2),
        Column("real_distance", "two random real images", "number", 2),
    ]
    caption = (
        f"Perceptual path length of {n} paths per class: squared speed of the classifier's features along the path "
        "from one latent vector to another, with its 95 % interval. There is no value for real images. The "
        "mean squared distance of two samples of the class is a lower bound, reached by a straight path at constant "
        "speed. The last column is the mean squared distance of two real test images of the class."
    )
    caption = f"{caption} {note}".rstrip()
    return Table("path_length", caption, columns, rows)
