"""What one sees of a garment at a glance, as numbers: brightness, size, symmetry, edges and grain."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from fmcgan.analysis.effect import LEVEL
from fmcgan.metric.image_set import ImageSet

GARMENT = 16
"""Grey level from which a pixel belongs to the garment: what is darker is the background and its noise."""

EDGE = 32
"""Slope in grey levels a pixel above which a pixel lies at an edge: an eighth of the scale."""

PROTOCOL = f"attributes of garments, first version: garment from grey level {GARMENT}, edges above slope {EDGE}"
"""What `measure_attributes` gives is a function of the images and this."""

SIDE = 28
_IMAGES_AT_ONCE = 500  # whose arrays stay in the processor's cache
_CROSS = ndimage.generate_binary_structure(2, 1)[None]
_Z = float(stats.norm.ppf((1 + LEVEL) / 2))

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Attribute:
    """How an attribute is spoken of.

    The unit is as it stands behind a number, ``mean`` what the mean is called, ``more`` and ``less`` what is said of
    images that have more or less of it than others, and ``digits`` are those after the decimal point.
    """

    name: str
    definition: str
    unit: str
    mean: str
    more: str
    less: str
    digits: int


ATTRIBUTES = (
    Attribute(
        "brightness", "mean grey level of its pixels, 16 to 255", "", "mean grey level", "are brighter", "are darker", 0
    ),
    Attribute(
        "area",
        f"share of the image's pixels that belong to the garment, being at least {GARMENT} of 255, 0 to 100 %",
        " %",
        "mean share of the pixels",
        "fill more of the image",
        "fill less of the image",
        1,
    ),
    Attribute(
        "width", "of the rectangle around it, 1 to 28 pixels", " pixels", "mean width", "are wider", "are narrower", 2
    ),
    Attribute("height", "of the same, 1 to 28 pixels", " pixels", "mean height", "are taller", "are less tall", 2),
    Attribute(
        "symmetry",
        "1 less the share of the grey that differs from the left-right mirror image about the middle of the rectangle: "
        "1 if both are the same, 0 if they do not overlap",
        "",
        "mean symmetry",
        "are more symmetric",
        "are less symmetric",
        3,
    ),
    Attribute(
        "edges",
        f"share of the garment's pixels where the grey level changes by more than {EDGE} a pixel (Sobel), 0 to 100 %",
        " %",
        "mean share of the garment's pixels",
        "have more edges",
        "have fewer edges",
        1,
    ),
    Attribute(
        "texture",
        "mean absolute difference of a pixel from the mean of its four neighbours, over the pixels whose four "
        "neighbours all belong to the garment, 0 to 255 grey levels",
        " grey levels",
        "mean difference of a pixel from its neighbours",
        "are grainier",
        "are smoother",
        1,
    ),
)
"""Each of `measure_attributes`, in its order."""


class Estimate(NamedTuple):
    """A number and its 95 % interval, by the normal approximation."""

    value: float
    low: float
    high: float

    def in_words(self, digits: int) -> str:
        """``92 [91, 93]``."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def mean_of(values: Numbers) -> Estimate:
    """Mean of [N] finite values, N at least 2."""
    mean, half = float(values.mean()), _Z * float(stats.sem(values))
    return Estimate(mean, mean - half, mean + half)


def spread_of(values: Numbers) -> Estimate:
    """Standard deviation of [N] finite values, whose logarithm varies by ``(k - 1) / 4N`` with their kurtosis k."""
    if np.ptp(values) == 0:
        return Estimate(0.0, 0.0, 0.0)
    spread = float(values.std(ddof=1))
    factor = float(np.exp(_Z * np.sqrt((stats.kurtosis(values, fisher=False) - 1) / (4 * len(values)))))
    return Estimate(spread, spread / factor, spread * factor)


def attributes_of(images: ImageSet) -> dict[str, Numbers]:
    """`measure_attributes` of a set, measured once."""

    def measured() -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(each) for name, each in measure_attributes(images.images.numpy()).items()}

    return {name: each.numpy() for name, each in images.derived(PROTOCOL, measured).items()}


