"""Data from files of unknown origin: regular files of bounded size, and plain values of bounded depth and number."""

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from fmcgan.app.errors import UserError

MAX_DEPTH = 50  # levels of nested mappings and lists; the files of a run have fewer than ten
MAX_VALUES = 1_000_000  # values in one file; shared values count each time, since a few bytes can refer to many
MAX_CONFIG_VALUES = 20_000  # values in a configuration; those of this project have some 300

_FILE_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_SCHEMA_ERROR = re.compile(r"(?P<problem>.*?)(?: - at (?P<field>.*))?", re.DOTALL)
_WORDS = {"object": "mapping", "array": "list", "str": "text", "int": "whole number", "float": "number"}


def check_file(path: Path, max_bytes: int) -> int:
    """Returns the size of a regular file in bytes; refuses pipes and devices, since reading them may never end.

    Raises:
        UserError: the file does not exist, is not regular, or has more than ``max_bytes``.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path} is {_FILE_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}; give a regular file")
    if found.st_size > max_bytes:
        raise UserError(
            f"{path} has {found.st_size / 1e6:,.1f} MB; files of this kind have at most {max_bytes / 1e6:,.1f} MB"
        )
    return found.st_size


def read_file(path: Path, max_bytes: int) -> bytes:
    """Reads a file that `check_file` accepts, with the same arguments and errors."""
    check_file(path, max_bytes)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def walk(node: object, max_values: int = MAX_VALUES) -> Iterator[object]:
    """Yields a node and all keys and values below it, level by level; a container may hold itself.

    Raises:
        ValueError: there are more than ``max_values``, or more than `MAX_DEPTH` levels.
    """
    level, count = [node], 1
    for _ in range(MAX_DEPTH):
        yield from level
        below: list[object] = []
        for each in level:
            if isinstance(each, Mapping):
                below += [*each, *each.values()]
            elif isinstance(each, list | tuple):
                below += each
            if count + len(below) > max_values:
                raise ValueError(f"more than {max_values:,} values")
        if not below:
            return
        level, count = below, count + len(below)
    raise ValueError(f"nested more than {MAX_DEPTH} levels deep")


def check_data(node: object, max_values: int = MAX_VALUES) -> None:
    """Raises `ValueError` unless data consist of bounded mappings, lists, text and numbers only."""
    for each in walk(node, max_values):
        if isinstance(each, dict):
            if not all(isinstance(key, str) for key in each):
                raise ValueError("a key that is no text")
        elif not isinstance(each, list | tuple):
            _check_scalar(each)


def _check_scalar(value: object) -> None:
    if isinstance(value, str):
        if not value.isascii():
            value.encode()  # raises UnicodeEncodeError, a ValueError, for half a surrogate pair
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError(f"a whole number of {value.bit_length()} bits, where 64 are allowed")
    elif value is not None and not isinstance(value, float):
        raise ValueError(f"a {type(value).__name__}, where text, numbers, lists and mappings are allowed")


def check_schema(node: object, schema: object) -> None:
    """Checks data against a schema of `msgspec`. Unknown keys are allowed, so that files of other versions are read.

    Raises:
        ValueError: names the field, its type and the type it should have.
    """
    try:
        msgspec.convert(node, schema)
    except msgspec.ValidationError as error:
        found = _SCHEMA_ERROR.fullmatch(str(error).replace("`", ""))
        problem, field = (found["problem"], found["field"] or "") if found else (str(error), "")
        problem = re.sub(r"\b\w+\b", lambda word: _WORDS.get(word[0], word[0]), problem[:1].lower() + problem[1:])
        field = field.replace("$.", "").replace("$", "the file")
        raise ValueError(f"{field}: {problem}" if field else problem) from error
