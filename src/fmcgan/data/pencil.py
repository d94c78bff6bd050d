"""Randomised drawing on a 28 x 28 image."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

SIZE = 28
_OVERSAMPLING = 4  # drawn larger and reduced, for smooth edges

Points = Sequence[tuple[float, float]]


class Pencil:
    """A black image and one drawing on it, with random position, size and greys.

    A point (x, y) is x pixels right of the centre of the drawing and y pixels below the top of the image.

    Args:
        random: source of all random numbers.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._image = Image.new("L", (SIZE * _OVERSAMPLING, SIZE * _OVERSAMPLING))
        self._draw = ImageDraw.Draw(self._image)
        self._middle = SIZE / 2 + self.vary(0, 1)
        self._shift_y = self.vary(0, 0.8)
        self._width = self.vary(1, 0.1)
        self._height = self.vary(1, 0.06)
        self.grey = self.vary(165, 70)
        brighter_trim = self.grey < 170 and self.chance(0.5)  # invisible on a light garment
        self.trim = self.grey * (self.vary(1.4, 0.1) if brighter_trim else self.vary(0.45, 0.15))

    def vary(self, value: float, by: float) -> float:
        """Draws a number from ``value - by`` to ``value + by``."""
        return value + by * (2 * self._random.random() - 1)

    def chance(self, probability: float) -> bool:
        """Draws True with this probability."""
        return bool(self._random.random() < probability)

    def shape(self, points: Points, grey: float | None = None) -> None:
        """Fills a polygon, by default in the grey of the garment."""
        self._draw.polygon(self._place(points), fill=round(self.grey if grey is None else grey))

    def mirrored(self, right_half: Points, grey: float | None = None) -> None:
        """Fills a symmetric polygon, given by its right half from top to bottom."""
        self.shape([*right_half, *((-x, y) for x, y in reversed(right_half))], grey)

    def line(self, points: Points, width: float = 0.7, grey: float | None = None) -> None:
        """Draws a line, by default in the grey of the trim."""
        fill = round(self.trim if grey is None else grey)
        self._draw.line(self._place(points), fill, width=max(1, round(width * _OVERSAMPLING)), joint="curve")

    def buttons(self, top: float, bottom: float, count: int, x: float = 0.0) -> None:
        """Draws a column of small squares."""
        for y in np.linspace(top, bottom, count):
            self.shape([(x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5)], self.trim)

    def finish(self, pattern: bool) -> np.ndarray:
        """Returns the drawing, float32 [28, 28] in 0..255; with ``pattern``, sometimes with stripes or checks."""
        drawing = np.asarray(self._image.reduce(_OVERSAMPLING), dtype=np.float32)
        if not (pattern and self.chance(0.35)):
            return drawing
        period, strength = 2 + int(3 * self._random.random()), self.vary(0.7, 0.15)
        stripe = np.where(np.arange(SIZE) // period % 2 == 0, 1.0, strength).astype(np.float32)
        across, along = stripe[:, None], stripe[None, :]
        return drawing * (across, along, across * along)[int(3 * self._random.random())]

    def _place(self, points: Points) -> list[tuple[float, float]]:
        middle_y = SIZE / 2 + self._shift_y
        scaled = ((self._middle + x * self._width, middle_y + (y - SIZE / 2) * self._height) for x, y in points)
        return [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in scaled]
