"""Latent space: random vectors, interpolation, steps along directions, and mixtures of classes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.training.latent import LatentStream, latent_dim_of, seed_of
from fmcgan.training.sampling import render

_NEARLY_STRAIGHT = 1e-6  # sine of an angle below which two vectors count as collinear: their great circle is undefined


def latent_generator(subject: Subject) -> tuple[nn.Module, int]:
    """Returns the generator of a subject and its latent dimension.

    Raises:
        NotApplicable: there is no generator.
    """
    if subject.generator is None:
        raise NotApplicable("samples from a file have no latent space; give run=outputs/...")
    return subject.generator, latent_dim_of(subject.generator)


def balanced_latents(classes: Sequence[int], latent_dim: int, n_per_class: int, *key: int) -> tuple[Tensor, Tensor]:
    """Draws standard normal latent vectors, float32 [K * n_per_class, Z], and labels of K classes, class by class.

    ``key`` identifies the random stream: non-negative numbers, the subject's seed first. Streams are independent, and
    so are the classes: the vectors of a class do not depend on the other ones.
    """
    seed = seed_of(*key)
    latents = [LatentStream(seed, label, latent_dim).draw(n_per_class) for label in classes]
    return torch.cat(latents), torch.tensor(classes).repeat_interleave(n_per_class)


def slerp(first: Tensor, second: Tensor, share: Tensor | float) -> Tensor:
    """Interpolates along the great circle between latent vectors (White 2016, "Sampling generative networks", 2.1).

    Linear interpolation would give vectors shorter than nearly all training vectors; it is used for collinear vectors.
    Vectors are [..., Z], and so is the result, of equal length if both are. ``share`` is the position in 0..1; a tensor
    must broadcast against [..., 1].
    """
    share = torch.as_tensor(share, dtype=first.dtype)
    angle = F.cosine_similarity(first, second, dim=-1).clamp(-1, 1).arccos().unsqueeze(-1)
    sine = angle.sin()
    on_a_line = sine.abs() < _NEARLY_STRAIGHT
    circle = (((1 - share) * angle).sin() * first + (share * angle).sin() * second) / sine.masked_fill(on_a_line, 1)
    return torch.where(on_a_line, torch.lerp(first, second, share), circle)


def set_coordinate(latents: Tensor, direction: Tensor, position: Tensor | float) -> Tensor:
    """Sets the coordinate of latent vectors [N, Z] along a direction of length 1, [Z].

    The position is one number, or [N]. The coordinate of a standard normal vector is standard normal, so positions are
    in standard deviations.
    """
    position = torch.as_tensor(position, dtype=latents.dtype)
    return latents + (position - latents @ direction)[:, None] * direction


@contextmanager
def blended(generator: nn.Module, num_classes: int, first: int, second: int, share: float) -> Iterator[None]:
    """Mixes label embeddings within a context: class ``first`` gets ``(1 - share) e(first) + share e(second)``.

    Acts on the output of every `nn.Embedding` with one row per class; no weight changes. ``share`` is in 0..1.
    """

    def mix(layer: nn.Embedding, arguments: tuple[Tensor], output: Tensor) -> Tensor:
        mixture = torch.lerp(layer.weight[first], layer.weight[second], share)
        return torch.where((arguments[0] == first)[..., None], mixture, output)

    handles = [
        module.register_forward_hook(mix)
        for module in generator.modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == num_classes
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def between_classes(
    generator: nn.Module, num_classes: int, latents: Tensor, first: int, second: int, share: float
) -> Tensor:
    """Generates images between two classes by `blended` embeddings, uint8 [N, C, H, W]."""
    with blended(generator, num_classes, first, second, share):
        return render(generator, latents, torch.full((len(latents),), first))


def can_blend(generator: nn.Module, num_classes: int, latents: Tensor, pairs: Sequence[tuple[int, int]]) -> bool:
    """Tests whether the label enters through embeddings only: a share of 1 must give the image of the second class.

    A difference of one grey level is allowed.
    """
    for first, second in pairs:
        end = between_classes(generator, num_classes, latents, first, second, 1.0)
        wanted = render(generator, latents, torch.full((len(latents),), second))
        if (end.int() - wanted.int()).abs().max() > 1:
            return False
    return True
