"""Measures layers that double the size of a feature map: transposed convolution, equivalents and alternatives."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.clock import Row, spread, time_interleaved
from benchmarks.setting import Setting

SHAPES = ((128, 64, 7), (64, 32, 14))  # channels in, channels out, size: those of `dcgan`, width 32, at 28 x 28


class SubPixel(nn.Module):
    """`nn.ConvTranspose2d(..., 4, stride=2, padding=1)` as one 2 x 2 convolution to four phases.

    Even output rows depend on the input rows i - 1 and i, odd ones on i and i + 1; columns likewise.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        taps = torch.tensor([[3, 1], [2, 0]])  # [phase, position in the window]
        phases = layer.weight.detach()[:, :, taps][..., taps]  # [in, out, phase, window, phase, window]
        self.weight = nn.Parameter(phases.permute(2, 4, 1, 0, 3, 5).flatten(0, 2))  # [4 * out, in, 2, 2]

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, H, W] to [B, K, 2H, 2W]."""
        height, width = maps.shape[2:]
        phases = F.conv2d(maps, self.weight, padding=1).unflatten(1, (2, 2, -1))  # [B, 2, 2, K, H + 1, W + 1]
        shifted = [
            torch.stack([phases[:, a, b, :, a : a + height, b : b + width] for b in (0, 1)], dim=-1) for a in (0, 1)
        ]
        return torch.stack(shifted, dim=3).flatten(4, 5).flatten(2, 3)  # [B, K, H, 2, W, 2] before flattening


class ProductAndFold(nn.Module):
    """The same layer as one matrix product and a sum of overlapping windows."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().flatten(1).T.clone())  # [16 * out, in]

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, H, W] to [B, K, 2H, 2W]."""
        size = (2 * maps.shape[2], 2 * maps.shape[3])
        return F.fold(self.weight @ maps.flatten(2), size, kernel_size=4, stride=2, padding=1)


def upsampling_layers(inputs: int, outputs: int) -> dict[str, tuple[str, nn.Module]]:
    """Returns relation to the transposed convolution, and layer (channels last), by name."""
    layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
    resize = nn.Upsample(scale_factor=2, mode="nearest")
    convolution = functools.partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
    found: dict[str, tuple[str, nn.Module]] = {
        "transposed convolution 4 x 4": ("reference", layer),
        "2 x 2 convolution to four phases": ("equivalent", SubPixel(layer)),
        "matrix product and fold": ("equivalent", ProductAndFold(layer)),
        "resize, 3 x 3 convolution": ("alternative", nn.Sequential(resize, convolution(inputs, outputs))),
        "3 x 3 convolution, resize": ("alternative", nn.Sequential(convolution(inputs, outputs), resize)),
        "3 x 3 convolution, pixel shuffle": (
            "alternative",
            nn.Sequential(convolution(inputs, 4 * outputs), nn.PixelShuffle(2)),
        ),
    }
    return {name: (kind, way.to(memory_format=torch.channels_last)) for name, (kind, way) in found.items()}  # type: ignore[call-overload]


def measure(setting: Setting) -> list[Row]:
    """Returns one row for each layer and shape: milliseconds of forward and backward pass."""
    return [row for shape in SHAPES for row in _rows(setting, *shape)]


def _rows(setting: Setting, inputs: int, outputs: int, size: int) -> list[Row]:
    maps = torch.randn(setting.batch_size, inputs, size, size, device=setting.device)
    maps = maps.to(memory_format=torch.channels_last).requires_grad_()
    gradient = torch.randn(setting.batch_size, outputs, 2 * size, 2 * size, device=setting.device)
    gradient = gradient.to(memory_format=torch.channels_last)
    found = {name: (kind, way.to(setting.device)) for name, (kind, way) in upsampling_layers(inputs, outputs).items()}

    def pass_through(way: nn.Module, mixed: bool) -> None:
        with torch.autocast(setting.device.type, torch.bfloat16, enabled=mixed):
            output = way(maps)
        torch.autograd.grad(output, [maps, *way.parameters()], gradient.to(output.dtype))

    actions = {
        (name, mixed): functools.partial(pass_through, way, mixed)
        for name, (_, way) in found.items()
        for mixed in (False, True)
    }
    taken = time_interleaved(actions, setting.device, setting.seconds / 4, at_least=10)
    shape = f"{inputs} → {outputs}, {size} → {2 * size}"
    return [
        {
            "channels, size": shape,
            "way": name,
            "relation": kind,
            "fp32 ms": spread([1000 * each for each in taken[name, False]]),
            "bf16 ms": spread([1000 * each for each in taken[name, True]]),
        }
        for name, (kind, _) in found.items()
    ]