def measure_attributes(images: NDArray[np.uint8]) -> dict[str, Numbers]:
    """Measures each image by itself. Grey levels below `GARMENT` count as 0, and so does what lies beyond the border.

    ``brightness``: mean grey level of the garment's pixels, in 16..255.
    ``area``: share of the 784 pixels that belong to the garment, in percent, 0..100.
    ``width`` and ``height``: of the smallest upright rectangle around the garment, in pixels, 1..28.
    ``symmetry``: ``1 - Σ|x - x'| / 2 Σx``, with x' the mirror image of x about the vertical line through the middle of
    that rectangle, so that a garment beside the image's middle is not less symmetric; 0..1.
    ``edges``: share of the garment's pixels at which the slope, by the operator of Sobel divided by 8, is larger than
    `EDGE` grey levels a pixel, in percent, 0..100. The outline counts where it is sharp.
    ``texture``: mean of ``|x - (mean of the four neighbours)|``, a quarter of the absolute Laplacian, in grey levels,
    0..255, over the pixels whose four neighbours belong to the garment too, so that the outline is not taken for grain.

    A black image has the area 0 and no other attribute; one whose garment is nowhere three pixels thick no texture.
    What an image has not is nan.

    Args:
        images: uint8 [N, 1, 28, 28] in 0..255, at least one.

    Returns:
        Name -> float64 [N].

    Raises:
        ValueError: type or shape is another one.
    """
    if images.dtype != np.uint8 or images.shape[1:] != (1, SIDE, SIDE) or len(images) == 0:
        raise ValueError(f"images must be uint8 [N, 1, 28, 28] with N > 0, got {images.dtype} {list(images.shape)}")
    starts = range(0, len(images), _IMAGES_AT_ONCE)
    parts = [_measure(images[start : start + _IMAGES_AT_ONCE, 0]) for start in starts]
    return {each.name: np.concatenate([part[each.name] for part in parts]) for each in ATTRIBUTES}


def _measure(images: NDArray[np.uint8]) -> dict[str, Numbers]:
    garment = images >= GARMENT
    grey = np.where(garment, images, 0).astype(np.float32)
    pixels, total = _sum(garment), _sum(grey)
    left, right = _ends(np.any(garment, axis=1))
    top, bottom = _ends(np.any(garment, axis=2))
    inner = ndimage.binary_erosion(garment, _CROSS)
    return {
        "brightness": _ratio(total, pixels),
        "area": 100 * pixels / SIDE**2,
        "width": np.where(pixels > 0, right - left + 1.0, np.nan),
        "height": np.where(pixels > 0, bottom - top + 1.0, np.nan),
        "symmetry": 1 - _ratio(_sum(np.abs(grey - _mirrored(grey, left + right))), 2 * total),
        "edges": 100 * _ratio(_sum(garment & _steep(grey)), pixels),
        "texture": _ratio(_sum(np.where(inner, _grain(grey), 0)), _sum(inner)),
    }


def _sum(values: NDArray) -> Numbers:
    """Over each image of [N, 28, 28]: [N]."""
    return values.sum(axis=(1, 2), dtype=np.float64)


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    """Nan where nothing is below."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def _ends(taken: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last place of each row [N, 28] that is taken: 0 and 27 of a row in which none is."""
    return taken.argmax(axis=1), SIDE - 1 - taken[:, ::-1].argmax(axis=1)


def _mirrored(grey: NDArray[np.float32], ends: NDArray[np.int64]) -> NDArray[np.float32]:
    """Column c of image i taken from column ``ends[i] - c``, and black where there is none."""
    source = ends[:, None] - np.arange(SIDE)
    taken = np.take_along_axis(grey, source.clip(0, SIDE - 1)[:, None], axis=2)
    return taken * ((source >= 0) & (source < SIDE))[:, None]


def _steep(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    # Not ndimage.sobel, which would also smooth along the images.
    across, down = (_filtered(_filtered(grey, (-1, 0, 1), axis), (1, 2, 1), 3 - axis) for axis in (2, 1))
    return across**2 + down**2 > (8 * EDGE) ** 2


def _grain(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.abs(_filtered(grey, (1, -2, 1), 1) + _filtered(grey, (1, -2, 1), 2)) / 4


def _filtered(values: NDArray[np.float32], weights: tuple[int, ...], axis: int) -> NDArray[np.float32]:
    return ndimage.correlate1d(values, weights, axis=axis, mode="constant")
