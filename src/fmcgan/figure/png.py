"""One way to the disk for every picture of this project."""

import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from fmcgan.run_folder import write_atomically

DPI = 120
"""Pixels per inch of every curve figure."""


def png_bytes(picture: Figure | Image.Image) -> bytes:
    """A picture as the content of a PNG.

    Args:
        picture: a matplotlib figure, drawn at `DPI`, or a PIL image.
    """
    content = io.BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(content, format="png", dpi=DPI)
    else:
        picture.save(content, format="png")
    return content.getvalue()


def write_png(picture: Figure | Image.Image, path: Path) -> None:
    """Writes a picture so that whoever looks at ``path`` meanwhile sees the old one or the new one, never half of one.

    Args:
        picture: as of `png_bytes`.
        path: the PNG to write; missing folders above it are made.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, png_bytes(picture))
