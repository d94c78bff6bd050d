"""Spectral normalisation of a whole network."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

_POWER_ITERATIONS = 15  # as many as torch begins with
_LINEAR_MAPS = (nn.Linear, nn.Embedding, nn.Conv2d, nn.ConvTranspose2d)


def normalise_spectrally(network: nn.Module, except_for: Iterable[nn.Module] = ()) -> None:
    """Divides every weight matrix by its largest singular value (Miyato et al. 2018, eq. 8 and algorithm 1).

    Each convolution, linear layer and embedding becomes 1-Lipschitz with respect to its weight as a matrix; biases,
    normalisation layers and other parameters stay. One power iteration a forward pass in training, none in evaluation.

    Args:
        network: changed in place; its parameters are afterwards ``*.parametrizations.weight.original``.
        except_for: parts of it that stay as they are: normalisation layers that contain linear layers or embeddings
            (a gain of 1 for each class and channel would become 0.03), and what the label alone passes through, which
            has no part in how fast the output follows the image and would only be drowned by it.
    """
    left = {module for part in except_for for module in part.modules()}
    for module in list(network.modules()):
        if isinstance(module, _LINEAR_MAPS) and module not in left:
            parametrizations.spectral_norm(module)


@torch.no_grad()
def measure_norms(network: nn.Module) -> None:
    """Measures the singular values that a network in evaluation divides by, for weights that have just been set.

    Training follows them with one power iteration a step; averaged weights have others.

    Args:
        network: one that was normalised spectrally, or any other, which stays as it is.
    """
    for module in network.modules():
        if isinstance(module, _LINEAR_MAPS) and is_parametrized(module, "weight"):
            norm: nn.Module = module.parametrizations.weight  # type: ignore[union-attr,assignment]
            mode = norm.training
            norm.train()
            for _ in range(_POWER_ITERATIONS):
                norm()
            norm.train(mode)
