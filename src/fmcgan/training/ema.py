"""Exponential moving average of the generator."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from fmcgan.app.checks import positive_number, whole_number
from fmcgan.layer.spectral_norm import measure_norms
from fmcgan.training.statistics import measure_statistics


class EMA(nn.Module):
    """A second generator whose parameters follow the trained one slowly; all samples and scores come from it.

    Parameters are averaged, buffers are copied; those that would belong to other weights, the statistics of batch
    normalisation and the singular vectors of spectral normalisation, are measured anew before the average is used
    (`calibrated`) or saved. The half-life is counted in images, so
    the batch size does not change it. At the start it is cut to a share of the images seen (Karras et al. 2020,
    ADA, appendix), so that the random initialisation is forgotten quickly. A schedule may multiply it by a factor.

    Args:
        generator: the trained generator; copied, never changed.
        half_life: images after which a weight's influence has halved; 0 makes the average a copy, but for statistics.
        ramp_up: the half-life is at most this share of the images seen so far; ``None`` sets no such bound.
    """

    def __init__(self, generator: nn.Module, half_life: int = 10_000, ramp_up: float | None = 0.05) -> None:
        super().__init__()
        whole_number(minimum=0, half_life=half_life)
        if ramp_up is not None:
            positive_number(ramp_up=ramp_up)
        self.half_life = half_life
        self.ramp_up = ramp_up
        self.generator = copy.deepcopy(generator).requires_grad_(False).eval()
        for module in self.generator.modules():
            if hasattr(module, "across_devices"):
                module.across_devices = False  # type: ignore[assignment]  # one process may settle the average while others wait
        self._has_moved = False

    def decay(self, images: int, images_seen: int, factor: float = 1.0) -> float:
        """The share of the average that is kept after ``images`` more images: 0.5 ** (images / half-life).

        Args:
            images: real images since the last update.
            images_seen: real images since the start of training.
            factor: on the half-life; the ramp-up bounds what comes out.
        """
        half_life = factor * self.half_life
        if self.ramp_up is not None:
            half_life = min(half_life, self.ramp_up * images_seen)
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, generator: nn.Module, images: int, images_seen: int, factor: float = 1.0) -> None:
        """Moves the average towards ``generator``.

        Args:
            generator: the trained generator.
            images: real images since the last update, over all devices.
            images_seen: real images since the start of training, over all devices.
            factor: on the half-life.
        """
        averages, values = _tensors(self.generator.parameters()), _tensors(generator.parameters())
        torch._foreach_lerp_(averages, values, 1.0 - self.decay(images, images_seen, factor))
        if buffers := list(generator.buffers()):
            torch._foreach_copy_(list(self.generator.buffers()), buffers)
        self._has_moved = True

    def calibrated(self) -> nn.Module:
        """The averaged generator with statistics and norms of its own weights: what images are to be drawn from."""
        if self._has_moved:
            measure_norms(self.generator)
            measure_statistics(self.generator)
            self._has_moved = False
        return self.generator

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """That of a settled average: what is saved can be used as it is."""
        self.calibrated()
        return super().state_dict(*args, **kwargs)

    def train(self, mode: bool = True) -> "EMA":
        """Stays in evaluation mode: Lightning switches every submodule to training mode, the average never trains."""
        return super().train(False)


def _tensors(parameters: object) -> list[Tensor]:
    return [parameter.detach() for parameter in parameters]  # type: ignore[attr-defined]
