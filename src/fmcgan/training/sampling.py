"""Labelled images from a generator: the one way every sample of this project is made."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from fmcgan.app import memory
from fmcgan.app.checks import number, whole_number
from fmcgan.data.images import to_uint8
from fmcgan.training.latent import LatentStream

_BATCH = 250  # large enough to be fast on a GPU, small enough for the cache of a laptop


def require_memory(n: int) -> None:
    """Refuses more samples than fit into memory at once.

    Raises:
        UserError: states the need and what is there.
    """
    memory.require(2 * 784 * n, f"drawing {n:,} samples", "ask for fewer")  # twice: the batches, and all in one


@torch.no_grad()
def render(generator: nn.Module, latents: Tensor, labels: Tensor) -> Tensor:
    """Makes one image for each latent vector and label, in evaluation mode, without touching any random state.

    Args:
        generator: G(latent, labels) -> [B, 1, 28, 28] in [-1, 1]; its training mode is restored.
        latents: float32 [N, Z].
        labels: int64 [N].

    Returns:
        uint8 [N, 1, 28, 28] on the CPU.
    """
    device = next(generator.parameters()).device
    was_training = generator.training
    generator.eval()
    try:
        batches = zip(latents.split(_BATCH), labels.split(_BATCH), strict=True)
        images = [to_uint8(generator(z.to(device), y.to(device))).cpu() for z, y in batches]
    finally:
        generator.train(was_training)
    return torch.cat(images)


def stream_classes(
    generator: nn.Module,
    classes: Sequence[int],
    n_per_class: int,
    seed: int,
    truncation: float = 1.0,
    first: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Makes images ``first`` ... ``first + n_per_class - 1`` of each class under a seed, a batch at a time.

    Image i of a class under a seed is the same (to within one grey level) whatever else is asked for. Memory does not
    grow with the number of images; wrong values are refused by the call itself, before the first batch is asked for.

    Args:
        generator: as for `render`; has `latent_dim`.
        classes: labels, in the order in which they are wanted.
        n_per_class: images of each class.
        seed: that of a user, or one of `fmcgan.training.latent.seed_of`.
        truncation: psi; latent vectors are scaled by it towards their mean 0 (0: one image a class;
            1: the distribution the generator was trained on).
        first: index of the first image of each class.

    Returns:
        An iterator over batches of one class each, class by class: images uint8 [B, 1, 28, 28] and labels int64 [B].
    """
    whole_number(n_per_class=n_per_class)
    whole_number(minimum=0, maximum=2**63 - 1, seed=seed)  # what a user may give is checked where it is given
    whole_number(minimum=0, first=first)
    number(0, 2, truncation=truncation)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for label in classes:
            stream = LatentStream(seed, label, generator.latent_dim, first)  # type: ignore[arg-type]
            for made in range(0, n_per_class, _BATCH):
                latents = stream.draw(min(_BATCH, n_per_class - made))
                labels = torch.full((len(latents),), label)
                yield render(generator, latents * truncation, labels), labels

    return batches()


def sample_classes(
    generator: nn.Module,
    classes: Sequence[int],
    n_per_class: int,
    seed: int,
    truncation: float = 1.0,
    first: int = 0,
) -> tuple[Tensor, Tensor]:
    """All batches of `stream_classes`, whose arguments it takes, in one.

    Returns:
        Images uint8 [len(classes) * n_per_class, 1, 28, 28] and labels int64, class by class.
    """
    batches = stream_classes(generator, classes, n_per_class, seed, truncation, first)
    require_memory(len(classes) * n_per_class)
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)
