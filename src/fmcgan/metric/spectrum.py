"""How much of each spatial frequency images hold: what blur takes away and upsampling may put in."""

import math
from typing import Any

import torch
from torch import Tensor

from fmcgan.metric.base import Measurement, Metric, RealImages
from fmcgan.metric.bootstrap import interval
from fmcgan.metric.image_set import ImageSet, count_name

RADII = 15
"""Rings of radius 0..14, in cycles an image; 14 is the Nyquist frequency."""

FLOOR = 1 / (12 * 255**2)
"""Power of the rounding to 256 grey levels, for each frequency: less cannot be told from none."""

_IMAGES_AT_ONCE = 2000


def radial_power(images: Tensor) -> Tensor:
    """Power of each image at each spatial frequency, averaged over the directions.

    This is the azimuthal integration of Durall et al. 2020, divided by the number of frequencies of each ring.

    The image is scaled to 0..1 and keeps its mean, so the ring of radius 0 holds 784 times the squared mean. With the
    orthonormal transform white noise of variance v has the power v everywhere. A frequency belongs to the ring of the
    nearest whole radius; the corners beyond the Nyquist frequency, whose rings are not whole, are left out.

    Args:
        images: uint8 [N, 1, 28, 28].

    Returns:
        Mean squared magnitude over each ring, float64 [N, 15].
    """
    frequencies = torch.fft.fftfreq(28, d=1 / 28, dtype=torch.float64)
    radius = (frequencies[:, None].square() + frequencies.square()).sqrt().round().flatten()
    rings = (radius[:, None] == torch.arange(RADII)).double()  # [784, 15]
    rings /= rings.sum(dim=0)
    return torch.cat([_squared_magnitude(some) @ rings for some in images.split(_IMAGES_AT_ONCE)])


def _squared_magnitude(images: Tensor) -> Tensor:
    transform = torch.fft.fft2(images.squeeze(1).double() / 255, norm="ortho")
    return (transform.real.square() + transform.imag.square()).flatten(1)


def spectrum_distance(a: Tensor, b: Tensor) -> Tensor:
    """Root mean square difference of two spectra over their rings.

    Args:
        a: in decibels, [..., 15].
        b: in decibels, [..., 15].

    Returns:
        [...], in decibels, never negative.
    """
    return (a - b).square().mean(dim=-1).sqrt()


def decibels(power: Tensor) -> Tensor:
    """``10 log10`` of a power, in relation to 1; powers below `FLOOR` count as that, so that black has a spectrum."""
    return 10 / math.log(10) * power.clamp(min=FLOOR).log()


class Spectrum(Metric):
    """``spectrum_distance_{n}_{split}``: how far the mean power spectra are apart, in decibels.

    The spectra are `radial_power`, averaged over the images, so a set is seen as one curve of 15 points: sets whose
    images differ may have the same. Each ring counts the same, though the finest hold little of the power: it is there
    that blur and the traces of upsampling show, by which Durall et al. 2020 tell generated images. The distance in
    decibels is our own.
    """

    begins = ("spectrum_distance",)

    @property
    def protocol(self) -> str:
        """Scaling, rings and floor."""
        return f"radial power of images in 0..1, orthonormal, radii 0..{RADII - 1}, floor {FLOOR:.6e}"

    def measure(self, samples: ImageSet, real: RealImages) -> dict[str, Measurement]:
        """Measures the distance, with a bootstrap interval over the samples."""
        power, reference = self._power(samples), self._decibels(real.reference)
        value = spectrum_distance(self._decibels(samples), reference).item()
        resampled = decibels(samples.resamples.double() @ power / len(samples))
        name = f"spectrum_distance_{count_name(len(samples))}_{real.reference_split}"
        spread = interval(value, spectrum_distance(resampled, reference), lowest=0.0)
        return {name: Measurement(value, "lower", spread)}

    def findings(self, samples: ImageSet, real: RealImages) -> dict[str, Any]:
        """Both curves: ``radius`` in cycles an image, ``samples_db`` and ``reference_db``."""
        curves = {"samples_db": samples, "reference_db": real.reference}
        found = {name: self._decibels(images).tolist() for name, images in curves.items()}
        return {"spectrum": {"radius": list(range(RADII)), **found}}

    def _power(self, images: ImageSet) -> Tensor:
        return images.derived(self.protocol, lambda: {"power": radial_power(images.images)})["power"]

    def _decibels(self, images: ImageSet) -> Tensor:
        return decibels(self._power(images).mean(dim=0))
