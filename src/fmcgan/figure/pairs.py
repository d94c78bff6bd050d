"""Figure of generated images above their nearest training images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.figure.files import write_png
from fmcgan.figure.image_rows import Block, Row, Tile, check_pixels, rows_picture
from fmcgan.figure.paper import paste, sheet

MOST_PAIRS = 10  # maximum number of pairs of a group


@dataclass(frozen=True, eq=False)
class Pair:
    """A generated image and its nearest training image."""

    sample: NDArray[np.uint8]  # [H, W] or [H, W, 3]
    training: NDArray[np.uint8]  # of the same shape
    distance: float  # between both, in the space of the group
    label: int  # conditioned class

    def __post_init__(self) -> None:
        for name, image in (("sample", self.sample), ("training", self.training)):
            check_pixels(image, name, "H, W")
        if self.sample.shape != self.training.shape:
            shapes = f"{list(self.sample.shape)} and {list(self.training.shape)}"
            raise ValueError(f"sample and training must have the same shape, got {shapes}")


def draw_pairs(groups: Mapping[str, Sequence[Pair]], path: Path, *, names: Sequence[str]) -> None:
    """Writes a PNG of groups of pairs: generated images, training images and absolute differences (black: none).

    There is at least one group, named by the space of the distances; the first `MOST_PAIRS` of each are drawn.
    ``names`` are those of all classes.
    """
    if not groups:
        raise ValueError("groups must hold at least one group of pairs, got none")
    for label in (pair.label for pairs in groups.values() for pair in pairs):
        if not 0 <= label < len(names):
            raise ValueError(f"label must be 0..{len(names) - 1}, got {label}")
    pictures = [_draw_group(name, pairs[:MOST_PAIRS], names) for name, pairs in groups.items()]
    size = max(each.width for each in pictures), sum(each.height for each in pictures)
    whole, top = sheet("RGB", size), 0
    for each in pictures:
        paste(whole, each, (0, top))
        top += each.height
    write_png(whole, path)


def _draw_group(name: str, pairs: Sequence[Pair], names: Sequence[str]) -> Image.Image:
    if not pairs:
        return rows_picture([Block(f"{name}\nno pairs", 1)], [Row([[]])])
    differences = [np.abs(pair.sample.astype(np.int16) - pair.training).astype(np.uint8) for pair in pairs]
    words = [(names[pair.label], _distance(pair.distance)) for pair in pairs]
    rows = [
        Row([[Tile(pair.sample) for pair in pairs]], "generated"),
        Row([[Tile(pair.training) for pair in pairs]], "nearest training"),
        Row([[Tile(image, text) for image, text in zip(differences, words, strict=True)]], "difference"),
    ]
    return rows_picture([Block(name, len(pairs))], rows)


def _distance(distance: float) -> str:
    return f"{distance:.4g}" if math.isfinite(distance) else "not finite"
