"""Conditional batch normalisation and ReLU as one function in C++ for training on a CPU.

The plain layers read and write the same maps some fifteen times in a step, this function six times. `norm_relu` is the
only place that chooses between the two.
"""

import ctypes
import logging
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.layer.batch_norm import BatchNorm2d, ConditionalNorm, scale_and_shift
from fmcgan.layer.compiled import CompilationError, compiled
from fmcgan.layer.upsample import Double

log = logging.getLogger(__name__)

Fused = bool | Literal["auto"]

_SOURCE = Path(__file__).with_suffix(".cpp")
_LANES = 16  # channels that are computed at once
_SUFFIXES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def check_fused(fused: object) -> None:
    """Raises `InvalidValueError` unless the value is one of `Fused`."""
    if not (isinstance(fused, bool) or fused == "auto"):
        raise InvalidValueError(f"fused must be true, false or auto, got {fused!r}", "fused")


def set_fused(network: nn.Module, fused: Fused, device: torch.device) -> None:
    """Lets the normalisation layers of a network train by the fused function, or not.

    Args:
        network: any module; without a `ConditionalNorm` nothing happens.
        fused: ``True`` on a CPU; ``"auto"``: where it can be compiled, with one line in the log if it cannot.
        device: of the network.

    Raises:
        UserError: ``fused`` is ``True``, but the function cannot be compiled.
    """
    layers = [module.norm for module in network.modules() if isinstance(module, ConditionalNorm)]
    possible = bool(fused and layers) and device.type == "cpu"
    if possible:
        try:
            compiled(_SOURCE)
        except CompilationError as error:
            if fused is True:
                raise UserError(f"training.fused=true is not possible: {error}; or set training.fused=auto") from error
            log.info("fused normalisation: no (%s); the plain layers do the same", error)
            possible = False
    if device.type == "cpu" and layers and layers[0].world_size > 1:  # the two exchange different sums
        everywhere = torch.tensor(possible, dtype=torch.int32)
        dist.all_reduce(everywhere, dist.ReduceOp.MIN)
        possible = bool(everywhere)
    for layer in layers:
        layer.fused = possible


def norm_relu(normalise: nn.Module, input: Tensor, condition: Tensor, after: nn.Module | None = None) -> Tensor:
    """Computes relu(normalise(after(input), condition)), by the fused function where `set_fused` allows it.

    Args:
        normalise: built by `GeneratorConditioning.normalisation`.
        input: [B, C, H, W].
        condition: of each sample.
        after: the layer before the normalisation; ``None``: none. A bilinear `Double` at its end becomes a part of the
            fused function.
    """
    layers: list[nn.Module] = [] if after is None else [after]
    double: nn.Module | None = None
    if isinstance(after, nn.Sequential) and isinstance(after[-1], Double) and after[-1].mode == "bilinear":
        *layers, double = after
    for layer in layers:
        input = layer(input)
    if isinstance(normalise, ConditionalNorm) and _is_fusable(normalise.norm, input):
        shape = len(input), input.shape[1]
        gain, bias = (each.float().expand(shape) for each in normalise.gain_and_bias(condition))
        return _NormRelu.apply(input, gain, bias, normalise.norm, double is not None)
    maps = input if double is None else double(input)
    return F.relu(normalise(maps, condition), inplace=True)


def _is_fusable(norm: BatchNorm2d, input: Tensor) -> bool:
    return (
        norm.fused
        and norm.training
        and norm.momentum is not None
        and input.dtype in _SUFFIXES
        and input.shape[1] % _LANES == 0
        and input.is_contiguous(memory_format=torch.channels_last)
    )


