from collections.abc import Callable

from torch import Tensor, nn


def initialise(network: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Sets the weights of all linear layers and convolutions by ``draw``, in place and in order; biases become 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
