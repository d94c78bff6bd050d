"""Simple attributes of images: brightness, size, symmetry, edges and texture."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, stats

from fmcgan.analysis.effect import Z
from fmcgan.metric.image_set import ImageSet

SHAPE = 16  # lowest grey level of the shape; darker pixels are background and noise
MOSTLY = 0.9
"""Share of images whose border must be darker than `SHAPE`, or the background is not black (Fashion-MNIST: 0.9997)."""
EDGE = 32  # slope in grey levels per pixel above which a pixel is an edge: an eighth of the scale
PROTOCOL = f"attributes, first version: shape from grey level {SHAPE}, edges above slope {EDGE}"
"""Identifies the results of `measure_attributes` in the store."""
LUMA = np.array([0.299, 0.587, 0.114])  # weights of red, green and blue in a grey level (ITU-R BT.601)
_IMAGES_AT_ONCE = 500  # fit into the processor's cache
_CROSS = ndimage.generate_binary_structure(2, 1)[None]

Numbers = NDArray[np.float64]


class Attribute(NamedTuple):
    """An attribute and the words for it."""

    name: str
    unit: str  # text after a number
    mean: str  # name of the mean
    more: str  # verb phrase for images with larger values
    less: str
    digits: int  # after the decimal point


ATTRIBUTES = (
    Attribute("brightness", "", "mean grey level", "are brighter", "are darker", 0),
    Attribute("area", " %", "mean share of the pixels", "fill more of the image", "fill less of the image", 1),
    Attribute("width", " pixels", "mean width", "are wider", "are narrower", 2),
    Attribute("height", " pixels", "mean height", "are taller", "are less tall", 2),
    Attribute("symmetry", "", "mean symmetry", "are more symmetric", "are less symmetric", 3),
    Attribute("edges", " %", "mean share of the shape's pixels", "have more edges", "have fewer edges", 1),
    Attribute(
        "texture", " grey levels", "mean difference of a pixel from its neighbours", "are grainier", "are smoother", 1
    ),
)
"""The attributes of `measure_attributes`, in its order."""
DEFINITIONS = {
    "brightness": f"mean grey level of the shape's pixels, {SHAPE} to 255",
    "area": f"share of the image's pixels that belong to the shape, at least {SHAPE} of 255, 0 to 100 %",
    "width": "width of the rectangle around the shape, in pixels",
    "height": "height of the rectangle around the shape, in pixels",
    "symmetry": "1 minus the share of the grey that differs from the mirror image about the middle of the rectangle "
    "around the shape: 1 if both are the same, 0 if they do not overlap",
    "edges": f"share of the shape's pixels where the grey level changes by more than {EDGE} a pixel (Sobel), "
    "0 to 100 %",
    "texture": "mean absolute difference of a pixel from the mean of its four neighbours, over the pixels whose four "
    "neighbours all belong to the shape, 0 to 255 grey levels",
}
"""Definition and range of each attribute."""


class Estimate(NamedTuple):
    """A value with its normal 95 % interval."""

    value: float
    low: float
    high: float

    def in_words(self, digits: int) -> str:
        """Formats value and interval: ``92 [91, 93]``."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def mean_of(values: Numbers) -> Estimate:
    """Estimates the mean of [N] finite values, N at least 2."""
    mean, half = float(values.mean()), Z * float(stats.sem(values))
    return Estimate(mean, mean - half, mean + half)


def spread_of(values: Numbers) -> Estimate:
    """Estimates the standard deviation of [N] finite values; with kurtosis k its log has variance ``(k - 1) / 4N``."""
    if np.ptp(values) == 0:
        return Estimate(0.0, 0.0, 0.0)
    spread = float(values.std(ddof=1))
    factor = float(np.exp(Z * np.sqrt((stats.kurtosis(values, fisher=False) - 1) / (4 * len(values)))))
    return Estimate(spread, spread / factor, spread * factor)


def has_black_background(images: ImageSet) -> bool:
    """Whether the medians of the borders of nearly all images are below `SHAPE`; computed once."""

    def measured() -> dict[str, torch.Tensor]:
        sides = (images.images[:, :, 0], images.images[:, :, -1], images.images[..., 0], images.images[..., -1])
        border = _grey(torch.cat(sides, dim=2)[:, :, None].numpy())  # [N, 1, 2 H + 2 W]
        return {"share": torch.tensor((np.median(border, axis=(1, 2)) < SHAPE).mean())}

    return images.derived(f"share of borders below grey level {SHAPE}", measured)["share"].item() >= MOSTLY


