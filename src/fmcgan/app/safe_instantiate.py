"""Which configurations out of files are built. A file may come from anywhere, and what it names would be called."""

import itertools
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from fmcgan.app.errors import UserError

_HOW_TO_BUILD = {"_partial_", "_args_", "_recursive_", "_convert_"}
"""Orders to Hydra that no network and no data set of this project needs."""

_DEEPEST, _MOST = 40, 20_000
"""Levels and parts of a configuration; those of this project have at most 8 and some 300."""


def check_targets(config: Any, *prefixes: str) -> Any:
    """Refuses a configuration that would build anything but this project's own classes.

    A name that begins well can still lead elsewhere (``fmcgan.network.dcgan.torch.hub.load``), and an interpolation can
    become a configuration of its own: both are refused too.

    Args:
        config: plain types.
        prefixes: one of them every ``_target_`` must begin with.

    Returns:
        The configuration.

    Raises:
        UserError: names what is refused.
    """
    for node in _nodes(config):
        if isinstance(node, Mapping) and "_target_" in node and own_class(node["_target_"], *prefixes) is None:
            allowed = " or ".join(f"{prefix}*" for prefix in prefixes)
            target = _shown(node["_target_"])
            raise UserError(f"the file asks to build {target}: no class of {allowed}; it is refused")
        if isinstance(node, Mapping) and (said := _HOW_TO_BUILD & set(map(str, node))):
            raise UserError(f"the file's configuration holds {', '.join(sorted(said))}; it is refused")
        if isinstance(node, str) and "${" in node:
            raise UserError(f"the file's configuration holds the interpolation {_shown(node)}; it is refused")
        if isinstance(node, str) and node == "???":
            raise UserError("the file's configuration leaves a value open (???); it is refused")
    return config


def own_class(target: Any, *prefixes: str) -> type | None:
    """The class of this project that a ``_target_`` names, in the module that defines it; imports nothing else.

    Args:
        target: of any type: it comes from a file.
        prefixes: such as ``fmcgan.network.``; it must begin with one of them.
    """
    if not isinstance(target, str) or not target.startswith(prefixes) or not re.fullmatch(r"fmcgan(\.\w+)+", target):
        return None
    module, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return found if isinstance(found, type) and found.__module__ == module else None


def check_size(config: Any) -> Any:
    """Refuses a configuration from a file that is too large or too deep to walk: it may refer to itself.

    Returns:
        The configuration.

    Raises:
        UserError: it is.
    """
    for _ in _nodes(config):
        pass
    return config


def _nodes(config: Any) -> Iterator[Any]:
    """All parts of a configuration, without recursion."""
    waiting = [(config, 0)]
    for count in itertools.count():
        if not waiting:
            return
        node, depth = waiting.pop()
        if depth > _DEEPEST or count > _MOST:
            raise UserError(f"the file's configuration has over {_MOST} parts or {_DEEPEST} levels; it is refused")
        yield node
        below = node.values() if isinstance(node, Mapping) else node if isinstance(node, list | tuple) else ()
        waiting += [(each, depth + 1) for each in below]


def _shown(value: Any) -> str:
    if not isinstance(value, str):  # which may be endless
        return f"a {type(value).__name__}"
    return value[:160] if value.isprintable() else ascii(value[:160])