class _NormRelu(torch.autograd.Function):
    """relu(gain * (u - mean) / deviation + bias) with u = input, or twice its size; gain and bias are [B, C].

    The statistics are float32, over the batches of all processes. A gradient that must have a gradient itself is
    computed by torch's operations.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, gain: Tensor, bias: Tensor, norm: BatchNorm2d, doubled: bool) -> Tensor:
        run = _Kernels(input, doubled)
        means, squares = run("moments", input, out=[gain.shape] * 2)
        count = len(input) * run.pixels * norm.world_size
        mean = _added_up(means.sum(0), norm) / (len(input) * norm.world_size)
        variance = _added_up(squares.sum(0) + run.pixels * (means - mean).square().sum(0), norm) / count
        norm.update_statistics(mean, variance, count)
        inverse = torch.rsqrt(variance + norm.eps)
        scale = (gain * inverse).contiguous()
        shift = (bias - mean * scale).contiguous()
        ctx.save_for_backward(input, gain, bias, mean, inverse, scale, shift)
        ctx.norm, ctx.doubled = norm, doubled
        batch, channels, height, width = input.shape
        factor = 2 if doubled else 1
        size = batch, channels, factor * height, factor * width
        output = torch.empty(size, dtype=input.dtype, memory_format=torch.channels_last)
        run("activate", input, scale, shift, output)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        input, gain, bias, mean, inverse, scale, shift = ctx.saved_tensors
        if torch.is_grad_enabled():
            output = _by_torch(ctx.norm, input, gain, bias, ctx.doubled)
            wanted = [each for each in (input, gain, bias) if each.requires_grad]
            found = iter(torch.autograd.grad(output, wanted, gradient, create_graph=True))
            return *(next(found) if each.requires_grad else None for each in (input, gain, bias)), None, None
        run = _Kernels(input, ctx.doubled)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        sums, products = run("gradient_sums", gradient, input, scale, shift, mean, out=[gain.shape] * 2)
        of_normalised = torch.stack([(gain * sums).sum(0), (gain * products).sum(0)])
        count = len(input) * run.pixels * ctx.norm.world_size
        offset, slope = _added_up(of_normalised, ctx.norm) * inverse / count
        slope = slope * inverse.square()
        result = torch.empty_like(input, memory_format=torch.channels_last)
        run("input_gradient", gradient, input, scale, shift, mean, offset, slope, result)
        return result, products * inverse, sums, None, None


def _added_up(total: Tensor, norm: BatchNorm2d) -> Tensor:
    """Adds a tensor over the processes that normalise together, in place."""
    if norm.world_size > 1:
        dist.all_reduce(total)
    return total


def _by_torch(norm: BatchNorm2d, input: Tensor, gain: Tensor, bias: Tensor, doubled: bool) -> Tensor:
    maps = F.interpolate(input, scale_factor=2, mode="bilinear") if doubled else input
    return F.relu(scale_and_shift(norm.normalised(maps)[0].to(input.dtype), gain, bias))


class _Shape(ctypes.Structure):
    """`Shape` of the C++ file."""

    _fields_ = [
        *((name, ctypes.c_long) for name in ("samples", "height", "width", "channels")),
        *((name, ctypes.c_int) for name in ("doubled", "threads")),
    ]


class _Kernels:
    """The functions of the C++ file for a map and its type."""

    def __init__(self, input: Tensor, doubled: bool) -> None:
        batch, channels, height, width = input.shape
        self.pixels = height * width * (4 if doubled else 1)
        self.shape = _Shape(batch, height, width, channels, doubled, torch.get_num_threads())
        self.suffix = _SUFFIXES[input.dtype]

    def __call__(self, name: str, *tensors: Tensor, out: list[torch.Size] | None = None) -> list[Tensor]:
        """Calls a function with contiguous tensors, and with new float32 ones of the shapes ``out``, which it fills."""
        results = [torch.empty(shape) for shape in out or ()]
        addresses = [ctypes.c_void_p(each.data_ptr()) for each in (*tensors, *results)]
        getattr(compiled(_SOURCE), f"{name}_{self.suffix}")(ctypes.byref(self.shape), *addresses)
        return results
