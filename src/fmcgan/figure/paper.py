"""Paper: pictures that know which of their pixels are images, so that a page shows the rest in its own colours."""

import numpy as np
from PIL import Image

PAPER = 255  # grey level
_BOXES = "images"  # key in `Image.info`, which no format writes into its files

Box = tuple[int, int, int, int]  # left, top, right, bottom


def sheet(mode: str, size: tuple[int, int]) -> Image.Image:
    """Makes white paper, grey (PIL mode ``L``) or in colour (``RGB``), on which `paste` puts images."""
    paper = Image.new(mode, size, "white")
    paper.info[_BOXES] = []
    return paper


def paste(paper: Image.Image, picture: Image.Image, at: tuple[int, int]) -> None:
    """Puts a picture on paper; if it is paper itself, only its images are images of the whole."""
    paper.paste(picture, at)
    x, y = at
    boxes: list[Box] = picture.info.get(_BOXES, [(0, 0, *picture.size)])
    paper.info[_BOXES] += [(left + x, top + y, right + x, bottom + y) for left, top, right, bottom in boxes]


def layers(picture: Image.Image) -> tuple[Image.Image, Image.Image] | None:
    """Splits paper into its images and all else, both PIL mode ``RGBA``; ``None``: the picture is not paper.

    What is drawn beside the images keeps its hue, and is the more opaque the darker it is: both layers on white give
    the picture, and a page may put them on another ground.
    """
    boxes: list[Box] | None = picture.info.get(_BOXES)
    if boxes is None:
        return None
    pixels = np.asarray(picture.convert("RGB")).astype(np.float64)
    is_image = np.zeros(pixels.shape[:2], dtype=bool)
    for left, top, right, bottom in boxes:
        is_image[top:bottom, left:right] = True
    opacity = np.where(is_image, 0, 1 - pixels.min(axis=2) / PAPER)[..., None]
    ink = np.divide(pixels - (1 - opacity) * PAPER, opacity, out=np.zeros_like(pixels), where=opacity > 0)
    shown = np.where(is_image[..., None], pixels, 0)
    return _rgba(shown, is_image[..., None]), _rgba(ink, opacity)


def _rgba(colours: np.ndarray, opacity: np.ndarray) -> Image.Image:
    both = np.concatenate([colours, PAPER * opacity], axis=2)
    return Image.fromarray(both.round().clip(0, PAPER).astype(np.uint8), "RGBA")
