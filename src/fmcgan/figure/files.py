"""Files of pictures: PNG of all, SVG and PDF of matplotlib figures; atomic writing, and safe reading of PNG."""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
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
FORMATS = ("png", "svg", "pdf")  # of the files of a matplotlib figure
DPI = 160  # pixels per inch of matplotlib figures
_DRAWING: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "fmcgan", "path.simplify_threshold": 0.3}
"""Letters are text, equal figures have equal bytes, and curves of many points few."""
_CLOUD_DPI = 110  # pixels per inch of the clouds of points in an SVG or PDF
_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def png_bytes(picture: Figure | Image.Image) -> bytes:
    """Encodes a matplotlib figure, drawn at `DPI`, or a PIL image as PNG."""
    if isinstance(picture, Figure):
        return figure_files(picture, ("png",))[".png"]
    content = io.BytesIO()
    picture.save(content, format="png")
    return content.getvalue()


def figure_files(figure: Figure, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """Encodes a matplotlib figure, drawn at `DPI`, by suffix (``.png``). Equal figures give equal bytes."""
    prepare(figure)
    files = {}
    for format in formats:
        content = io.BytesIO()
        save_figure(figure, content, format, DPI if format == "png" else _CLOUD_DPI, _UNDATED.get(format))
        files[f".{format}"] = content.getvalue()
    return files


def prepare(figure: Figure) -> None:
    """Computes the layout of a figure once, the slowest part of drawing, and names its parts in an SVG.

    These are ``axes-N``, ``handle-N`` of the legends, ``title`` and ``background``.
    """
    if figure.get_layout_engine() is not None:
        _make_literal(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    for number, axes in enumerate(figure.axes):
        axes.set_gid(f"axes-{number}")
        axes.patch.set_gid("background")
        for title in titles_of(axes):
            title.set_gid("title")
    for number, (handle, _) in enumerate(legend_of(figure)):
        handle.set_gid(f"handle-{number}")


def titles_of(axes: Axes) -> list[Text]:
    """Returns the titles of axes: left, in the middle and right, of which most are empty."""
    return [each for each in axes.get_children() if isinstance(each, Text) and each not in axes.texts]


def legend_of(figure: Figure) -> list[tuple[Artist, str]]:
    """Returns the marks of all legends of a figure, with their texts."""
    legends = [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()) is not None)]
    return [
        (handle, text.get_text())
        for legend in legends
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
        if handle is not None
    ]


def save_figure(
    figure: Figure,
    content: io.BytesIO,
    format: str,
    dpi: float | None = None,
    metadata: Mapping[str, str | None] | None = None,
) -> None:
    """Saves a figure with literal texts, which may contain ``$``, letters of any script or what XML forbids."""
    _make_literal(figure)
    with warnings.catch_warnings(), matplotlib.rc_context(_DRAWING):
        warnings.filterwarnings("ignore", "Glyph ")  # the bold font lacks a few letters more
        figure.savefig(content, format=format, dpi=dpi, metadata=metadata)


def _make_literal(figure: Figure) -> None:
    for text in figure.findobj(Text):
        if isinstance(text, Text):  # for the type checker
            text.set_parse_math(False)
            text.set_text(drawable(visible(text.get_text())))


def write_figure(figure: Figure, path: Path) -> None:
    """Writes a matplotlib figure atomically to ``path``, a PNG in a folder that exists, and as SVG and PDF beside it.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    for suffix, content in figure_files(figure).items():
        write_atomically(path.with_suffix(suffix), content)


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
