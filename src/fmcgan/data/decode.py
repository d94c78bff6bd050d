"""Converts images of any mode to 8-bit grey or colour."""

import numpy as np
from PIL import Image, ImageOps

from fmcgan.app.errors import UserError

_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def is_colour(image: Image.Image) -> bool:
    """Whether an opened image has colours by its header; a palette counts if any of its entries has one."""
    if image.mode in ("P", "PA"):
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3))
        return bool((palette != palette[:, :1]).any())
    return image.mode not in _GREY


def decode(image: Image.Image, mode: str) -> Image.Image:
    """Reads an opened image as mode ``L`` or ``RGB``.

    Its first frame, turned as EXIF says. Transparent pixels become black; 16 bits are scaled to 8; palettes, CMYK and
    other colour spaces are converted.

    Raises:
        UserError: it has floating point values, whose range is unknown.
    """
    if image.mode == "F":
        raise UserError("it has floating point values; save it with 8 or 16 bits")
    image = ImageOps.exif_transpose(image)
    if image.mode in _DEEP:
        values = np.asarray(image).astype(np.float64) / 257  # 65535 becomes 255
        image = Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        black = Image.new("RGBA", opaque.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, opaque)
    return image if image.mode == mode else image.convert(mode)
