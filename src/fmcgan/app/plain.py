"""Checks data out of files: plain values of bounded depth, number and size, with the types that a schema asks for."""

import re
from typing import Any

import msgspec

DEEPEST = 50
"""Levels of lists and mappings in each other; the files of a run have fewer than ten."""

MOST = 1_000_000
"""Values in one file. Bounds also what a few bytes can stand for where values are shared."""

_SCHEMA_ERROR = re.compile(r"(?P<what>.*?)(?: - at (?P<place>.*))?", re.DOTALL)
_WORDS = {"object": "mapping", "array": "list", "str": "text", "int": "whole number", "float": "number"}


def check_plain(node: Any) -> None:
    """Checks that data consist of mappings, lists, text and numbers only, and that every reader can cope with them.

    Args:
        node: from a parser of JSON or YAML, or from a checkpoint.

    Raises:
        ValueError: says what is wrong.
    """
    level, count = [node], 1
    for _ in range(DEEPEST):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                if not all(isinstance(key, str) for key in each):
                    raise ValueError("a key that is no text")
                below += [*each, *each.values()]
            elif isinstance(each, list | tuple):
                below += each
            else:
                _check_leaf(each)
            if count + len(below) > MOST:
                raise ValueError(f"more than {MOST:,} values")
        if not below:
            return
        level, count = below, count + len(below)
    raise ValueError(f"nested more than {DEEPEST} levels deep")


def _check_leaf(value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii():
            value.encode()  # UnicodeEncodeError, a ValueError, for half a character: no file could hold it
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError(f"a whole number of {value.bit_length()} bits, where 64 are allowed")
    elif value is not None and not isinstance(value, float):
        raise ValueError(f"a {type(value).__name__}, where text, numbers, lists and mappings are allowed")


def check_schema(node: Any, schema: Any) -> None:
    """Checks data against a schema; keys that it does not know are allowed, so that old and newer files are read.

    Raises:
        ValueError: names the field, what it should be and what it is.
    """
    try:
        msgspec.convert(node, schema)
    except msgspec.ValidationError as error:
        found = _SCHEMA_ERROR.fullmatch(str(error).replace("`", ""))
        what, place = (found["what"], found["place"] or "") if found else (str(error), "")
        what = re.sub(r"\b\w+\b", lambda word: _WORDS.get(word[0], word[0]), what[:1].lower() + what[1:])
        field = place.replace("$.", "").replace("$", "the file")
        raise ValueError(f"{field}: {what}" if field else what) from error
