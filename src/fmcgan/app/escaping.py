"""Escapes untrusted text (names of files, runs and metrics, overrides) for terminals, Markdown and CSV."""

import re

_BYTES = re.compile("[\udc80-\udcff]+")  # how Python represents undecodable bytes of a path

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters of terminals, marks that change the direction of text, and half surrogate pairs."""

_MARKUP = re.compile(r"[^\w\s=,.:;/+()%?'↓↑→±—-]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that Markdown or HTML may read as markup. An underscore within a word is safe."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def decodable(text: str) -> str:
    r"""Returns text that UTF-8 can encode: undecodable bytes of a path are decoded as UTF-8, or written as ``\xfc``."""
    decoded = _BYTES.sub(
        lambda each: each[0].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), text
    )
    return decoded.encode("utf-8", "backslashreplace").decode("utf-8")


def visible(text: str) -> str:
    r"""Escapes control characters except tabs and newlines: ``visible("\x1b[2J")`` is ``\x1b[2J`` as text."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), decodable(text))


def printable(text: object, length: int = 200) -> str:
    """Makes text from a file fit for a message: one line of printable characters, cut to a length."""
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text)[:length])
    return shown + ("..." if len(str(text)) > length else "")


def markdown(text: str) -> str:
    """Escapes text for a line or table cell of Markdown: no markup, HTML or line breaks."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", _one_line(text))


def markdown_code(text: str) -> str:
    """Shows text as code in Markdown: as a code span, or as HTML if the text could end a span or a table cell."""
    line = _one_line(text)
    if line and not re.search(r"[`<|\\]", line):
        return f"`{line}`"
    return f"<code>{markdown(line)}</code>"


def spreadsheet_cell(value: object) -> object:
    """Escapes a value of a CSV. Text that a spreadsheet would run as a formula gets an apostrophe (advice of OWASP)."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _one_line(text: str) -> str:
    return visible(" ".join(str(text).split()))
