"""Seeds and latent vectors that depend on a key only, not on earlier draws."""

import numpy as np
import torch
from torch import Tensor, nn

from fmcgan.app.errors import InvalidValueError

_SKIPPED = 4096  # vectors skipped at a time


def seed_of(*key: int) -> int:
    """Returns a 63-bit seed for a key of non-negative whole numbers; neighbouring keys give independent streams.

    Zeros at the end of a key do not change it.
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def latent_dim_of(generator: nn.Module) -> int:
    """Returns the size of a generator's latent vectors. Raises `InvalidValueError` if it has none."""
    latent_dim = getattr(generator, "latent_dim", None)
    if not isinstance(latent_dim, int):
        kind = type(generator).__name__
        raise InvalidValueError(
            f"network.generator must have an attribute latent_dim, the size of its latent vectors; {kind} has none"
        )
    return latent_dim


class LatentStream:
    """Latent vectors of one class under one seed, in order, from index ``first``.

    Vector i depends on seed, class and i only, so many short draws give the vectors of one long draw.
    """

    def __init__(self, seed: int, label: int, latent_dim: int, first: int = 0) -> None:
        self._numbers = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, label))))
        self._latent_dim = latent_dim
        for skipped in range(0, first, _SKIPPED):
            self.draw(min(_SKIPPED, first - skipped))

    def draw(self, n: int) -> Tensor:
        """Draws the next ``n`` vectors: float32 [n, Z], standard normal, on the CPU."""
        return torch.from_numpy(self._numbers.standard_normal((n, self._latent_dim), dtype=np.float32))


def draw_latents(seed: int, label: int, n: int, latent_dim: int, first: int = 0) -> Tensor:
    """Draws ``n`` vectors of a new `LatentStream`."""
    return LatentStream(seed, label, latent_dim, first).draw(n)
