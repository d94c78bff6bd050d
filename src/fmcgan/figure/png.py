"""PNG files: encoding, atomic writing, and safe reading; grey or colour."""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import visible
from fmcgan.app.run_dir import write_atomically
from fmcgan.app.untrusted_data import check_file
from fmcgan.figure.font import drawable

LONGEST = 65_535  # largest side of a grid and of a readable PNG, in pixels: the limit of a GIF
LARGEST = 50_000_000  # largest readable PNG, in pixels; the largest grid of ten rows of 28 pixels has 41 million
LARGEST_FILE = 100_000_000  # largest readable PNG, in bytes
DPI = 120  # pixels per inch of matplotlib figures


def png_bytes(picture: Figure | Image.Image) -> bytes:
    """Encodes a matplotlib figure, drawn at `DPI`, or a PIL image as PNG."""
    content = io.BytesIO()
    if isinstance(picture, Figure):
        save_figure(picture, content, format="png", dpi=DPI)
    else:
        picture.save(content, format="png")
    return content.getvalue()


def save_figure(
    figure: Figure,
    content: io.BytesIO,
    format: str,
    dpi: float | None = None,
    metadata: Mapping[str, str | None] | None = None,
) -> None:
    """Saves a figure with literal texts, which may contain ``$``, letters of any script or what XML forbids."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):  # for the type checker
            text.set_parse_math(False)
            text.set_text(drawable(visible(text.get_text())))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ")  # the bold font lacks a few letters more
        figure.savefig(content, format=format, dpi=dpi, metadata=metadata)


def write_png(picture: Figure | Image.Image, path: Path) -> None:
    """Writes a picture atomically to a PNG in a folder that exists.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    write_atomically(path, png_bytes(picture))


def read_png(path: Path) -> Image.Image:
    """Reads a PNG, grey (PIL mode ``L``) or in colour (``RGB``), after a check of the size in its header.

    Raises:
        UserError: the file is missing, not a PNG, damaged or too large.
    """
    check_file(path, LARGEST_FILE)
    try:
        with Image.open(path, formats=["PNG"]) as picture:  # other decoders may start external programs
            width, height = picture.size
            if width * height > LARGEST or max(width, height) > LONGEST:
                raise UserError(f"{path} has {width:,} x {height:,} pixels; at most {LARGEST:,} are allowed")
            return picture.convert(common_mode([picture]))
    except UserError:
        raise
    except Exception as error:  # Pillow raises many undocumented types
        raise UserError(f"{path} is not a readable PNG") from error


def common_mode(pictures: Sequence[Image.Image]) -> str:
    """Returns the PIL mode in which no picture loses its colours: ``L`` if all are grey, else ``RGB``."""
    return "L" if all(picture.mode[0] in "1LIF" for picture in pictures) else "RGB"
