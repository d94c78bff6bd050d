"""Colours of classes, by the difference that the eye sees."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fmcgan.figure.map import BACKGROUND, MOST_COLOURED, OTHER_CLASSES, colours_by_label
from fmcgan.figure.palette import FAINT_INK, GENERATED_INK, INK, class_colours, contrast, ink_on


def lab(colours):
    """CIELAB of sRGB colours under D65: [N, 3]."""
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.array(to_xyz).T / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def differences(one, other):
    """CIEDE2000 (Sharma, Wu and Dalal 2005, equations 2 to 22) of colours in CIELAB."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    more = 1 + 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))
    c1, c2 = np.hypot(more * a1, b1), np.hypot(more * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, more * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    mean_l, mean_c, mean_h = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    cosines = [(-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63)]
    t = 1 + sum(weight * np.cos(np.radians(times * mean_h + shift)) for weight, times, shift in cosines)
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    rotation = np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2))))
    r = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * rotation
    parts = (l2 - l1) / s_l, (c2 - c1) / s_c, hue / s_h
    return np.sqrt(sum(part**2 for part in parts) + r * parts[1] * parts[2])


@pytest.mark.parametrize(
    ("one", "other", "difference"),  # rows 1, 5 and 17 to 19 of the table of Sharma, Wu and Dalal
    [
        ([50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425),
        ([50, -1.1848, -84.8006], [50, 0, -82.7485], 1.0000),
        ([50, 2.5, 0], [73, 25, -18], 27.1492),
        ([50, 2.5, 0], [61, -5, 29], 22.8977),
        ([50, 2.5, 0], [56, -27, -3], 31.9030),
    ],
)
def test_the_difference_is_that_of_its_authors(one, other, difference):
    assert differences(np.array(one), np.array(other)) == pytest.approx(difference, abs=1e-4)


def test_the_colours_of_all_letters_can_be_told_apart_on_light_and_dark():
    assert set(class_colours(27)) == {*colours_by_label(range(26), range(27)).values(), "#7A7A7A"}  # grey has a meaning
    for colours, greys in ((class_colours(27), []), (colours_by_label(range(26), range(27)).values(), [OTHER_CLASSES])):
        seen = lab([*colours, *greys, BACKGROUND, INK, "white", "black"])
        found = differences(seen[:, None], seen[None])[: len(colours)]
        np.fill_diagonal(found, np.inf)
        assert found.min() > 17
        lightness = seen[: len(colours), 0]  # of black 0, of white 100
        assert 20 < lightness.min() < lightness.max() < 80
    assert MOST_COLOURED == 26


def test_contrast_is_that_of_wcag():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the usual example just below 4.5
    assert contrast("red", "red") == 1


def test_some_ink_is_legible_on_every_colour():
    levels = np.linspace(0, 1, 12)
    colours = [(red, green, blue) for red in levels for green in levels for blue in levels]
    assert min(contrast(ink_on(colour, INK), colour) for colour in colours) >= 4.5
    assert ink_on("white", INK) == INK


@pytest.mark.parametrize("ink", [INK, FAINT_INK, GENERATED_INK])
def test_inks_are_legible_on_white(ink):
    assert contrast(ink, "white") >= 4.5
