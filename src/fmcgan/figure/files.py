"""Files of pictures: PNG of all, SVG and PDF of matplotlib figures; atomic writing, and safe reading of PNG."""

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
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
_PRINT: dict[str, Callable[[Figure, io.BytesIO], None]] = {
    "png": lambda figure, content: FigureCanvasAgg(figure).print_png(content),
    "svg": lambda figure, content: FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None}),
    "pdf": lambda figure, content: FigureCanvasPdf(figure).print_pdf(content, metadata={"CreationDate": None}),
}
"""Writers of each format, without a date."""


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
    return {f".{format}": _save(figure, format) for format in formats}


def prepare(figure: Figure) -> None:
    """Makes texts literal, computes the layout once, the slowest part of drawing, and names the parts in an SVG.

    These are ``axes-N``, ``handle-N`` of the legends, ``title`` and ``background``.
    """
    _make_literal(figure)
    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine | None):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axes in figure.axes:
            _fix_names(axes)
    for number, axes in enumerate(figure.axes):
        axes.set_gid(f"axes-{number}")
        axes.patch.set_gid("background")
        for title in titles_of(axes):
            title.set_gid("title")
    for number, (handle, _) in enumerate(legend_of(figure)):
        handle.set_gid(f"handle-{number}")


def _fix_names(axes: Axes) -> None:
    """Keeps the names of both axes where the layout put them: finding their places takes as long as drawing."""
    for axis in (axes.xaxis, axes.yaxis):
        place = axis.label.get_transform().transform(axis.label.get_position())
        axis.set_label_coords(*axes.transAxes.inverted().transform(place))


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


def _save(figure: Figure, format: str) -> bytes:
    """Encodes a figure, whose texts are literal: they may contain ``$``, letters of any script or what XML forbids.

    `Figure.savefig` would draw it twice, once for the layout.
    """
    content, canvas, dpi = io.BytesIO(), figure.canvas, figure.dpi
    try:
        figure.set_dpi(DPI if format == "png" else _CLOUD_DPI)
        with warnings.catch_warnings(), matplotlib.rc_context(_DRAWING):
            warnings.filterwarnings("ignore", "Glyph ")  # the bold font lacks a few letters more
            _PRINT[format](figure, content)
    finally:
        figure.set_dpi(dpi)
        figure.set_canvas(canvas)
    return content.getvalue()


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
