"""Spectral normalisation of a whole network."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

_POWER_ITERATIONS = 15  # torch's number at the start
_LINEAR_MAPS = (nn.Linear, nn.Embedding, nn.Conv2d, nn.ConvTranspose2d)


def normalise_spectrally(network: nn.Module, except_for: Iterable[nn.Module] = ()) -> None:
    """Divides every weight matrix by its largest singular value (Miyato et al. 2018, eq. 8 and algorithm 1).

    Each convolution, linear layer and embedding becomes 1-Lipschitz with respect to its weight as a matrix; other
    parameters do not change. One power iteration a forward pass in training, none in evaluation.

    Args:
        network: changed in place; its parameters are afterwards ``*.parametrizations.weight.original``.
        except_for: parts that do not change: normalisation layers with linear layers or embeddings (a gain of 1 for
            each class and channel would become 0.03), and modules that only see the label, which do not affect how
            fast the output changes with the image.
    """
    excluded = {module for part in except_for for module in part.modules()}
    for module in list(network.modules()):
        if isinstance(module, _LINEAR_MAPS) and module not in excluded:
            parametrizations.spectral_norm(module)


@torch.no_grad()
def measure_norms(network: nn.Module) -> None:
    """Estimates the singular vectors of weights that were just set, such as averaged ones.

    Training updates the estimate by one power iteration a step, evaluation does not.

    Args:
        network: changed in place; one without spectral normalisation does not change.
    """
    for module in network.modules():
        if isinstance(module, _LINEAR_MAPS) and is_parametrized(module, "weight"):
            norm = module.get_submodule("parametrizations.weight")
            mode = norm.training
            norm.train()
            for _ in range(_POWER_ITERATIONS):
                norm()
            norm.train(mode)
