"""Checks of values that a person typed: each error says what was given and what is allowed. Any room may import this.

Hydra's composition does not check types, so constructors do, with these.
"""

from fmcgan.app.errors import InvalidValueError

LARGEST = 2**53
"""No whole number that anybody means is larger, and what computes with it as a float64 still has it exactly."""

MOST_IMAGES = 1_000_000
"""Images that are held in memory at once: 784 MB of them, and ten times as much of what is computed of them."""

MOST_SHOWN = 100
"""Images side by side, or figures below each other, that anybody looks at; a page of more opens nowhere."""

LARGEST_NUMBER = 1e9
"""A weight, rate or bound beyond it drowns everything that it stands beside in float32."""


def whole_number(minimum: int = 1, maximum: int = LARGEST, **values: object) -> None:
    """Checks that each named value is an int with ``minimum <= value <= maximum``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not minimum <= value <= maximum:  # type: ignore[operator]
            too_large = is_whole and value > maximum  # type: ignore[operator]
            allowed = f"of at least {minimum}" + (f" and at most {maximum}" if too_large else "")
            raise InvalidValueError(f"{name} must be a whole number {allowed}, got {value!r}", name)


def seed_number(**values: object) -> None:
    """Checks that each named value is a seed, of the range that everything random here takes: 0 to 2**32 - 1.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
            raise InvalidValueError(f"{name} must be a whole number from 0 to {2**32 - 1}, got {value!r}", name)


def number(minimum: float = -LARGEST_NUMBER, maximum: float = LARGEST_NUMBER, **values: object) -> None:
    """Checks that each named value is a finite number with ``minimum <= value <= maximum``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if not _is_number(value) or not minimum <= value <= maximum:  # type: ignore[operator]
            raise InvalidValueError(f"{name} must be a number{_bounds(minimum, maximum)}, got {value!r}", name)


def positive_number(maximum: float = LARGEST_NUMBER, **values: object) -> None:
    """Checks that each named value is a number above 0, however small, of at most ``maximum``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if not _is_number(value) or not 0 < value <= maximum:  # type: ignore[operator]
            at_most = f" and of at most {maximum:g}" if maximum < LARGEST_NUMBER else ""
            raise InvalidValueError(f"{name} must be a number above 0{at_most}, got {value!r}", name)


def path_text(**values: object) -> str | None:
    """Checks that a named value is one path, or ``None`` for none; a number is taken for the name of a file.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    ((name, value),) = values.items()
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    quoted = f"; a name that looks like a number needs two quotes: \"{name}='1e3'\"" if isinstance(value, float) else ""
    raise InvalidValueError(f"{name} must be one path, or null for none, got {value!r}{quoted}", name)


def one_of(choices: tuple[str, ...], **values: object) -> None:
    """Checks that each named value is one of ``choices``.

    Raises:
        InvalidValueError: names the value, what was given and what is allowed.
    """
    for name, value in values.items():
        if value not in choices:
            raise InvalidValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}", name)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _bounds(minimum: float, maximum: float) -> str:
    if abs(minimum) >= LARGEST_NUMBER and maximum >= LARGEST_NUMBER:
        return ""
    if maximum >= LARGEST_NUMBER:
        return f" of at least {minimum:g}"
    if minimum <= -LARGEST_NUMBER:
        return f" of at most {maximum:g}"
    return f" from {minimum:g} to {maximum:g}"
