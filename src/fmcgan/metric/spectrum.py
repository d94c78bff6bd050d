"""Power spectra of images: the frequencies that blur removes and upsampling may add."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from fmcgan.metric.base import Metric
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.value import MetricValue, Quantity, interval

RADII = 15  # rings of radius 0..14, in cycles per image; 14 is the Nyquist frequency
FLOOR = 1 / (12 * 255**2)  # power per frequency of the rounding to 256 grey levels, the smallest that can be measured
_IMAGES_AT_ONCE = 2000


def radial_power(images: Tensor) -> Tensor:
    """Computes the power of each image at each spatial frequency, averaged over directions.

    This is the azimuthal integration of Durall et al. 2020, divided by the number of frequencies of each ring. A
    frequency belongs to the ring of the nearest whole radius; the corners beyond the Nyquist frequency are left out.

    Images uint8 [N, 1, 28, 28] are scaled to 0..1 and keep their mean: the ring of radius 0 holds 784 times the squared
    mean. The transform is orthonormal: white noise of variance v has power v in every ring. Returns the mean squared
    magnitude over each ring, float64 [N, 15].
    """
    frequencies = torch.fft.fftfreq(28, d=1 / 28, dtype=torch.float64)
    radius = (frequencies[:, None].square() + frequencies.square()).sqrt().round().flatten()
    rings = (radius[:, None] == torch.arange(RADII)).double()  # [784, 15]
    rings /= rings.sum(dim=0)
    power = []
    for some in images.split(_IMAGES_AT_ONCE):
        transform = torch.fft.fft2(some.squeeze(1).double() / 255, norm="ortho")
        power.append((transform.real.square() + transform.imag.square()).flatten(1) @ rings)
    return torch.cat(power)


def spectrum_distance(a: Tensor, b: Tensor) -> Tensor:
    """Computes the root mean square difference of two spectra in decibels, [..., 15], over their rings: [...]."""
    return (a - b).square().mean(dim=-1).sqrt()


def decibels(power: Tensor) -> Tensor:
    """Converts power to ``10 log10(power)``; power below `FLOOR` counts as `FLOOR`, so that black has a spectrum."""
    return 10 / math.log(10) * power.clamp(min=FLOOR).log()


class Spectrum(Metric):
    """``spectrum_distance_{n}_{split}``: root mean square difference of the mean power spectra, in decibels.

    The spectra are `radial_power`, averaged over the images: one curve of 15 points per set; different sets may have
    equal curves. All rings have equal weight, though the finest hold little power: they show blur and upsampling
    artifacts, by which Durall et al. 2020 recognise generated images. The distance in decibels is our own.
    """

    kinds: ClassVar = {"spectrum_distance": Quantity("Distance of spectra", "lower", "dB", lowest=0)}
    protocol = f"radial power of images in 0..1, orthonormal, radii 0..{RADII - 1}, floor {FLOOR:.6e}"

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
        return {"spectrum": {"radius": list(range(RADII)), **found}}

    def _power(self, images: ImageSet) -> Tensor:
        return images.derived(self.protocol, lambda: {"power": radial_power(images.images)})["power"]

    def _decibels(self, images: ImageSet) -> Tensor:
        return decibels(self._power(images).mean(dim=0))
