"""What the parts that look into the latent space share: its generator, great circles, directions, blended classes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.data.classes import NUM_CLASSES
from fmcgan.training.latent import LatentStream, seed_of
from fmcgan.training.sampling import render

_NEARLY_STRAIGHT = 1e-6
"""Sine of an angle below which two vectors are taken to lie on one line, where a great circle is not defined."""


def generator_of(subject: Subject) -> nn.Module:
    """The generator of a subject.

    Raises:
        NotApplicable: it has none.
    """
    if subject.generator is None:
        raise NotApplicable("samples came from a file; give run= to look at the latent space")
    return subject.generator


def balanced_latents(latent_dim: int, n_per_class: int, *key: int) -> tuple[Tensor, Tensor]:
    """Standard normal latent vectors for all ten classes, unrelated to those of other keys.

    Args:
        latent_dim: Z.
        n_per_class: of each class.
        *key: non-negative numbers that say whose they are, beginning with the subject's seed.

    Returns:
        float32 [10 * n_per_class, Z] and their classes int64, class by class.
    """
    seed = seed_of(*key)
    latents = [LatentStream(seed, label, latent_dim).draw(n_per_class) for label in range(NUM_CLASSES)]
    return torch.cat(latents), torch.arange(NUM_CLASSES).repeat_interleave(n_per_class)


def slerp(first: Tensor, second: Tensor, share: Tensor | float) -> Tensor:
    """Goes along the great circle from one latent vector to another (White 2016, "Sampling generative networks", 2.1).

    A straight line between two standard normal vectors passes through vectors shorter than nearly all that a generator
    was trained on; this way does not. Between vectors on one line it goes straight.

    Args:
        first: [..., Z].
        second: the same shape.
        share: of the way, 0..1; a tensor must broadcast against [..., 1].

    Returns:
        [..., Z], as long as both vectors if they are of one length.
    """
    share = torch.as_tensor(share, dtype=first.dtype)
    angle = F.cosine_similarity(first, second, dim=-1).clamp(-1, 1).arccos().unsqueeze(-1)
    sine = angle.sin()
    on_a_line = sine.abs() < _NEARLY_STRAIGHT
    circle = (((1 - share) * angle).sin() * first + (share * angle).sin() * second) / sine.masked_fill(on_a_line, 1)
    return torch.where(on_a_line, torch.lerp(first, second, share), circle)


def placed(latents: Tensor, direction: Tensor, position: Tensor | float) -> Tensor:
    """Latent vectors whose coordinate along a direction is set, and which are otherwise what they were.

    That coordinate of a standard normal vector is standard normal: positions are in standard deviations.

    Args:
        latents: [N, Z].
        direction: of length 1, [Z].
        position: one for all, or [N].
    """
    position = torch.as_tensor(position, dtype=latents.dtype)
    return latents + (position - latents @ direction)[:, None] * direction


@contextmanager
def blended(generator: nn.Module, first: int, second: int, share: float) -> Iterator[None]:
    """Within it, the embeddings of one class are a mixture with those of another: ``(1 - share) e(a) + share e(b)``.

    It acts on what every `nn.Embedding` with a row a class gives, wherever it stands in the network; no weight changes.

    Args:
        generator: whose embeddings are looked up by the label.
        first: the class whose label is then asked for.
        second: the class that is mixed in.
        share: of the second, 0..1.
    """

    def mix(layer: nn.Embedding, arguments: tuple[Tensor], output: Tensor) -> Tensor:
        mixture = torch.lerp(layer.weight[first], layer.weight[second], share)
        return torch.where((arguments[0] == first)[..., None], mixture, output)

    handles = [
        module.register_forward_hook(mix)
        for module in generator.modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == NUM_CLASSES
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def between_classes(generator: nn.Module, latents: Tensor, first: int, second: int, share: float) -> Tensor:
    """Images between two classes, uint8 [N, 1, 28, 28], by `blended` embeddings."""
    with blended(generator, first, second, share):
        return render(generator, latents, torch.full((len(latents),), first))


def can_blend(generator: nn.Module, latents: Tensor, pairs: list[tuple[int, int]]) -> bool:
    """Whether the class reaches the network through embeddings alone, so that between them lies between classes.

    If it does, an image at the end of a way is that of the second class, to a grey level.

    Args:
        generator: as of `blended`.
        latents: to try with, [N, Z].
        pairs: of classes, to try with.
    """
    for first, second in pairs:
        end = between_classes(generator, latents, first, second, 1.0)
        wanted = render(generator, latents, torch.full((len(latents),), second))
        if (end.int() - wanted.int()).abs().max() > 1:
            return False
    return True
