from collections.abc import Iterable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized, register_parametrization
from typing_extensions import override

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
            axis = int(isinstance(module, nn.ConvTranspose2d))  # of the outputs, as in torch's spectral_norm
            register_parametrization(module, "weight", _SpectralNorm(module.weight, dim=axis))


class _SpectralNorm(parametrizations._SpectralNorm):
    """torch's parametrization, in float32 also under autocast.

    On a GPU, unlike on a CPU, autocast computes its products of matrix and vector in bfloat16.
    """

    @override
    def forward(self, weight: Tensor) -> Tensor:
        device = weight.device.type
        supported = torch.amp.is_autocast_available(device)  # not for the meta device
        with torch.autocast(device, enabled=False) if supported else nullcontext():
            return super().forward(weight)


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
