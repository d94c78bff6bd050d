"""Inversion: latent vectors whose images resemble given images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fmcgan.analysis.latent.space import balanced_latents
from fmcgan.app.checks import positive_number, whole_number
from fmcgan.app.device import full_float32
from fmcgan.data.images import to_float
from fmcgan.metric.image_set import ImageSet
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.sampling import render

_BATCH = 100  # images optimised at once; affects rounding only


@dataclass(frozen=True)
class Search:
    """How latent vectors are searched.

    Args:
        candidates: random latent vectors of each class, from which an image's search starts at the nearest.
        starts: number of starts of each image, at most ``candidates``.
        steps: of Adam.
        learning_rate: of the first step; it falls to 0 along a cosine.
    """

    candidates: int
    starts: int
    steps: int
    learning_rate: float

    def __post_init__(self) -> None:
        whole_number(maximum=100_000, candidates=self.candidates)
        whole_number(maximum=self.candidates, starts=self.starts)
        whole_number(maximum=100_000, steps=self.steps)
        positive_number(learning_rate=self.learning_rate)


@dataclass(frozen=True, eq=False)
class Inverted:
    """The best reconstruction of each of N images."""

    images: Tensor  # uint8 [N, C, H, W]
    errors: Tensor  # root mean square difference from the given image, in levels 0..255, float64 [N]


def invert(generator: nn.Module, images: ImageSet, search: Search, *key: int) -> Inverted:
    """Minimises the mean squared error of G(z, label of the image) over z, and keeps the best of several starts.

    z is not drawn towards 0, so it may lie where no sample is drawn. The same arguments give the same result, whatever
    else is inverted. ``key`` identifies the random stream: non-negative numbers, the subject's seed first.
    """
    latents = _starts(generator, images, search, *key)
    kept = Inverted(torch.zeros_like(images.images), torch.full((len(images),), torch.inf, dtype=torch.float64))
    for start in range(search.starts):
        for rows in torch.arange(len(images)).split(_BATCH):
            given, labels = images.images[rows], images.labels[rows]
            found = _descend(generator, latents[rows, start], labels, given, search)
            made = render(generator, found, labels)
            errors = (made.double() - given.double()).square().mean(dim=(1, 2, 3)).sqrt()
            better = errors < kept.errors[rows]
            kept.images[rows[better]], kept.errors[rows[better]] = made[better], errors[better]
    return kept


def _starts(generator: nn.Module, images: ImageSet, search: Search, *key: int) -> Tensor:
    """Chooses the candidates of the class of each image that make the nearest images, float32 [N, starts, Z]."""
    chosen = torch.zeros(len(images), search.starts, latent_dim_of(generator))
    for label in images.labels.unique().tolist():
        latents, labels = balanced_latents([label], chosen.shape[2], search.candidates, *key)
        made = render(generator, latents, labels)
        members = images.of_class(label)
        pixels, candidates = (each.flatten(1).double() for each in (images.images[members], made))
        nearest = torch.cdist(pixels, candidates).topk(search.starts, largest=False).indices
        chosen[members] = latents[nearest]
    return chosen


@full_float32()
def _descend(generator: nn.Module, latents: Tensor, labels: Tensor, images: Tensor, search: Search) -> Tensor:
    """Optimises latent vectors [N, Z] by Adam; the weights of the generator get no gradients."""
    device = next(generator.parameters()).device
    found = latents.to(device, copy=True).requires_grad_()
    labels, wanted = labels.to(device), to_float(images.to(device))
    optimizer = torch.optim.Adam([found], search.learning_rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, search.steps)
    for _ in range(search.steps):
        loss = (generator(found, labels) - wanted).square().sum()  # Adam does not depend on the scale of the loss
        (found.grad,) = torch.autograd.grad(loss, found)
        optimizer.step()
        falling.step()
    return found.detach().cpu()
