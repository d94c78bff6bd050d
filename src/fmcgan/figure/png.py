"""One way to the disk for every picture of this project."""

import io
import warnings
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.app.escaping import visible
from fmcgan.app.run_dir import write_atomically
from fmcgan.app.untrusted_data import check_file

LONGEST = 65_535
"""Pixels of the longest side of a grid, and of any PNG that is read: a film (GIF) can be no larger."""

LARGEST = 50_000_000
"""Pixels of the largest PNG that is read; the largest grid of ten rows has 41 million."""

LARGEST_FILE = 100_000_000
"""Bytes of the largest PNG that is read."""

DPI = 120
"""Pixels per inch of every curve figure."""


def png_bytes(picture: Figure | Image.Image) -> bytes:
    """A picture as the content of a PNG.

    Args:
        picture: a matplotlib figure, drawn at `DPI`, or a PIL image.
    """
    content = io.BytesIO()
    if isinstance(picture, Figure):
        save_figure(picture, content, format="png", dpi=DPI)
    else:
        picture.save(content, format="png")
    return content.getvalue()


def save_figure(figure: Figure, content: io.BytesIO, **options: Any) -> None:
    """Saves a figure whose every text is plain: names from elsewhere may hold ``$``, or what no XML may hold.

    Args:
        figure: the figure.
        content: takes it.
        options: of `Figure.savefig`.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # type: ignore[attr-defined]
        text.set_text(visible(text.get_text()))  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph ")  # a letter that the font lacks is a box
        figure.savefig(content, **options)  # type: ignore[arg-type]


def write_png(picture: Figure | Image.Image, path: Path) -> None:
    """Writes a picture so that whoever looks at ``path`` meanwhile sees the old one or the new one, never half of one.

    Args:
        picture: as of `png_bytes`.
        path: the PNG to write, in a folder that exists.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    write_atomically(path, png_bytes(picture))


def read_png(path: Path) -> Image.Image:
    """Reads a PNG in greys (PIL mode ``L``); its header is looked at before anything is decoded.

    Raises:
        UserError: it is no file, no PNG, damaged or too large; names the file.
    """
    check_file(path, LARGEST_FILE)
    try:
        with Image.open(path, formats=["PNG"]) as picture:  # PNG alone: other formats start other programs
            width, height = picture.size
            if width * height > LARGEST or max(width, height) > LONGEST:
                raise UserError(f"{path} has {width:,} x {height:,} pixels; at most {LARGEST:,} are read")
            return picture.convert("L")
    except UserError:
        raise
    except Exception as error:  # of a damaged file: a dozen types, which Pillow does not document
        raise UserError(f"{path} is not a readable PNG") from error
