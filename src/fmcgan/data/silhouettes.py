"""Draws the ten classes with random proportions: clothes in front view, shoes in side view.

Clothes are given by their right half, from top to bottom, as (distance from the centre, y) in a 28 x 28 image.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

_SIZE = 28
_OVERSAMPLING = 4  # drawn larger and reduced, for smooth edges

_Points = Sequence[tuple[float, float]]


class Pencil:
    """A black image and one drawing on it, with position, size and greys drawn from ``random``.

    A point (x, y) is x pixels right of the centre of the drawing and y pixels below the top of the image.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._image = Image.new("L", (_SIZE * _OVERSAMPLING, _SIZE * _OVERSAMPLING))
        self._draw = ImageDraw.Draw(self._image)
        self._middle = _SIZE / 2 + self.vary(0, 1)
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

    def shape(self, points: _Points, grey: float | None = None) -> None:
        """Fills a polygon, by default in the grey of the garment."""
        self._draw.polygon(self._place(points), fill=round(self.grey if grey is None else grey))

    def mirrored(self, right_half: _Points, grey: float | None = None) -> None:
        """Fills a symmetric polygon, given by its right half from top to bottom."""
        self.shape([*right_half, *((-x, y) for x, y in reversed(right_half))], grey)

    def line(self, points: _Points, width: float = 0.7, grey: float | None = None) -> None:
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
        stripe = np.where(np.arange(_SIZE) // period % 2 == 0, 1.0, strength).astype(np.float32)
        across, along = stripe[:, None], stripe[None, :]
        return drawing * (across, along, across * along)[int(3 * self._random.random())]

    def _place(self, points: _Points) -> list[tuple[float, float]]:
        middle_y = _SIZE / 2 + self._shift_y
        scaled = ((self._middle + x * self._width, middle_y + (y - _SIZE / 2) * self._height) for x, y in points)
        return [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in scaled]


def t_shirt(pencil: Pencil) -> None:
    """Draws short sleeves and a straight body."""
    neck, hem, sleeve = pencil.vary(3.2, 0.8), pencil.vary(24.5, 1), pencil.vary(10.5, 1.5)
    chest = pencil.vary(7, 0.7)
    pencil.mirrored(
        [(neck, 4), (chest, 4.8), (12, sleeve), (9.6, sleeve + 2.6), (chest, 10), (pencil.vary(chest, 0.5), hem)]
    )
    pencil.mirrored([(neck, 3.5), (neck * 0.6, pencil.vary(5.8, 0.8))], 0)
    if pencil.chance(0.4):  # a print on the chest
        pencil.mirrored([(pencil.vary(3, 1), 11), (pencil.vary(3, 1), pencil.vary(16, 1.5))], pencil.trim)


def trouser(pencil: Pencil) -> None:
    """Draws two legs."""
    waist, hip, ankle = pencil.vary(4.3, 0.5), pencil.vary(5.2, 0.5), pencil.vary(5.3, 0.9)
    leg, crotch = pencil.vary(3, 0.6), pencil.vary(10, 1.2)
    pencil.mirrored([(waist, 1.5), (hip, 7), (ankle, 26.5), (max(ankle - leg, 0.9), 26.5), (0.3, crotch)])
    pencil.line([(-waist, 2.6), (waist, 2.6)])
    if pencil.chance(0.5):
        pencil.line([(0, 2.6), (0, crotch)], 0.5)


def pullover(pencil: Pencil) -> None:
    """Draws long hanging sleeves, apart from the body, and a ribbed hem and cuffs."""
    neck, hem, cuff = pencil.vary(3, 0.6), pencil.vary(23.5, 0.8), pencil.vary(23, 1.2)
    chest, armpit = pencil.vary(6.4, 0.5), pencil.vary(11, 0.8)
    pencil.mirrored([(neck, 4), (7.5, 5.2), (12.2, cuff), (9.2, cuff + 0.6), (chest, armpit), (chest + 0.3, hem)])
    pencil.mirrored([(neck, 3.8), (neck * 0.7, 5.2)], pencil.trim)
    pencil.line([(-chest, hem - 1.2), (chest, hem - 1.2)], 0.8)
    for side in (-1, 1):
        pencil.line([(12 * side, cuff - 1.2), (9 * side, cuff - 0.6)])


def dress(pencil: Pencil) -> None:
    """Draws straps or short sleeves, a waist, and a skirt that widens downwards."""
    bust, waist, skirt = pencil.vary(3.8, 0.5), pencil.vary(2.8, 0.4), pencil.vary(6.5, 2)
    waist_y, hem = pencil.vary(11.5, 1.5), pencil.vary(26.3, 0.6)
    pencil.mirrored([(bust - 1.2, 1.8), (bust, 2.2), (bust, 7), (waist, waist_y), (skirt, hem)])
    pencil.mirrored([(bust - 1.3, 1), (0.8, pencil.vary(5, 0.8))], 0)
    if pencil.chance(0.35):
        for side in (-1, 1):
            pencil.shape([(bust * side, 2.2), ((bust + 3) * side, 6.5), ((bust + 1) * side, 7.8), (bust * side, 6)])
    if pencil.chance(0.6):
        pencil.line([(-waist, waist_y), (waist, waist_y)], pencil.vary(1, 0.3))


def coat(pencil: Pencil) -> None:
    """Draws a long open front with lapels, buttons and pockets, and sleeves close to the body."""
    hem, cuff, body = pencil.vary(26.5, 0.5), pencil.vary(21, 1), pencil.vary(7.2, 0.5)
    pencil.mirrored([(2.6, 2.5), (7.6, 4), (11.4, cuff), (8.8, cuff + 0.8), (body - 0.4, 12), (body + 1, hem)])
    lapel = pencil.vary(10.5, 1.5)
    pencil.mirrored([(2.6, 2), (0.2, lapel)], 0)
    for side in (-1, 1):
        pencil.line([(2.8 * side, 2.8), (4 * side, 6.5), (0, lapel)], 0.8)
        pencil.line([(3 * side, 18), (6 * side, pencil.vary(18, 0.5))], 0.9)
    pencil.line([(0, lapel), (0, hem)], 0.9, 0)
    pencil.buttons(lapel + 2, hem - 4, 2 + pencil.chance(0.5), 1.6)


def sandal(pencil: Pencil) -> None:
    """Draws a sole, flat or with a heel, and separate straps."""
    heel = pencil.vary(4, 3)
    back = 20 - heel
    sole = [(-12, 20.5), (-4, 20), (11, back), (12, back + 1.5), (-3, 22.5), (-12, 22.5)]
    pencil.shape(sole)
    if heel > 3:
        pencil.shape([(9, back + 1), (12, back + 1), (11.5, 22.5), (10, 22.5)])
    else:
        pencil.shape([(-3, 21.5), (12, back + 1), (12, 22.5), (-3, 22.5)])
    for x in (-9, -4) if pencil.chance(0.5) else (-9, -6, -3):
        pencil.line([(x - 1.5, 20.5), (pencil.vary(x + 1.5, 0.6), 16.5), (x + 4, 20)], pencil.vary(1, 0.3), pencil.grey)
    ankle = back - pencil.vary(6, 1)
    pencil.line([(11, back), (10.5, ankle), (4, ankle + 1.5), (pencil.vary(3, 1), back + 1.5)], 1, pencil.grey)


def shirt(pencil: Pencil) -> None:
    """Draws sleeves away from the body, a pointed collar, a row of buttons and a rounded hem."""
    hem, cuff = pencil.vary(24, 0.8), pencil.vary(16.5, 2)
    chest = pencil.vary(5.6, 0.5)
    pencil.mirrored(
        [(2.4, 4), (6.2, 5), (13.2, cuff), (10.6, cuff + 1.8), (chest, 10.5), (chest, hem - 1.5), (2, hem + 1)]
    )
    for side in (-1, 1):
        pencil.shape([(0, 5.5), (2.8 * side, 2.6), (4 * side, 6.2), (1.6 * side, 8.2)], pencil.trim)
    pencil.line([(0, 6), (0, hem + 0.8)], 0.5)
    pencil.buttons(9.5, hem - 2, 5)
    if pencil.chance(0.5):  # a breast pocket
        pencil.line([(2, 11), (4.4, 11), (4.4, 13.6), (2, 13.6), (2, 11)], 0.5)


def sneaker(pencil: Pencil) -> None:
    """Draws a low shoe, toe to the left, with laces and a sole of another grey."""
    ankle, toe = pencil.vary(12, 0.8), pencil.vary(17.5, 0.6)
    tongue = pencil.vary(2, 1)
    upper = [(-12, 20), (-11.5, toe + 0.4), (-8, toe - 0.5), (tongue, ankle), (6, ankle + 2.2), (11.5, ankle), (12, 20)]
    pencil.shape(upper)
    pencil.shape([(-12.6, 19.5), (12.6, 19.5), (12.3, 21.8), (-12, 21.8)], pencil.trim)
    for step in (0.15, 0.4, 0.65):
        x, y = -8 + step * (tongue + 8), toe - 0.5 + step * (ankle - toe + 0.5)
        pencil.line([(x, y), (x + 2.5, y + 2)], 0.6)
    if pencil.chance(0.6):  # a stripe on the side
        pencil.line([(2, 19.5), (pencil.vary(6, 1), 15.5)], pencil.vary(1.2, 0.3))


def bag(pencil: Pencil) -> None:
    """Draws a box with a handle."""
    top, bottom, half = pencil.vary(12, 1.5), pencil.vary(24.5, 1), pencil.vary(10.5, 1.5)
    grip, height = pencil.vary(5.5, 1.2), top - pencil.vary(6, 2)
    angles = np.linspace(0, np.pi, 13)
    arc = [(grip * float(np.cos(angle)), top + 0.5 + (height - top) * float(np.sin(angle))) for angle in angles]
    pencil.line(arc, pencil.vary(1.2, 0.3), pencil.grey)
    pencil.mirrored([(pencil.vary(half - 0.8, 0.8), top), (half, bottom)])
    if pencil.chance(0.6):  # a flap
        pencil.line([(-half, top + 0.6), (0, pencil.vary(18, 1.5)), (half, top + 0.6)], 0.8)
    else:
        pencil.line([(-half, top + 2.5), (half, top + 2.5)], 0.8)
    if pencil.chance(0.7):
        pencil.buttons(top + 4, top + 4, 1)


def boot(pencil: Pencil) -> None:
    """Draws a shaft, a foot to the left, and a heel."""
    top, shaft, instep = pencil.vary(4, 1.5), pencil.vary(3.6, 0.7), pencil.vary(16, 0.8)
    heel = pencil.vary(1.8, 1.2)
    sole = 24.5 - heel
    outline = [(5 - shaft * 1.4, top), (10, top), (10.3, sole), (-11.5, 24), (-11.5, 20.5), (-8, 18.6), (1.5, instep)]
    pencil.shape(outline)
    pencil.shape([(4.5, sole - 0.6), (10.6, sole - 0.6), (10, 25), (5.5, 25)])
    pencil.line([(-12, 24.2), (2, 24), (10.5, sole)], 1.1)
    if pencil.chance(0.5):
        pencil.line([(5 - shaft * 1.3, top + 1), (10, top + 1)], 1)
    if pencil.chance(0.5):  # a zip
        pencil.line([(7, top + 1), (pencil.vary(7, 0.5), sole - 3)], 0.6)


_GARMENTS = (t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, boot)  # by label
_WITHOUT_PATTERN = (sandal, sneaker, bag, boot)


def draw(label: int, random: np.random.Generator) -> np.ndarray:
    """Draws a garment of a class, 0..9: float32 [28, 28] in 0..255."""
    pencil, garment = Pencil(random), _GARMENTS[label]
    garment(pencil)
    return pencil.finish(pattern=garment not in _WITHOUT_PATTERN)
