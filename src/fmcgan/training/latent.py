"""Random numbers that depend on what they are for, not on who drew what before."""

import numpy as np
import torch
from torch import Tensor, nn

from fmcgan.app.errors import InvalidValueError

_SKIPPED = 4096  # vectors passed over at a time


def seed_of(*key: int) -> int:
    """A 63-bit seed from non-negative whole numbers, well mixed: neighbouring keys give unrelated streams.

    A 0 at the end of a key is as good as none.
    """
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def latent_dim_of(generator: nn.Module) -> int:
    """The length of a generator's latent vectors.

    Raises:
        InvalidValueError: it does not say: a network of another kind.
    """
    latent_dim = getattr(generator, "latent_dim", None)
    if not isinstance(latent_dim, int):
        kind = type(generator).__name__
        raise InvalidValueError(
            f"network.generator must have latent_dim, the length of its latent vectors; {kind} has none"
        )
    return latent_dim


class LatentStream:
    """The latent vectors of one class under one seed, one after the other.

    Vector i of a class is always the same, whatever else is asked for: every (seed, class) has its own stream and
    numpy fills it in order, so many short draws give the vectors of one long draw.

    Args:
        seed: non-negative.
        label: the class.
        latent_dim: Z.
        first: index of the vector to begin with.
    """

    def __init__(self, seed: int, label: int, latent_dim: int, first: int = 0) -> None:
        self._numbers = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, label))))
        self._latent_dim = latent_dim
        for passed in range(0, first, _SKIPPED):
            self.draw(min(_SKIPPED, first - passed))

    def draw(self, n: int) -> Tensor:
        """The next ``n`` vectors, float32 [n, Z], standard normal, on the CPU."""
        return torch.from_numpy(self._numbers.standard_normal((n, self._latent_dim), dtype=np.float32))


def draw_latents(seed: int, label: int, n: int, latent_dim: int, first: int = 0) -> Tensor:
    """Vectors number ``first``, ``first + 1``, ... of a `LatentStream`.

    Args:
        seed: non-negative.
        label: the class.
        n: how many.
        latent_dim: Z.
        first: index of the first.

    Returns:
        float32 [n, Z], standard normal, on the CPU.
    """
    return LatentStream(seed, label, latent_dim, first).draw(n)
