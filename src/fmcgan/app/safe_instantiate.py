"""Refuses configurations from files that would instantiate arbitrary classes, and so run arbitrary code."""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import TypeVar

from fmcgan.app.errors import UserError
from fmcgan.app.untrusted_data import MAX_CONFIG_VALUES, walk

Config = TypeVar("Config")

_INSTRUCTIONS = {"_partial_", "_args_", "_recursive_", "_convert_"}
"""Special keys of `instantiate` that no network or data set of this project needs."""


def check_targets(config: Config, *prefixes: str) -> Config:
    """Returns a configuration from a file (plain types) if every ``_target_`` is a class below one of the prefixes.

    Raises:
        UserError: names what is refused: another class, a name that leads out of a prefix
            (``fmcgan.network.dcgan.torch.hub.load``), a special key of `instantiate`, or an interpolation.
    """
    try:
        for node in walk(config, MAX_CONFIG_VALUES):
            if problem := _problem(node, prefixes):
                raise UserError(f"the file's configuration {problem}; it is refused")
    except ValueError as error:
        raise UserError(f"the file's configuration has {error}; it is refused") from error
    return config


def _problem(node: object, prefixes: tuple[str, ...]) -> str | None:
    if isinstance(node, Mapping):
        if "_target_" in node and own_class(node["_target_"], *prefixes) is None:
            allowed = " or ".join(f"{prefix}*" for prefix in prefixes)
            return f"has _target_ {_printable_value(node['_target_'])}, which is not a class in {allowed}"
        if found := _INSTRUCTIONS & set(map(str, node)):
            return f"holds {', '.join(sorted(found))}"
    if isinstance(node, str) and "${" in node:
        return f"holds the interpolation {_printable_value(node)}"
    return "has a missing value (???)" if isinstance(node, str) and node == "???" else None


def own_class(target: object, *prefixes: str) -> type | None:
    """Returns the class that a ``_target_`` from a file names; imports nothing outside this project.

    Returns ``None`` unless the target begins with one of the prefixes and its module itself defines the class.
    """
    if not isinstance(target, str) or not target.startswith(prefixes) or not re.fullmatch(r"fmcgan(\.\w+)+", target):
        return None
    module, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and found.__module__ == module else None


def _printable_value(value: object) -> str:
    if not isinstance(value, str):  # its repr may be endless
        return f"a {type(value).__name__}"
    return value[:160] if value.isprintable() else ascii(value[:160])
