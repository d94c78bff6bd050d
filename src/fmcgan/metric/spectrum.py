"""Power spectra of images: the frequencies that blur removes and upsampling may add."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.data.info import DatasetInfo
from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages, interval
from fmcgan.metric.value import MetricValue, Quantity

FLOOR = 1 / (12 * 255**2)  # power per frequency of the rounding to 256 grey levels, the smallest that can be measured
_PIXELS_AT_ONCE = 1_568_000  # as complex numbers: 25 MB


def n_rings(size: int) -> int:
    """Returns the number of rings of images of a size: radius 0 to the Nyquist frequency, in cycles per image."""
    return size // 2 + 1


def radial_power(images: Tensor) -> Tensor:
    """Computes the power of each image at each spatial frequency, averaged over directions.

    This is the azimuthal integration of Durall et al. 2020, divided by the number of frequencies of each ring. A
    frequency belongs to the ring of the nearest whole radius; the corners beyond the Nyquist frequency are left out.

    Images uint8 [N, C, H, H] are scaled to 0..1 and keep their mean: the ring of radius 0 holds H² times the squared
    mean. The transform is orthonormal: white noise of variance v has power v in every ring. Returns the mean squared
    magnitude over each ring and over the channels, float64 [N, R], R of `n_rings`.
    """
    channels, size = images.shape[1:3]
    frequencies = torch.fft.fftfreq(size, d=1 / size, dtype=torch.float64)
    radius = (frequencies[:, None].square() + frequencies.square()).sqrt().round().flatten()
    rings = (radius[:, None] == torch.arange(n_rings(size))).double()  # [H * H, R]
    rings /= rings.sum(dim=0)
    power = []
    for some in images.split(_PIXELS_AT_ONCE // (channels * size**2)):
        transform = torch.fft.fft2(some.flatten(0, 1).double() / 255, norm="ortho")
        of_channels = (transform.real.square() + transform.imag.square()).flatten(1) @ rings
        power.append(of_channels.view(len(some), channels, -1).mean(dim=1))
    return torch.cat(power)


def spectrum_distance(a: Tensor, b: Tensor) -> Tensor:
    """Computes the root mean square difference of two spectra in decibels, [..., R], over their rings: [...]."""
    return (a - b).square().mean(dim=-1).sqrt()


def decibels(power: Tensor) -> Tensor:
    """Converts power to ``10 log10(power)``; power below `FLOOR` counts as `FLOOR`, so that black has a spectrum."""
    return 10 / math.log(10) * power.clamp(min=FLOOR).log()


class Spectrum(Metric):
    """``spectrum_distance_{n}_{split}``: root mean square difference of the mean power spectra, in decibels.

    The spectra are `radial_power`, averaged over the images: one curve of `n_rings` points per set; different sets may
    have equal curves. All rings have equal weight, though the finest hold little power: they show blur and upsampling
    artifacts, by which Durall et al. 2020 recognise generated images. The distance in decibels is our own.
    """

    kinds: ClassVar = {"spectrum_distance": Quantity("Distance of spectra", "lower", "dB", lowest=0)}

    def __init__(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Sets the protocol."""
        self.protocol = _protocol(self.info)

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, MetricValue]:
        """Measures the distance."""
        power, reference = self._power(samples), self._decibels(real.reference)
        value = spectrum_distance(self._decibels(samples), reference).item()
        resampled = decibels(samples.resamples.double() @ power / len(samples))
        bounds = interval(value, spectrum_distance(resampled, reference), lowest=0.0)
        return {"spectrum_distance": MetricValue(value, bounds)}

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, object]:
        """Returns both curves: ``radius`` in cycles per image, ``samples_db`` and ``reference_db``."""
        curves = {"samples_db": samples, "reference_db": real.reference}
        found = {name: self._decibels(images).tolist() for name, images in curves.items()}
        return {"spectrum": {"radius": list(range(n_rings(samples.info.size))), **found}}

    def _power(self, images: ImageSet) -> Tensor:
        return images.derived(_protocol(images.info), lambda: {"power": radial_power(images.images)})["power"]

    def _decibels(self, images: ImageSet) -> Tensor:
        return decibels(self._power(images).mean(dim=0))


def _protocol(info: DatasetInfo) -> str:
    channels = "" if info.channels == 1 else ", mean of channels"
    return (
        f"radial power of images in 0..1, orthonormal, radii 0..{n_rings(info.size) - 1}, floor {FLOOR:.6e}{channels}"
    )
