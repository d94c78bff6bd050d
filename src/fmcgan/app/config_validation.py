"""Validates the structure of a composed configuration, and its values against the annotations of its classes.

Hydra checks no types, and a class that gets a text for a flag reads it as true. Constructors check the ranges.
"""

import collections.abc
import inspect
import math
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan.app.checks import is_int
from fmcgan.app.config_dir import option_names
from fmcgan.app.errors import InvalidValueError, UserError

# Annotations of single values: how a message names them, and whether a value fits.
_SIMPLE: Mapping[object, tuple[str, Callable[[object], bool]]] = {
    int: ("a whole number", is_int),
    float: ("a finite number", lambda value: is_int(value) or (isinstance(value, float) and math.isfinite(value))),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    str: ("a text", lambda value: isinstance(value, str)),
    Path: ("a path", lambda value: isinstance(value, str)),
    type(None): ("null", lambda value: value is None),
}
_LISTS = (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable)
_MAPPINGS = (dict, collections.abc.Mapping)
_UNIONS = (Union, types.UnionType)
_MAY_LACK_TARGET = ("callback", "logger")  # an experiment may set values of a callback that is not selected


def check_shape(config: DictConfig, parts: Iterable[str], groups: Iterable[str]) -> None:
    """Refuses a value where the configuration of an object, or of several objects, is needed.

    Args:
        config: of a command.
        parts: keys of objects, such as ``network.generator``.
        groups: keys with any number of named objects, such as ``callback``.

    Raises:
        InvalidValueError: names the key, what was given and the options.
    """
    _check_special_keys(config, "")
    nodes = {key: OmegaConf.select(config, key) for key in (_first_overwritten(config, part) for part in parts)}
    for key in groups:
        group = config.get(key)
        if not isinstance(group, DictConfig):
            raise InvalidValueError(f"{key} must be a list of options{_options(key)}, got {_plain(group)!r}")
        nodes |= {f"{key}.{name!s}": part for name, part in group.items()}
    for key, part in nodes.items():
        may_lack_target = isinstance(part, DictConfig) and key.partition(".")[0] in _MAY_LACK_TARGET
        if not (may_lack_target or has_target(part)):
            raise InvalidValueError(f"{key} must be an object with a _target_{_options(key)}, got {_plain(part)!r}")


def _check_special_keys(config: object, key: str) -> None:
    """Refuses invalid keys of `instantiate`: ``_target_`` must name a class, the others be true or false."""
    if isinstance(config, ListConfig):
        for index in range(len(config)):
            _check_special_keys(config[index], f"{key}[{index}]")
    if not isinstance(config, DictConfig):
        return
    for name in map(str, config):
        inner, value = f"{key}.{name}".lstrip("."), config._get_node(name)
        if name == "_target_" and not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", str(config[name])):
            raise InvalidValueError(f"{inner} must be the dotted name of a class, got {_plain(config[name])!r}")
        if name in ("_partial_", "_recursive_") and not isinstance(config[name], bool):
            raise InvalidValueError(f"{inner} must be true or false, got {_plain(config[name])!r}")
        if OmegaConf.is_config(value) and not OmegaConf.is_interpolation(config, name):
            _check_special_keys(value, inner)


def _first_overwritten(config: DictConfig, key: str) -> str:
    """Returns the first parent key whose mapping was overwritten by a value, else the key itself."""
    names = key.split(".")
    above = [".".join(names[:end]) for end in range(1, len(names))]
    return next((each for each in above if not isinstance(OmegaConf.select(config, each), DictConfig)), key)


def has_target(part: object) -> bool:
    """Whether a node of a configuration has a ``_target_``."""
    return isinstance(part, DictConfig) and "_target_" in part


def _plain(value: object) -> object:
    return OmegaConf.to_container(value) if isinstance(value, DictConfig | ListConfig) else value


def _options(key: str) -> str:
    group = key.partition(".")[0].replace("feature", "metric/feature")
    options = option_names(group)
    return f": choose with {group}= from {', '.join(options)}" if options else ""


@contextmanager
def types_checked(config: DictConfig) -> Iterator[None]:
    """Runs `check_types` on a configuration that the enclosed code instantiates.

    If a constructor refuses a value, its own error is raised, since it knows the range.
    """
    try:
        yield
    except InstantiationException as error:
        if not isinstance(root_cause(error), UserError):
            check_types(config)
        raise
    check_types(config)


