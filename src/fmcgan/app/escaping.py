"""Text from elsewhere (names of files, runs and metrics, overrides) where it would mean more than its letters."""

import re

_BYTES = re.compile("[\udc80-\udcff]+")
"""How Python keeps bytes of a path that it could not decode."""

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Terminal commands, marks that turn the direction of text, and halves of letters."""

_MARKUP = re.compile(r"[^\w\s=,.:;/+()%?'↓↑→±—-]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown or HTML may read as more than text; an underscore within a word is safe."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def decodable(text: str) -> str:
    r"""Text that UTF-8 can hold: undecodable bytes of a path become the letters they are, or ``\xfc``."""
    decoded = _BYTES.sub(lambda found: _bytes(found[0]).decode("utf-8", "backslashreplace"), text)
    return decoded.encode("utf-8", "backslashreplace").decode("utf-8")


def visible(text: str) -> str:
    r"""Text without control characters but tabs and newlines; the others are written as in ``\x1b``.

    Example:
        >>> visible("\x1b[2J")
        '\\x1b[2J'
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), decodable(text))


def printable(text: object, length: int = 200) -> str:
    """Text out of a file as it can stand in a message: cut short, one line, of characters that a terminal shows."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text)[:length])
    return shown + ("..." if len(str(text)) > length else "")


def markdown(text: str) -> str:
    """Text in a line or table cell of Markdown, without markup, HTML or line breaks."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", _one_line(text))


def markdown_code(text: str) -> str:
    """Text as it was typed, for Markdown: a code span, or HTML's where the text could end a span or a table cell."""
    line = _one_line(text)
    if line and not re.search(r"[`<|\\]", line):
        return f"`{line}`"
    return f"<code>{markdown(line)}</code>"


def spreadsheet_cell(value: object) -> object:
    """A value of a CSV; text that a spreadsheet would run as a formula begins with an apostrophe (OWASP's advice)."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _one_line(text: str) -> str:
    return visible(" ".join(str(text).split()))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
