from collections.abc import Callable

from torch import Tensor, nn


def initialise(network: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Calls ``draw`` on the weight of every linear layer and convolution, in order, and sets biases to 0; in place."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
