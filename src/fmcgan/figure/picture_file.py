"""Reads the pictures that lie in a run folder."""

from pathlib import Path

from PIL import Image

from fmcgan.app.given_file import check_file
from fmcgan.errors import UserError

LARGEST_FILE = 100_000_000
MOST_PIXELS = 50_000_000
"""A sample grid of a hundred columns has three million."""


def read_grey(path: Path) -> Image.Image:
    """Reads a PNG as greys.

    Raises:
        UserError: it is damaged, no PNG, or larger than a sample grid can be.
    """
    check_file(path, LARGEST_FILE)
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"{picture.width} x {picture.height} pixels")
            return picture.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is not a readable PNG of a sample grid; remove it and start again") from error