def root_cause(error: BaseException) -> BaseException | None:
    """Returns the error of a constructor that Hydra called."""
    cause: BaseException | None = error.__cause__
    while isinstance(cause, InstantiationException):
        cause = cause.__cause__
    return cause


def check_types(config: DictConfig) -> None:
    """Checks all values of a configuration against the annotations of its classes.

    Raises:
        InvalidValueError: names the key, what was given and what is allowed.
    """
    for key, value, hint in _annotated_values(config, ""):
        if not _fits(value, hint):
            given = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            raise InvalidValueError(f"{typed_key(config, key)} must be {_describe(hint)}, got {given!r}")


def typed_key(config: DictConfig, key: str) -> str:
    """Returns the key that the user sets: for an interpolation such as ``${network.width}`` its source."""
    parts = key.split(".")
    for index, name in enumerate(parts):
        parent = OmegaConf.select(config, ".".join(parts[:index])) if index else config
        if not isinstance(parent, DictConfig) or name not in parent:
            continue
        if source := re.fullmatch(r"\$\{([\w.]+)\}", str(parent._get_node(name))):
            return typed_key(config, ".".join([source.group(1), *parts[index + 1 :]]))
    return key


def _annotated_values(config: object, key: str) -> Iterator[tuple[str, object, object]]:
    """Yields key, value and annotation of all parameters of all objects."""
    if isinstance(config, ListConfig):
        for index in range(len(config)):
            yield from _annotated_values(config[index], f"{key}[{index}]")
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
            yield from _annotated_values(value, inner)


def _hints(target: object) -> dict[str, object]:
    with suppress(Exception):  # annotations of other libraries may name types that exist for type checkers only
        module, _, name = str(target).rpartition(".")
        found = getattr(import_module(module), name)
        if not isinstance(found, type):
            return get_type_hints(found)
        hints: dict[str, object] = {}
        for each in reversed(found.__mro__):  # a class may pass parameters on to its base class
            hints |= get_type_hints(vars(each).get("__init__", object.__init__))
        return hints
    return {}


def _fits(value: object, hint: object) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in _UNIONS:
        return any(_fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    if origin is None and hint in _SIMPLE:
        return _SIMPLE[hint][1](value)
    return _fits_container(value, origin or hint, arguments)


def _fits_container(value: object, kind: object, arguments: tuple[object, ...]) -> bool:
    if kind is tuple and arguments[-1:] != (...,):
        return isinstance(value, ListConfig) and len(value) == len(arguments) and all(map(_fits, value, arguments))
    if kind in _LISTS:
        return isinstance(value, ListConfig) and all(_fits(each, hint) for each in value for hint in arguments[:1])
    if kind in _MAPPINGS:
        values = value.values() if isinstance(value, DictConfig) else None
        return values is not None and all(_fits(each, hint) for each in values for hint in arguments[1:])
    return has_target(value)  # all other annotations are classes


def _describe(hint: object) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        simple = [each for each in arguments if each in _SIMPLE or get_origin(each)]
        kinds = arguments if all(each is type(None) for each in simple) else simple
        return " or ".join(dict.fromkeys(map(_describe, kinds)))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple and arguments[-1:] != (...,):
        return f"a list of {len(arguments)} values ({', '.join(dict.fromkeys(map(_describe, arguments)))})"
    if origin in _LISTS:
        return f"a list ({_describe(arguments[0])})"
    if origin in _MAPPINGS:
        return f"named objects ({_describe(arguments[1])})"
    if origin is collections.abc.Callable:
        return "an object with _partial_: true"
    return _SIMPLE[hint][0] if hint in _SIMPLE else f"an object of class {getattr(hint, '__name__', hint)}"


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Returns the parameters of a function or constructor by name.

    If a constructor has ``**options``, its parent's parameters replace it. It stays if no parent says what it takes.

    Raises:
        ValueError, TypeError: it has no readable signature.
    """
    found = dict(inspect.signature(target).parameters)
    for parent in target.__mro__[1:-1] if isinstance(target, type) else ():
        passed_on = [name for name, each in found.items() if each.kind is each.VAR_KEYWORD]
        if not passed_on:
            break
        if "__init__" in vars(parent):
            del found[passed_on[0]]
            _self, *inherited = inspect.signature(parent.__init__).parameters.items()  # type: ignore[misc]
            found = dict(inherited) | found
    return found
