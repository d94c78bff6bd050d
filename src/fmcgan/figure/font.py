"""The font of all pictures, and texts for the letters that it lacks."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

_FILE = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")  # also matplotlib's own default
_SOUND = re.compile(r"(?:LETTER|SYLLABLE)(?: SMALL)? (\w+)")


class Font(ImageFont.FreeTypeFont):
    """DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic and many signs; other letters are spelled by `drawable`."""

    def getlength(self, text: str | bytes | bytearray, *args: Any, **options: Any) -> float:
        """Returns the length of a text in pixels."""
        return super().getlength(_drawable(text), *args, **options)

    def getbbox(self, text: str | bytes | bytearray, *args: Any, **options: Any) -> tuple[float, float, float, float]:
        """Returns the box around a text in pixels."""
        return super().getbbox(_drawable(text), *args, **options)

    def getmask2(self, text: str | bytes | bytearray, *args: Any, **options: Any) -> Any:
        """Returns the pixels of a text and their offset; Pillow draws with this method."""
        return super().getmask2(_drawable(text), *args, **options)


@cache
def load_font(size: int) -> Font:
    """Returns the font of all pictures for a size in pixels of usual fonts, whose letters are smaller."""
    return Font(str(_FILE), 7 / 8 * size)


def drawable(text: str) -> str:
    """Spells the letters that the font lacks: kana and hangul by their sound, others by name or code.

    ``drawable("\u732b")`` (a Chinese character) is ``[U+732B]``.
    """
    if text.isascii():
        return text
    return "".join(each if _has(each) else _spelled(each) for each in unicodedata.normalize("NFC", text))


def _drawable(text: Any) -> Any:
    return drawable(text) if isinstance(text, str) else text


def _has(letter: str) -> bool:
    return ord(letter) in _letters() or letter.isspace() or not letter.isprintable()


@cache
def _letters() -> frozenset[int]:
    return frozenset(FT2Font(str(_FILE)).get_charmap())


def _spelled(letter: str) -> str:
    name = unicodedata.name(letter, "")
    if sound := _SOUND.search(name):
        return sound[1].lower()
    has_name = name.replace(" ", "").isalpha() and len(name) <= 20  # those of Chinese characters are numbers
    return f"[{name.lower() if has_name else f'U+{ord(letter):04X}'}]"
