"""Random numbers that depend on what they are for, not on who drew what before."""

import numpy as np
import torch
from torch import Tensor


def seed_of(*key: int) -> int:
    """A 63-bit seed from non-negative whole numbers, well mixed: neighbouring keys give unrelated streams."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)


def draw_latents(seed: int, label: int, n: int, latent_dim: int, first: int = 0) -> Tensor:
    """Latent vectors number ``first``, ``first + 1``, ... of one class under one seed.

    Vector i of a class is always the same, whatever else is asked for: every (seed, class) has its own stream and
    numpy fills it in order, so a longer draw only adds vectors at the end.

    Args:
        seed: non-negative.
        label: the class.
        n: how many.
        latent_dim: Z.
        first: index of the first.

    Returns:
        float32 [n, Z], standard normal, on the CPU.
    """
    stream = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, label))))
    return torch.from_numpy(stream.standard_normal((first + n, latent_dim), dtype=np.float32)[first:])
