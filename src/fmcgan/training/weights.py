"""Checks of tensors read from files."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

LARGEST_FILE = 4_000_000_000
"""Largest size of a weights file in bytes; the largest network of this project has some 30 MB."""

_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_DTYPES = (*_FLOATS, torch.int64, torch.int32, torch.uint8, torch.bool)


def check_weights(named: Iterable[tuple[object, object]], largest: int) -> None:
    """Checks that tensors are finite, dense, on the CPU and no larger than the file.

    Args:
        named: name and tensor.
        largest: size of the file in bytes; tensors with shared storage could claim more.

    Raises:
        ValueError: a tensor fails, which the message names, or all together are larger than the file.
    """
    total = 0
    for name, value in named:
        if not isinstance(name, str):
            raise ValueError(f"a tensor is named {str(name)[:40]!r}, which is not a string")
        try:
            total += _checked_size(value)
        except ValueError as error:
            raise ValueError(f"{name[:200]} {error}") from None
    if total > largest:
        raise ValueError(f"tensors of {total / 1e6:,.1f} MB in a file of {largest / 1e6:,.1f} MB")


def check_fit(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Raises `ValueError` unless weights belong to a network: same names, same shapes, floating point or not."""
    expected = network.state_dict()
    if missing := sorted(expected.keys() ^ state.keys()):
        raise ValueError(f"names differ: {', '.join(missing[:3])}")
    for name, value in expected.items():
        found = state[name]
        if value.shape != found.shape:
            raise ValueError(f"size mismatch for {name}: {tuple(found.shape)}, not {tuple(value.shape)}")
        if value.is_floating_point() != found.is_floating_point():
            raise ValueError(f"{name} is {found.dtype}, not {value.dtype}")


def _checked_size(value: object) -> int:
    """Returns the bytes of a valid tensor."""
    if not isinstance(value, Tensor) or type(value) not in (Tensor, nn.Parameter):
        raise ValueError(f"is not a tensor but a {type(value).__name__}")
    if value.layout != torch.strided or value.device.type != "cpu" or value.dtype not in _DTYPES:
        raise ValueError(f"is not a dense number tensor on the CPU: {value.dtype}, {value.layout}, {value.device.type}")
    size = value.numel() * value.element_size()
    if size > value.untyped_storage().nbytes():
        raise ValueError(f"has shape {tuple(value.shape)}, but the file contains fewer values")
    if value.is_floating_point() and not value.isfinite().all():
        raise ValueError("has NaN or infinite values")
    return size
