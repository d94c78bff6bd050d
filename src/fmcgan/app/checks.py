"""Checks of values from the user: Hydra's composition does not check types, so constructors do.

Each raises `InvalidValueError`, which names the value, what was given and what is allowed.
"""

from typing import TypeGuard

from fmcgan.app.errors import InvalidValueError

LARGEST = 2**53  # the largest whole number that a float64 holds exactly
MOST_IMAGES = 1_000_000  # images held in memory at once; what is computed from them takes ten times as much
MOST_SHOWN = 100  # images side by side, or figures below each other, on a page that viewers can open
LARGEST_NUMBER = 1e9  # a larger weight, rate or bound makes all other terms vanish in float32


def whole_number(minimum: int = 1, maximum: int = LARGEST, **values: object) -> None:
    """Checks that each named value is an int with ``minimum <= value <= maximum``."""
    for name, value in values.items():
        too_large = is_int(value) and value > maximum
        if not is_int(value) or too_large or value < minimum:
            allowed = f"of at least {minimum}" + (f" and at most {maximum}" if too_large else "")
            raise InvalidValueError(f"{name} must be a whole number {allowed}, got {value!r}", name)


def seed_number(**values: object) -> None:
    """Checks that each named value is a seed: an int from 0 to 2**32 - 1, which every random generator here accepts."""
    for name, value in values.items():
        if not is_int(value) or not 0 <= value < 2**32:
            raise InvalidValueError(f"{name} must be a whole number from 0 to {2**32 - 1}, got {value!r}", name)


def number(minimum: float = -LARGEST_NUMBER, maximum: float = LARGEST_NUMBER, **values: object) -> None:
    """Checks that each named value is a finite number with ``minimum <= value <= maximum``."""
    for name, value in values.items():
        if not _is_number(value) or not minimum <= value <= maximum:
            raise InvalidValueError(f"{name} must be a number{_bounds(minimum, maximum)}, got {value!r}", name)


def positive_number(maximum: float = LARGEST_NUMBER, **values: object) -> None:
    """Checks that each named value is a number with ``0 < value <= maximum``."""
    for name, value in values.items():
        if not _is_number(value) or not 0 < value <= maximum:
            at_most = f" and of at most {maximum:g}" if maximum < LARGEST_NUMBER else ""
            raise InvalidValueError(f"{name} must be a number above 0{at_most}, got {value!r}", name)


def path_text(**values: object) -> str | None:
    """Checks that a named value is one path, or ``None``, and returns it. A whole number is the name of a file."""
    ((name, value),) = values.items()
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    if is_int(value):
        return str(value)
    quoted = f"; a name that looks like a number needs two quotes: \"{name}='1e3'\"" if isinstance(value, float) else ""
    raise InvalidValueError(f"{name} must be one path, or null for none, got {value!r}{quoted}", name)


def one_of(choices: tuple[str, ...], **values: object) -> None:
    """Checks that each named value is one of ``choices``."""
    for name, value in values.items():
        if value not in choices:
            raise InvalidValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}", name)


def is_int(value: object) -> TypeGuard[int]:
    """Whether a value is an ``int`` and not a ``bool``."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _bounds(minimum: float, maximum: float) -> str:
    if maximum < LARGEST_NUMBER:
        return f" from {minimum:g} to {maximum:g}" if minimum > -LARGEST_NUMBER else f" of at most {maximum:g}"
    return f" of at least {minimum:g}" if abs(minimum) < LARGEST_NUMBER else ""
