"""Which tensors out of a file are taken for weights."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

LARGEST_FILE = 4_000_000_000
"""Bytes of a file of weights that is still read; the largest network of this project has some 30 MB."""

_DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.uint8, torch.bool),
)


def check_weights(named: Iterable[tuple[Any, Any]], largest: int) -> None:
    """Checks that tensors are finite numbers that lie in memory: dense, on the CPU, no larger than what holds them.

    Args:
        named: name and tensor.
        largest: bytes of the file; tensors that share their values stand for more than it holds.

    Raises:
        ValueError: names the first that is not.
    """
    total = 0
    for name, value in named:
        if not isinstance(name, str):
            raise ValueError(f"a tensor is named {str(name)[:40]!r}, which is no text")
        if problem := _problem(value):
            raise ValueError(f"{name[:200]} {problem}")
        total += value.numel() * value.element_size()
    if total > largest:
        raise ValueError(f"tensors of {total / 1e6:,.1f} MB in a file of {largest / 1e6:,.1f} MB")


def check_fit(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Checks that weights are those of a network: names, shapes, and whether they are whole numbers.

    Raises:
        ValueError: names the first that differ.
    """
    wanted = network.state_dict()
    if missing := sorted(wanted.keys() ^ state.keys()):
        raise ValueError(f"names differ: {', '.join(missing[:3])}")
    for name, value in wanted.items():
        found = state[name]
        if value.shape != found.shape:
            raise ValueError(f"size mismatch for {name}: {tuple(found.shape)}, not {tuple(value.shape)}")
        if value.is_floating_point() != found.is_floating_point():
            raise ValueError(f"{name} is {found.dtype}, not {value.dtype}")


def _problem(value: Any) -> str:
    """What is wrong with a tensor; empty if nothing is."""
    if type(value) not in (Tensor, nn.Parameter):
        return f"is no tensor but a {type(value).__name__}"
    if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in _DTYPES:
        return f"is a tensor of another kind ({value.dtype}, {value.layout}, {value.device.type})"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return f"claims the shape {tuple(value.shape)}, of which the file holds less"
    if value.is_floating_point() and not value.isfinite().all():
        return "holds NaN or infinite values"
    return ""
