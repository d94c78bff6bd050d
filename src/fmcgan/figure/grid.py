"""Grids of small images: one class per row, one latent vector per column."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmcgan.app import checks
from fmcgan.app.errors import InvalidValueError
from fmcgan.figure.files import LONGEST, common_mode
from fmcgan.figure.font import Font, load_font
from fmcgan.figure.paper import PAPER, paste, sheet

INK = 45  # grey level of text
_TEXT = f"#{INK:02x}{INK:02x}{INK:02x}"  # a name of its colour for grey and for colour pictures
MARGIN, GAP = 10, 2  # pixels around a grid and between images
NAME_SIZE, TITLE_SIZE = 14, 17  # font sizes in pixels
_BESIDE = 150  # maximum width of names and margins, in pixels
_TILE = 56  # usual height and width of a magnified image, in pixels


def magnification(size: int, pixels: int = _TILE) -> int:
    """Returns the integer by which images of a size are magnified to about ``pixels``; at least 1."""
    return max(1, round(pixels / size))


def check_columns(tile: int = _TILE, /, **columns: int) -> None:
    """Checks that a grid of images, ``tile`` pixels wide after magnification, is not wider than `LONGEST`.

    Numbers of columns are named like the option.

    Raises:
        InvalidValueError: there are too many columns.
    """
    most = (LONGEST - _BESIDE) // (tile + GAP)
    for name, value in columns.items():
        if value > most:
            raise InvalidValueError(f"{name} must be at most {most:,}, the widest grid, got {value:,}")


def class_grid(
    images: NDArray[np.uint8], row_names: Sequence[str], title: str | None = None, scale: int | None = None
) -> Image.Image:
    """Draws a grid of images with R row names at the left, grey (PIL mode ``L``) or in colour (``RGB``) like these.

    Images are uint8 [R, C, H, W] or [R, C, H, W, 3]; one that is white all over leaves its place empty. ``title`` is a
    line above the grid, ``scale`` an integer magnification; ``None``: that of `magnification`.

    Raises:
        ValueError: the images have another type or shape, or the number of names differs.
    """
    if images.dtype != np.uint8 or images.size == 0 or images.shape[4:] not in ((), (3,)) or images.ndim < 4:
        raise ValueError(
            f"images must be uint8 [rows, columns, height, width] or [..., 3], got {images.dtype} {images.shape}"
        )
    scale = magnification(images.shape[3]) if scale is None else scale
    checks.whole_number(scale=scale)
    if len(row_names) != len(images):
        raise ValueError(f"row_names must hold {len(images)} names, one per row, got {len(row_names)}")
    step, across = (images.shape[axis] * scale + GAP for axis in (2, 3))
    name_font, title_font = load_font(NAME_SIZE), load_font(TITLE_SIZE)
    left = MARGIN + max(_width(name, name_font) for name in row_names) + 8
    top = MARGIN + (TITLE_SIZE + 10 if title else 0)
    width = max(left + images.shape[1] * across - GAP, MARGIN + _width(title or "", title_font)) + MARGIN
    picture = sheet("RGB" if images.ndim == 5 else "L", (width, top + len(images) * step - GAP + MARGIN))
    for row, column in np.argwhere((images != PAPER).reshape(*images.shape[:2], -1).any(axis=2)).tolist():
        paste(picture, enlarged(images[row, column], scale), (left + column * across, top + row * step))
    draw = ImageDraw.Draw(picture)
    if title:
        draw.text((MARGIN, MARGIN), title, fill=_TEXT, font=title_font, anchor="lt")
    for row, name in enumerate(row_names):
        draw.text((left - 8, top + row * step + (step - GAP) // 2), name, fill=_TEXT, font=name_font, anchor="rm")
    return picture


def side_by_side(grids: Sequence[tuple[str, Image.Image]], columns: int = 3) -> Image.Image:
    """Arranges at least one picture in rows of at most ``columns``, in grey (PIL mode ``L``) if all are, else ``RGB``.

    ``grids`` holds pairs of title and picture. The title is above the picture, wrapped to its width.
    """
    checks.whole_number(columns=columns)
    if not grids:
        raise ValueError("grids must hold at least one (title, picture), got none")
    font, line = load_font(TITLE_SIZE), TITLE_SIZE + 6
    titles = [_wrapped(title, font, grid.width - 2 * MARGIN) for title, grid in grids]
    head = MARGIN + line * max(len(lines) for lines in titles)
    widths = [2 * MARGIN + _width(text, font) for lines in titles for text in lines]
    cell_width = max(*widths, *(grid.width for _, grid in grids))
    cell_height = head + max(grid.height for _, grid in grids)
    columns = min(columns, len(grids))
    mode = common_mode([grid for _, grid in grids])
    picture = sheet(mode, (columns * cell_width, -(-len(grids) // columns) * cell_height))
    draw = ImageDraw.Draw(picture)
    for index, (lines, (_, grid)) in enumerate(zip(titles, grids, strict=True)):
        x, y = index % columns * cell_width, index // columns * cell_height
        for above, text in enumerate(reversed(lines), start=1):  # the last line is above the picture
            draw.text((x + MARGIN, y + head - above * line), text, fill=_TEXT, font=font, anchor="lt")
        paste(picture, grid.convert(mode), (x, y + head))
    return picture


def _wrapped(title: str, font: Font, width: int) -> list[str]:
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _width(longer, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _width(text: str, font: Font) -> int:
    return int(np.ceil(font.getlength(text)))


def enlarged(image: NDArray[np.uint8], scale: int) -> Image.Image:
    """Magnifies an image, uint8 [H, W] or [H, W, 3], by an integer."""
    return Image.fromarray(image.repeat(scale, axis=0).repeat(scale, axis=1))
