"""Refuses configurations from files that would instantiate arbitrary classes, and so run arbitrary code.

A file may name classes of this project, and of the packages that the user trusts (``trust=[my_package]``).
"""

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.escaping import printable
from fmcgan.app.untrusted_data import MAX_CONFIG_VALUES, walk

Config = TypeVar("Config")

_INSTRUCTIONS = {"_partial_", "_args_", "_recursive_", "_convert_"}
"""Special keys of `instantiate` that no network or data set of this project needs."""

_CLASS_NAME = re.compile(r"(?P<package>[^\W\d]\w*)(\.[^\W\d]\w*)+")


def trusted_packages(trust: object) -> tuple[str, ...]:
    """Checks names of packages whose classes a file may name; imports none of them.

    Args:
        trust: names of top-level packages outside fmcgan, such as ``["my_package"]``, or one name.

    Raises:
        InvalidValueError: another type of value, or a package of Python itself.
        UserError: there is no such package.
    """
    if not isinstance(trust, str | Sequence):
        raise InvalidValueError(f"trust must be a list of packages such as [my_package], got {trust!r}", "trust")
    names = [trust] if isinstance(trust, str) else list(trust)
    for name in names:
        if not is_foreign(name):
            raise InvalidValueError(
                f"trust must be a list of packages outside fmcgan and Python's own, such as [my_package], got {name!r}",
                "trust",
            )
        if not _exists(name):
            raise UserError(f"trust=[{name}]: Python finds no package {name}; install it, or check its spelling")
    return tuple(dict.fromkeys(names))


def is_foreign(package: object) -> bool:
    """Whether a value is the name of a top-level package that is neither fmcgan nor one of Python itself."""
    named = isinstance(package, str) and package.isidentifier() and not package.startswith("_")
    return named and package != "fmcgan" and package not in sys.stdlib_module_names


def check_targets(config: Config, *prefixes: str, trust: Collection[str] = ()) -> Config:
    """Returns a configuration from a file (plain types) if every ``_target_`` is a class below one of the prefixes.

    Args:
        config: the configuration.
        prefixes: of classes of this project, such as ``fmcgan.network.``.
        trust: packages of `trusted_packages`, whose own classes are allowed too.

    Raises:
        UserError: names what is refused: another class, a name that leads out of a prefix
            (``fmcgan.network.dcgan.torch.hub.load``), a special key of `instantiate`, or an interpolation; or a trusted
            package cannot be imported.
    """
    try:
        for node in walk(config, MAX_CONFIG_VALUES):
            if problem := _problem(node, prefixes, trust):
                raise UserError(f"the file's configuration {problem}")
    except ValueError as error:
        raise UserError(f"the file's configuration has {error}; it is refused") from error
    return config


def _problem(node: object, prefixes: tuple[str, ...], trust: Collection[str]) -> str | None:
    if isinstance(node, Mapping):
        if "_target_" in node and (problem := _target_problem(node["_target_"], prefixes, trust)):
            return problem
        if found := _INSTRUCTIONS & set(map(str, node)):
            return f"holds {', '.join(sorted(found))}; it is refused"
    if isinstance(node, str) and "${" in node:
        return f"holds the interpolation {_printable_value(node)}; it is refused"
    return "has a missing value (???); it is refused" if isinstance(node, str) and node == "???" else None


def _target_problem(target: object, prefixes: tuple[str, ...], trust: Collection[str]) -> str | None:
    if own_class(target, *prefixes) is not None or trusted_class(target, trust) is not None:
        return None
    allowed = " or ".join([*(f"{prefix}*" for prefix in prefixes), *(f"{package}.*" for package in trust)])
    problem = f"has _target_ {_printable_value(target)}, which is not a class in {allowed}; it is refused"
    name = _CLASS_NAME.fullmatch(target) if isinstance(target, str) else None
    if name is None or not is_foreign(name["package"]) or name["package"] in trust:
        return problem
    also = ",".join([*trust, name["package"]])
    return f"{problem}, since a file must not choose the code that runs. If you trust this package, give trust=[{also}]"


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


def trusted_class(target: object, trust: Collection[str]) -> type | None:
    """Returns the class that a ``_target_`` names if a trusted package itself defines it, in any of its modules."""
    name = _CLASS_NAME.fullmatch(target) if isinstance(target, str) else None
    if name is None or name["package"] not in trust:
        return None
    module, _, attribute = name[0].rpartition(".")
    try:
        found = getattr(import_module(module), attribute, None)
    except Exception as error:  # the module of another package may raise any
        reason = printable(f"{type(error).__name__}: {error}")
        raise UserError(f"{name[0]}, which the file names, cannot be imported ({reason})") from error
    return found if isinstance(found, type) and found.__module__.partition(".")[0] == name["package"] else None


def _exists(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # ValueError: a module without a specification
        return False


def _printable_value(value: object) -> str:
    if not isinstance(value, str):  # its repr may be endless
        return f"a {type(value).__name__}"
    return value[:160] if value.isprintable() else ascii(value[:160])
