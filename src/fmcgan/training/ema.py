import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from fmcgan.app.checks import positive_number, whole_number
from fmcgan.app.errors import InvalidValueError
from fmcgan.layer.batch_norm import BatchNorm1d, BatchNorm2d
from fmcgan.layer.spectral_norm import measure_norms
from fmcgan.network.base import Generator
from fmcgan.training.latent import latent_dim_of

_BATCHES, _BATCH = 4, 500  # images that statistics are measured on


class EMA(nn.Module):
    """Exponential moving average of the generator, used for all samples and scores.

    Parameters are averaged, buffers are copied. Statistics of batch normalisation and singular vectors of spectral
    normalisation depend on the weights: `calibrated` and saving recompute them.

    Args:
        generator: the trained generator; copied, never changed.
        half_life: images, of any batch size, after which a weight's influence has halved; 0 copies the weights.
        ramp_up: the half-life is at most this share of the images seen (Karras et al. 2020, ADA, appendix), so that the
            random initialisation is soon forgotten; ``None``: no bound.
    """

    def __init__(self, generator: Generator, half_life: int = 10_000, ramp_up: float | None = 0.05) -> None:
        super().__init__()
        whole_number(minimum=0, half_life=half_life)
        if ramp_up is not None:
            positive_number(ramp_up=ramp_up)
        self.half_life = half_life
        self.ramp_up = ramp_up
        self.generator = copy.deepcopy(generator).requires_grad_(False).eval()
        for module in self.generator.modules():
            if isinstance(module, BatchNorm1d | BatchNorm2d):
                module.across_devices = False  # one process may calibrate the average alone
        self._needs_calibration = False
        self.register_state_dict_pre_hook(_calibrate)

    def decay(self, images: int, images_seen: int, factor: float = 1.0) -> float:
        """Returns the weight of the old average after ``images`` more images: 0.5 ** (images / half-life).

        Counts real images over all devices. ``factor`` multiplies the half-life before `ramp_up` bounds it.
        """
        half_life = factor * self.half_life
        if self.ramp_up is not None:
            half_life = min(half_life, self.ramp_up * images_seen)
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, generator: nn.Module, images: int, images_seen: int, factor: float = 1.0) -> None:
        """Moves the average towards ``generator``; the other arguments are those of `decay`."""
        averages, values = ([each.detach() for each in net.parameters()] for net in (self.generator, generator))
        torch._foreach_lerp_(averages, values, 1.0 - self.decay(images, images_seen, factor))
        if buffers := list(generator.buffers()):
            torch._foreach_copy_(list(self.generator.buffers()), buffers)
        self._needs_calibration = True

    def calibrated(self) -> Generator:
        """Returns the averaged generator, with statistics and singular vectors of its own weights."""
        if self._needs_calibration:
            measure_norms(self.generator)
            measure_statistics(self.generator)
            self._needs_calibration = False
        return self.generator

    def train(self, mode: bool = True) -> "EMA":
        """Stays in evaluation mode; Lightning switches every submodule to training mode."""
        return super().train(False)


def _calibrate(average: EMA, prefix: str, keep_vars: bool) -> None:
    average.calibrated()


@torch.no_grad()
def measure_statistics(generator: nn.Module) -> None:
    """Measures the running statistics of batch normalisation on 2,000 images of all classes; changes nothing else.

    The running statistics of training belong to earlier weights, and averaged weights give other activations
    (Izmailov et al. 2018, SWA, section 3.2; Brock et al. 2019, appendix C.1: "standing statistics"). For the default
    recipe after two epochs this lowers the Fréchet distance on random features from 1.60 to 0.36. The latent vectors
    are always the same.

    Raises:
        InvalidValueError: the generator has such layers, but no `num_classes`.
    """
    layers = [layer for layer in generator.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    if not layers:
        return
    num_classes = getattr(generator, "num_classes", None)
    if num_classes is None:
        kind = type(generator).__name__
        raise InvalidValueError(
            f"a generator with batch normalisation must have an attribute num_classes; {kind} has none"
        )
    before = [(layer.momentum, layer.training) for layer in layers]
    device = next(generator.parameters()).device
    draw = torch.Generator().manual_seed(0)
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    try:
        for _ in range(_BATCHES):
            latents = torch.randn(_BATCH, latent_dim_of(generator), generator=draw)
            labels = torch.arange(_BATCH) % num_classes
            generator(latents.to(device), labels.to(device))
    finally:
        for layer, (momentum, mode) in zip(layers, before, strict=True):
            layer.momentum = momentum
            layer.train(mode)
