"""Checks of values that a person typed: each error says what was given and what is allowed. Any room may import this.

Hydra's composition does not check types, so constructors do, with these.
"""

import math
from pathlib import PurePath

from fmcgan.errors import InvalidValueError


def whole_number(minimum: int = 1, **values: object) -> None:
    """Checks that each named value is an int of at least ``minimum``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise InvalidValueError(f"{name} must be a whole number of at least {minimum}, got {value!r}")


def seed_number(**values: object) -> None:
    """Checks that each named value is a seed, of the range that everything random here takes: 0 to 2**32 - 1.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
            raise InvalidValueError(f"{name} must be a whole number from 0 to {2**32 - 1}, got {value!r}")


def one_path(**values: object) -> None:
    """Checks that each named value is one path, not a list of several; a file may be named by a number.

    Raises:
        InvalidValueError: names the value and what was given.
    """
    for name, value in values.items():
        if not isinstance(value, str | int | float | PurePath) or not str(value):
            raise InvalidValueError(f"{name} must be one path, got {value!r}")


def number(minimum: float = -math.inf, maximum: float = math.inf, **values: object) -> None:
    """Checks that each named value is a finite number with ``minimum <= value <= maximum``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not minimum <= value <= maximum:  # type: ignore[operator]
            raise InvalidValueError(f"{name} must be a number{_bounds(minimum, maximum)}, got {value!r}")


def one_of(choices: tuple[str, ...], **values: object) -> None:
    """Checks that each named value is one of ``choices``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if value not in choices:
            raise InvalidValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _bounds(minimum: float, maximum: float) -> str:
    if math.isinf(minimum) and math.isinf(maximum):
        return ""
    if math.isinf(maximum):
        return f" of at least {minimum:g}"
    if math.isinf(minimum):
        return f" of at most {maximum:g}"
    return f" from {minimum:g} to {maximum:g}"
