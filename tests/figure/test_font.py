"""Letters of class names in pictures and figures."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image, ImageDraw

from fmcgan.figure.classes import short_names
from fmcgan.figure.dots import ClassDots, class_dots_figure
from fmcgan.figure.files import png_bytes
from fmcgan.figure.font import _letters, drawable, load_font
from fmcgan.figure.grid import class_grid

NAMES = ["café crème", "Αθήνα", "Жук", "ł↔…", "عربي", "e\u0301te\u0301", "猫", "あい", "ガ", "한글", "🐈", "ก"]
SHOWN = ["café crème", "Αθήνα", "Жук", "ł↔…", "عربي", "été", "[U+732B]", "ai", "ga", "hangeul", "[cat]", "[U+0E01]"]


def pixels(text: str) -> np.ndarray:
    picture = Image.new("L", (160, 30), "white")
    ImageDraw.Draw(picture).text((5, 15), text, fill=0, font=load_font(14), anchor="lm")
    return np.asarray(picture)


@pytest.mark.parametrize(("name", "shown"), zip(NAMES, SHOWN, strict=True))
def test_letters_that_the_font_lacks_are_spelled(name, shown):
    assert drawable(name) == shown
    assert all(ord(letter) in _letters() for letter in shown)
    assert (pixels(name) == pixels(shown)).all()
    assert load_font(14).getlength(name) == load_font(14).getlength(shown)
    box = pixels("\uffff")  # what is drawn for a letter that the font lacks
    assert (pixels(name[0]) != box).any()


def test_other_texts_stay_as_they_are():
    for text in ("", "two\nlines, a\ttab", "a b", "\x1b"):
        assert drawable(text) == text


def test_each_letter_of_a_script_has_its_own_shape():
    for letters in ("éèêëü", "αβγδε", "абвгд", "あいうえお"):
        assert len({pixels(letter).tobytes() for letter in letters}) == 5


def test_grids_and_figures_show_them():
    images = np.zeros((len(NAMES), 2, 16, 16), np.uint8)
    assert class_grid(images, NAMES, "猫").tobytes() == class_grid(images, SHOWN, "[U+732B]").tobytes()
    assert short_names(NAMES) == SHOWN
    figure = class_dots_figure([ClassDots("猫 é", [1.0] * len(NAMES), names=NAMES)])
    png_bytes(figure)
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {*SHOWN, "[U+732B] é"} <= texts
    assert all(ord(letter) in _letters() for text in texts for letter in text if not letter.isspace())