def attributes_of(images: ImageSet, black: bool = True) -> dict[str, Numbers]:
    """Returns `measure_attributes` of a set, computed once."""

    def measured() -> dict[str, torch.Tensor]:
        found = measure_attributes(images.images.numpy(), black)
        return {name: torch.from_numpy(each) for name, each in found.items()}

    protocol = PROTOCOL if black else f"{PROTOCOL}; all pixels are the shape"
    return {name: each.numpy() for name, each in images.derived(protocol, measured).items()}


def measure_attributes(images: NDArray[np.uint8], black: bool = True) -> dict[str, Numbers]:
    """Measures the `ATTRIBUTES` of each image; grey levels below `SHAPE`, and pixels beyond the border, count as 0.

    Without a ``black`` background (`has_black_background`), the shape is the whole image.

    Symmetry is ``1 - Σ|x - x'| / 2 Σx`` with x' the mirror image of x about the vertical axis of the bounding box, so
    that an off-centre shape is not less symmetric. The slope of an edge is the Sobel operator divided by 8; a sharp
    outline counts. Texture is a quarter of the absolute Laplacian; the outline does not count. The grey level of a
    colour is its luma.

    Returns:
        Values by name, float64 [N]. A black image has only an area, and a shape that is less than three pixels thick
        everywhere has no texture; other values are nan.

    Raises:
        ValueError: the images are not uint8 [N, C, H, W] with N > 0 and C = 1 or 3.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"images must be uint8 [N, 1 or 3, H, W] with N > 0, got {images.dtype} {list(images.shape)}")
    starts = range(0, len(images), _IMAGES_AT_ONCE)
    parts = [_measure(_grey(images[start : start + _IMAGES_AT_ONCE]), black) for start in starts]
    return {each.name: np.concatenate([part[each.name] for part in parts]) for each in ATTRIBUTES}


def _grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Converts [N, C, H, W] to grey levels [N, H, W]."""
    return images[:, 0] if images.shape[1] == 1 else np.rint(np.einsum("nchw,c->nhw", images, LUMA)).astype(np.uint8)


def _measure(images: NDArray[np.uint8], black: bool) -> dict[str, Numbers]:
    shape = images >= SHAPE if black else np.ones_like(images, dtype=np.bool_)
    grey = np.where(shape, images, 0).astype(np.float32)
    pixels, total = _sum(shape), _sum(grey)
    left, right = _ends(np.any(shape, axis=1))
    top, bottom = _ends(np.any(shape, axis=2))
    inner = ndimage.binary_erosion(shape, _CROSS)
    grain = np.abs(_filtered(grey, (1, -2, 1), 1) + _filtered(grey, (1, -2, 1), 2)) / 4
    return {
        "brightness": _ratio(total, pixels),
        "area": 100 * pixels / shape[0].size,
        "width": np.where(pixels > 0, right - left + 1.0, np.nan),
        "height": np.where(pixels > 0, bottom - top + 1.0, np.nan),
        "symmetry": 1 - _ratio(_sum(np.abs(grey - _mirrored(grey, left + right))), 2 * total),
        "edges": 100 * _ratio(_sum(shape & _steep(grey)), pixels),
        "texture": _ratio(_sum(np.where(inner, grain, 0)), _sum(inner)),
    }


def _sum(values: NDArray) -> Numbers:
    """Sums over each image of [N, H, W]: [N]."""
    return values.sum(axis=(1, 2), dtype=np.float64)


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    """Divides; nan where the divisor is 0."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def _ends(taken: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Finds the first and last true index of each row, [N, L]; 0 and L - 1 for a row without any."""
    return taken.argmax(axis=1), taken.shape[1] - 1 - taken[:, ::-1].argmax(axis=1)


def _mirrored(grey: NDArray[np.float32], ends: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mirrors images: column c of image i is column ``ends[i] - c``, black if there is none."""
    width = grey.shape[2]
    source = ends[:, None] - np.arange(width)
    taken = np.take_along_axis(grey, source.clip(0, width - 1)[:, None], axis=2)
    return taken * ((source >= 0) & (source < width))[:, None]


def _steep(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    # Not ndimage.sobel, which would also smooth along the images.
    across, down = (_filtered(_filtered(grey, (-1, 0, 1), axis), (1, 2, 1), 3 - axis) for axis in (2, 1))
    return across**2 + down**2 > (8 * EDGE) ** 2


def _filtered(values: NDArray[np.float32], weights: tuple[int, ...], axis: int) -> NDArray[np.float32]:
    return ndimage.correlate1d(values, weights, axis=axis, mode="constant")
