"""Figure of generated images above their nearest training images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.image_rows import PAPER, Block, Row, Tile, rows_picture
from fmcgan.figure.png import write_png

MOST_PAIRS = 10  # maximum number of pairs of a group


@dataclass(frozen=True, eq=False)
class Pair:
    """A generated image and its nearest training image."""

    sample: NDArray[np.uint8]  # [28, 28]
    training: NDArray[np.uint8]  # [28, 28]
    distance: float  # between both, in the space of the group
    label: int  # conditioned class, 0..9

    def __post_init__(self) -> None:
        for name, image in (("sample", self.sample), ("training", self.training)):
            if image.dtype != np.uint8 or image.shape != (28, 28):
                raise ValueError(f"{name} must be uint8 [28, 28], got {image.dtype} {list(image.shape)}")
        if not 0 <= self.label < len(CLASS_NAMES):
            raise ValueError(f"label must be 0..{len(CLASS_NAMES) - 1}, got {self.label}")


def draw_pairs(groups: Mapping[str, Sequence[Pair]], path: Path) -> None:
    """Writes a PNG of groups of pairs: generated images, training images and absolute differences (black: none).

    There is at least one group, named by the space of the distances; the first `MOST_PAIRS` of each are drawn.
    """
    if not groups:
        raise ValueError("groups must hold at least one group of pairs, got none")
    pictures = [_draw_group(name, pairs[:MOST_PAIRS]) for name, pairs in groups.items()]
    size = max(each.width for each in pictures), sum(each.height for each in pictures)
    whole, top = Image.new("RGB", size, PAPER), 0
    for each in pictures:
        whole.paste(each, (0, top))
        top += each.height
    write_png(whole, path)


def _draw_group(name: str, pairs: Sequence[Pair]) -> Image.Image:
    if not pairs:
        return rows_picture([Block(f"{name}\nno pairs", 1)], [Row([[]])])
    differences = [np.abs(pair.sample.astype(np.int16) - pair.training).astype(np.uint8) for pair in pairs]
    words = [(CLASS_NAMES[pair.label], _distance(pair.distance)) for pair in pairs]
    rows = [
        Row([[Tile(pair.sample) for pair in pairs]], "generated"),
        Row([[Tile(pair.training) for pair in pairs]], "nearest training"),
        Row([[Tile(image, text) for image, text in zip(differences, words, strict=True)]], "difference"),
    ]
    return rows_picture([Block(name, len(pairs))], rows)


def _distance(distance: float) -> str:
    return f"{distance:.4g}" if math.isfinite(distance) else "not finite"
