"""Builds the network of an untrusted file, with a bound on its memory."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from hydra.utils import instantiate
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from fmcgan.data.classes import NUM_CLASSES
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.weights import check_fit


def build_generator(config: Mapping[str, object], state: Mapping[str, Tensor]) -> nn.Module:
    """Builds a generator and loads its weights.

    The network is first built on the meta device, since its configuration may ask for more memory than the file has.

    Args:
        config: of the generator, accepted by `fmcgan.app.safe_instantiate.check_targets`.
        state: its state dict, accepted by `fmcgan.training.weights.check_weights`.

    Raises:
        Exception: any error of the classes of the configuration; `ValueError` if the weights belong to another
            network, or the network makes no images.
    """
    with torch.device("meta"), _max_parameters(4 * len(state) + 100):
        check_fit(instantiate(config), state)
    network = instantiate(config)
    network.load_state_dict(state)
    _check_images(network.eval())
    return network


@contextmanager
def _max_parameters(maximum: int) -> Iterator[None]:
    """Raises an error if modules of this process get more than this number of parameters."""
    count = itertools.count(1)

    def check(*registered: object) -> None:
        if next(count) > maximum:
            raise RuntimeError("its configuration has more weights than the file")

    handle = register_module_parameter_registration_hook(check)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def _check_images(generator: nn.Module) -> None:
    """Generates an image of each class. Raises `ValueError` if the output has another shape, or NaN."""
    images = generator(torch.zeros(NUM_CLASSES, latent_dim_of(generator)), torch.arange(NUM_CLASSES))
    if images.shape != (NUM_CLASSES, 1, 28, 28) or not images.isfinite().all():
        raise ValueError(f"its output has shape {tuple(images.shape)} or holds NaN; images are [N, 1, 28, 28]")
