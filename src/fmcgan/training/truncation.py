"""Truncation: draws samples towards the mean of their class, which makes them more typical and less varied."""

import logging
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from fmcgan.app.checks import number
from fmcgan.app.device import full_float32
from fmcgan.network.base import LayeredGenerator
from fmcgan.training.latent import draw_latents, latent_dim_of, seed_of

LOWEST, BEST = 0.6, 0.7
"""The smallest psi that helps the shipped generator, and the best one; `docs/metrics.md` has the measurements."""
_SEED, _PAIRS = seed_of(140), 250  # of the latent vectors of a mean: 250 vectors and their negatives
_Means = tuple[Tensor | None, ...]
_CACHE: WeakKeyDictionary[nn.Module, tuple[object, _Means]] = WeakKeyDictionary()

log = logging.getLogger(__name__)


class TruncatedGenerator(nn.Module):
    """G(latent [B, Z], labels [B], psi []) -> images [B, C, H, W].

    Karras et al. 2019 (StyleGAN, appendix B) draw w towards its mean. These generators have no w: here it is what
    their first layer returns, x, which becomes x + (psi - 1) (x - mean of the class). psi = 1 gives exactly the images
    of the generator, psi = 0 one image a class. A generator of another package that is no `LayeredGenerator` receives
    psi times its latent vectors: they are much shorter than in training, so its images may be implausible.

    Measured on the shipped generator (`docs/metrics.md`): precision rises as psi falls to 0.6, while that of shorter
    latent vectors falls below 0.8. At a precision of 0.93 more variety is left than without drawing the conditions
    along, and than with latent vectors turned towards a typical one.
    """

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator, self.latent_dim = generator, latent_dim_of(generator)
        self.means: list[str | None] = []  # names of the buffers, by result of the first layer
        for index, mean in enumerate(class_means(generator)):
            name = None if mean is None else f"mean_{index}"
            self.means.append(name)
            if name is not None:
                self.register_buffer(name, mean)

    @override
    def forward(self, latent: Tensor, labels: Tensor, psi: Tensor) -> Tensor:
        if not isinstance(self.generator, LayeredGenerator):
            return self.generator(latent * psi, labels)
        hidden = self.generator.first_layer(latent, labels)
        drawn = []
        for value, name in zip(hidden, self.means, strict=True):
            if name is not None:
                mean = F.embedding(labels, self.get_buffer(name)).reshape(value.shape)
                value = value + (psi - 1) * (value - mean)
            drawn.append(value)
        return self.generator.later_layers(*drawn)


def has_means(generator: nn.Module) -> bool:
    """Whether truncation draws towards the means of the classes; else it scales the latent vectors."""
    return isinstance(generator, LayeredGenerator)


@torch.no_grad()
def class_means(generator: nn.Module) -> _Means:
    """Returns the mean of each result of a generator's first layer, by class: [K, features], ``None`` for labels.

    The mean is over 500 latent vectors, always the same, in evaluation mode; they are pairs of a vector and its
    negative, so what is linear in them has no error. Kept as long as the weights. Empty for other generators.
    """
    if not isinstance(generator, LayeredGenerator):
        return ()
    state = tuple((each.data_ptr(), each._version) for each in generator.state_dict(keep_vars=True).values())
    known = _CACHE.get(generator)
    if known is None or known[0] != state:
        known = _CACHE[generator] = state, _measured(generator)
    return known[1]


def _measured(generator: LayeredGenerator) -> _Means:
    device, was_training = next(generator.parameters()).device, generator.training
    half = draw_latents(_SEED, 0, _PAIRS, generator.latent_dim)
    latents = torch.cat([half, -half]).to(device)
    generator.eval()
    try:
        by_class = []
        with full_float32():
            for label in range(generator.num_classes):
                hidden = generator.first_layer(latents, torch.full((len(latents),), label, device=device))
                by_class.append([each.flatten(1).mean(0) if each.is_floating_point() else None for each in hidden])
    finally:
        generator.train(was_training)
    return tuple(None if columns[0] is None else torch.stack(columns) for columns in zip(*by_class, strict=True))


def check_truncation(truncation: float) -> None:
    """Checks that psi is in 0..1, and warns of values below `LOWEST`."""
    number(0, 1, truncation=truncation)
    if truncation < LOWEST:
        log.warning(
            "truncation=%g: below %g the shipped generator's images only lose variety (at 0.6 and 0.4 recall is 0.55 "
            "and 0.24, precision 0.94 and 0.93); %g is best",
            *(truncation, LOWEST, BEST),
        )
