"""Computes the minimum time of a step on this machine from arithmetic and memory traffic, and compares with it."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.bare import BareLoop
from benchmarks.clock import Row, rates, ratios, time_interleaved
from benchmarks.setting import Setting
from fmcgan.training.gan import ConditionalGAN

log = logging.getLogger(__name__)

COPIED = 256 * 2**20  # bytes: far more than any cache


def measure(setting: Setting) -> list[Row]:
    """Returns one row for each network and precision."""
    copied = bandwidth(setting)
    cases = [(network, precision) for network in setting.networks for precision in setting.precisions]
    return [_row(setting, *case, copied) for case in cases]


def _row(setting: Setting, network: str, precision: str, copied: float) -> Row:
    log.info("  %s, %s", network, precision)
    gan = setting.gan(f"network={network}")
    loop = BareLoop(gan, setting.images, setting.batch_size, precision)
    product, product_flops = _product(setting, torch.float32 if precision == "32-true" else torch.bfloat16)
    actions = {"steps": lambda: loop.run(setting.steps), "product": product}
    seconds = time_interleaved(actions, setting.device, setting.seconds / 2, at_least=1)
    flops, traffic = step_flops(setting, network), weight_traffic(gan)
    least = [max(flops / product_flops * each, traffic / copied) * setting.steps for each in seconds["product"]]
    images = setting.batch_size * setting.steps
    return {
        "network": network,
        "precision": precision,
        "GFLOP per step": flops / 1e9,
        "matrix rate GFLOP/s": rates(product_flops / 1e9, seconds["product"]),
        "weight traffic MB per step": traffic / 1e6,
        "bandwidth GB/s": copied / 1e9,
        "floor images/s": rates(images, least),
        "bare images/s": rates(images, seconds["steps"]),
        "bare / floor": ratios(least, seconds["steps"]),
    }


def _product(setting: Setting, dtype: torch.dtype) -> tuple[Callable[[], object], int]:
    """Returns a large matrix product and its number of operations."""
    size = 8192 if setting.device.type == "cuda" else 2048
    left, right = (torch.randn(size, size, device=setting.device).to(dtype) for _ in range(2))
    return lambda: left @ right, 2 * size**3  # a multiply-add counts as two


def bandwidth(setting: Setting) -> float:
    """Measures the bytes per second that a large copy reads and writes."""
    source = torch.zeros(COPIED, dtype=torch.uint8, device=setting.device)
    target = torch.ones_like(source)
    seconds = time_interleaved({"": lambda: target.copy_(source)}, setting.device, seconds=2)[""]
    return rates(2 * COPIED, seconds)["median"]


def step_flops(setting: Setting, network: str) -> float:
    """Returns the operations of matrix products and convolutions in a step, as the mean over a cycle."""
    gan = setting.gan(f"network={network}")
    # Operations are proportional to the batch, so a small one is enough.
    loop = BareLoop(gan, setting.images, small := 8, "32-true", eager=True)
    return flops_of(lambda: loop.run(gan.cycle)) / gan.cycle * setting.batch_size / small


def flops_of(action: Callable[[], object]) -> int:
    """Counts the operations of matrix products and convolutions, including backward passes."""
    with _Operations() as operations:
        action()
    return operations.count


class _Operations(TorchDispatchMode):
    """Counts with the formulas of torch, whose `FlopCounterMode` fails on `autograd.grad` with respect to an input."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[object, ...] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func.overloadpacket):
            self.count += formula(*args, **(kwargs or {}), out_val=result)
        return result


def weight_traffic(gan: ConditionalGAN) -> int:
    """Returns the minimum bytes that a step reads and writes for weights, gradients, Adam and the moving average.

    For each weight: Adam reads weight, gradient and two moments and writes three of them (7); the gradient is written,
    and read for its norm (2); the moving average is read and written, and the weight read (3). 4 bytes each.
    """
    generator, discriminator = _count(gan.generator), _count(gan.discriminator)
    return 4 * (9 * (generator + discriminator) + 3 * generator)


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
