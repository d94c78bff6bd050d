"""Builds the network that a file names, without trusting what the file says of its size."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.training.weights import check_fit


def build_generator(config: Any, state: Mapping[str, Tensor]) -> nn.Module:
    """Builds a generator and gives it its weights.

    It is first built without memory: what the configuration asks for may be far larger than what the file holds.

    Args:
        config: of the generator, trusted.
        state: its state dict, checked by `fmcgan.training.weights.check_weights`.

    Raises:
        Exception: whatever the classes of the configuration raise; `ValueError` if the weights are those of another
            network or it makes no images.
    """
    with torch.device("meta"), _at_most(4 * len(state) + 100):
        check_fit(instantiate(config), state)
    network = instantiate(config)
    network.load_state_dict(state)
    _check_images(network.eval())
    return network


@contextmanager
def _at_most(most: int) -> Iterator[None]:
    """Ends what is being built, in this process, when it has registered more parameters than that."""
    count = itertools.count(1)

    def check(*registered: object) -> None:
        if next(count) > most:
            raise RuntimeError("it asks for more weights than the file holds")

    handle = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def _check_images(generator: nn.Module) -> None:
    """Makes an image of each class: what has the right weights may still be no generator.

    Raises:
        ValueError: what comes out is no images.
    """
    images = generator(torch.zeros(NUM_CLASSES, int(generator.latent_dim)), torch.arange(NUM_CLASSES))  # type: ignore[arg-type]
    if images.shape != (NUM_CLASSES, 1, 28, 28) or not images.isfinite().all():
        raise ValueError(f"it makes no images, but {tuple(images.shape)}")
