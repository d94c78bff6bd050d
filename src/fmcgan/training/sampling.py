"""Sampling of labelled images from a generator."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from fmcgan.app import memory
from fmcgan.app.checks import number, whole_number
from fmcgan.app.device import full_float32
from fmcgan.data.images import to_uint8
from fmcgan.data.info import SMALLEST
from fmcgan.training.latent import LatentStream, latent_dim_of
from fmcgan.training.truncation import TruncatedGenerator

_BATCH = 250  # large enough for a GPU, small enough for the cache of a CPU


def require_memory(n: int, pixels: int = SMALLEST**2) -> None:
    """Raises a `UserError` if ``n`` samples do not fit into memory at once.

    ``pixels`` is the number of values of an image. The default, of the smallest possible image, is a lower bound.
    """
    memory.require(2 * pixels * n, f"drawing {n:,} samples", "draw fewer")  # batches and their concatenation


@torch.no_grad()
def render(generator: nn.Module, latents: Tensor, labels: Tensor, truncation: float = 1.0) -> Tensor:
    """Generates an image, uint8 [N, C, H, W] on the CPU, for each latent vector and label, in evaluation mode.

    Uses no random numbers.

    Args:
        generator: G(latent, labels) -> [B, C, H, W] in [-1, 1]; its training mode is restored.
        latents: float32 [N, Z].
        labels: int64 [N].
        truncation: psi of a `TruncatedGenerator`.
    """
    device = next(generator.parameters()).device
    draw: Callable[[Tensor, Tensor], Tensor] = generator
    if truncation != 1:
        draw = partial(TruncatedGenerator(generator), psi=torch.tensor(float(truncation)))
    was_training = generator.training
    generator.eval()
    try:
        batches = zip(latents.split(_BATCH), labels.split(_BATCH), strict=True)
        with full_float32():
            images = [to_uint8(draw(z.to(device), y.to(device))).cpu() for z, y in batches]
    finally:
        generator.train(was_training)
    return torch.cat(images)


def stream_classes(
    generator: nn.Module,
    classes: Sequence[int],
    n_per_class: int | Sequence[int],
    seed: int,
    truncation: float = 1.0,
    first: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields images ``first`` ... ``first + n_per_class - 1`` of each class under a seed, a batch at a time.

    Image i of a class under a seed is always the same (to within one grey level). Memory does not grow with the number
    of images. Arguments are checked at the call, before the first batch is drawn.

    Args:
        generator: as for `render`; has `latent_dim`.
        classes: labels, in the order of the result.
        n_per_class: images of each class: one number for all, or one for each, which may be 0.
        seed: in 0 .. 2 ** 63 - 1, such as one of `fmcgan.training.latent.seed_of`.
        truncation: psi of a `TruncatedGenerator`. 1: the distribution of training; 0: one image per class.
        first: index of the first image of each class.

    Returns:
        Batches of one class each, class by class: images uint8 [B, C, H, W] and labels int64 [B].
    """
    counts = _counts(n_per_class, len(classes))
    whole_number(minimum=0, maximum=2**63 - 1, seed=seed)
    whole_number(minimum=0, first=first)
    number(0, 1, truncation=truncation)
    latent_dim = latent_dim_of(generator)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for label, count in zip(classes, counts, strict=True):
            stream = LatentStream(seed, label, latent_dim, first)
            for start in range(0, count, _BATCH):
                latents = stream.draw(min(_BATCH, count - start))
                labels = torch.full((len(latents),), label)
                yield render(generator, latents, labels, truncation), labels

    return batches()


def sample_classes(
    generator: nn.Module,
    classes: Sequence[int],
    n_per_class: int | Sequence[int],
    seed: int,
    truncation: float = 1.0,
    first: int = 0,
) -> tuple[Tensor, Tensor]:
    """Draws all batches of `stream_classes` at once; the arguments are the same.

    Returns images uint8 [N, C, H, W] and labels int64 [N], class by class.
    """
    batches = stream_classes(generator, classes, n_per_class, seed, truncation, first)
    drawn = [next(batches)]
    require_memory(sum(_counts(n_per_class, len(classes))), pixels=drawn[0][0][0].numel())
    images, labels = zip(*drawn, *batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def _counts(n_per_class: int | Sequence[int], classes: int) -> list[int]:
    if isinstance(n_per_class, Sequence):
        return list(n_per_class)
    whole_number(n_per_class=n_per_class)
    return [n_per_class] * classes
