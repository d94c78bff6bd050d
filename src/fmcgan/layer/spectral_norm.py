from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

_POWER_ITERATIONS = 15  # torch's number at initialisation
_LINEAR_MAPS = (nn.Linear, nn.Embedding, nn.Conv2d, nn.ConvTranspose2d)


def normalise_spectrally(network: nn.Module, except_for: Iterable[nn.Module] = ()) -> None:
    """Divides every weight matrix by its largest singular value (Miyato et al. 2018, eq. 8 and algorithm 1).

    The weight of each convolution, linear layer and embedding, as a matrix, becomes 1-Lipschitz, in place; its
    parameter is then ``*.parametrizations.weight.original``. There is one power iteration per forward pass in training,
    none in evaluation.

    ``except_for`` excludes normalisation layers with linear layers or embeddings (a gain of 1 for each class and
    channel would become 0.03), and modules whose only input is the label, which do not affect the Lipschitz constant
    with respect to the image.
    """
    excluded = {module for part in except_for for module in part.modules()}
    for module in list(network.modules()):
        if isinstance(module, _LINEAR_MAPS) and module not in excluded:
            parametrizations.spectral_norm(module)


@torch.no_grad()
def measure_norms(network: nn.Module) -> None:
    """Estimates the singular vectors of newly set weights, such as averaged ones, in place.

    Training updates the estimates by one power iteration per step, evaluation does not.
    """
    for module in network.modules():
        if isinstance(module, _LINEAR_MAPS) and is_parametrized(module, "weight"):
            norm = module.get_submodule("parametrizations.weight")
            mode = norm.training
            norm.train()
            for _ in range(_POWER_ITERATIONS):
                norm()
            norm.train(mode)
