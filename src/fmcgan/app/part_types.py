"""Checks the values of a composed configuration against the annotations of the classes that it builds.

Hydra's composition does not check types, and a class that is handed a text for a flag takes it for true. What a class
says of its parameters (``width: int``, ``one_sided: bool``) is checked here for all of them; ranges are checked by the
constructors themselves (`fmcgan.app.checks`), whose messages come first.
"""

import collections.abc
import math
import re
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan.app.errors import InvalidValueError, UserError

_WORDS = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text", Path: "a path"}
_LISTS = (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable)
_MAPPINGS = (dict, collections.abc.Mapping)


@contextmanager
def types_checked(config: DictConfig) -> Iterator[None]:
    """Checks the types of a configuration around the code that builds its parts.

    Constructors speak first, since they know the ranges. Where one failed on a value instead of refusing it, the type
    explains why; where all accepted their values, flags and texts of a wrong type are found.

    Raises:
        InvalidValueError: a value has not the type that its class asks for.
    """
    try:
        yield
    except InstantiationException as error:
        if not isinstance(root_cause(error), UserError):
            check_types(config)
        raise
    check_types(config)


def root_cause(error: BaseException) -> BaseException | None:
    """What went wrong inside a constructor that Hydra called."""
    cause: BaseException | None = error.__cause__
    while isinstance(cause, InstantiationException):
        cause = cause.__cause__
    return cause


def check_types(config: DictConfig) -> None:
    """Checks every value of every part of a configuration.

    Raises:
        InvalidValueError: names the key, what was given and what is allowed.
    """
    for key, value, hint in _typed_values(config, ""):
        if not _fits(value, hint):
            given = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            raise InvalidValueError(f"{typed_key(config, key)} must be {_words(hint)}, got {given!r}")


def typed_key(config: DictConfig, key: str) -> str:
    """The key that the user typed: one that is filled from another, as in ``${network.width}``, is called by that."""
    parts = key.split(".")
    for place, name in enumerate(parts):
        parent = OmegaConf.select(config, ".".join(parts[:place])) if place else config
        if isinstance(parent, DictConfig) and name in parent and OmegaConf.is_interpolation(parent, name):
            raw: Any = OmegaConf.to_container(parent, resolve=False)
            if source := re.fullmatch(r"\$\{([\w.]+)\}", raw[name]):
                return typed_key(config, ".".join([source.group(1), *parts[place + 1 :]]))
    return key


def _typed_values(config: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Key, value and annotation of all parameters of all parts."""
    if isinstance(config, ListConfig):
        for place in range(len(config)):
            yield from _typed_values(config[place], f"{key}[{place}]")
    if not isinstance(config, DictConfig):
        return
    hints = _hints(config["_target_"]) if "_target_" in config else {}
    for name in map(str, config):
        inner = f"{key}.{name}".lstrip(".")
        value = None if OmegaConf.is_missing(config, name) else config[name]
        hint = hints.get(name, Any)
        if get_origin(hint) in _MAPPINGS and isinstance(value, DictConfig):
            yield from ((f"{inner}.{each}", value[each], get_args(hint)[1]) for each in map(str, value))
        else:
            yield inner, value, hint
        if not OmegaConf.is_interpolation(config, name):
            yield from _typed_values(value, inner)


def _hints(target: Any) -> dict[str, Any]:
    """The annotations of what a ``_target_`` builds; none where they cannot be read."""
    with suppress(Exception):  # a class of any library: some name types that are not there when the program runs
        module, _, name = str(target).rpartition(".")
        found = getattr(import_module(module), name)
        if not isinstance(found, type):
            return get_type_hints(found)
        hints: dict[str, Any] = {}
        for each in reversed(found.__mro__):  # a class may hand its parameters on to the one above it
            hints |= get_type_hints(each.__init__)  # type: ignore[misc]
        return hints
    return {}


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if hint in (None, type(None)):
        return value is None
    if hint in (int, float):
        kinds = int if hint is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(_as_float(value))
    if hint in (bool, str, Path):
        return isinstance(value, str if hint is Path else hint)
    return _fits_container(value, origin or hint, arguments)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number may have any size; constructors bound it
        return 0.0


def _fits_container(value: Any, kind: Any, arguments: tuple[Any, ...]) -> bool:
    if kind is tuple and arguments[-1:] != (...,):
        return (
            isinstance(value, ListConfig)
            and len(value) == len(arguments)
            and all(_fits(each, hint) for each, hint in zip(value, arguments, strict=True))
        )
    if kind in _LISTS:
        return isinstance(value, ListConfig) and all(_fits(each, hint) for each in value for hint in arguments[:1])
    if kind in _MAPPINGS:
        values = value.values() if isinstance(value, DictConfig) else None
        return values is not None and all(_fits(each, hint) for each in values for hint in arguments[1:])
    return isinstance(value, DictConfig) and "_target_" in value  # what is left are objects, which a part builds


def _words(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        simple = [each for each in arguments if each in _WORDS or get_origin(each)]
        kinds = [each for each in arguments if each in simple or each is type(None) or not simple]
        return " or ".join(dict.fromkeys(_words(each) for each in kinds))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if hint is type(None):
        return "null"
    if origin is tuple and arguments[-1:] != (...,):
        return f"a list of {len(arguments)} values ({', '.join(dict.fromkeys(map(_words, arguments)))})"
    if origin in _LISTS:
        return f"a list ({_words(arguments[0])})"
    if origin in _MAPPINGS:
        return f"parts under names of their own ({_words(arguments[1])})"
    if origin is collections.abc.Callable:
        return "a part with _partial_: true"
    return _WORDS.get(hint, f"a part that builds {getattr(hint, '__name__', hint)}")
