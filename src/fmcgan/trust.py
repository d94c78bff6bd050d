"""Which configurations out of files are built. A file may come from anywhere, and what it names would be called."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fmcgan.errors import UserError


def trusted(config: Any, *prefixes: str) -> Any:
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
    if isinstance(config, Mapping):
        if "_target_" in config and not _is_own_class(config["_target_"], prefixes):
            allowed = " or ".join(f"{prefix}*" for prefix in prefixes)
            raise UserError(f"the file asks to build {config['_target_']}: no class of {allowed}; it is refused")
        trusted(list(config.values()), *prefixes)
    elif isinstance(config, list | tuple):
        for value in config:
            trusted(value, *prefixes)
    elif isinstance(config, str) and "${" in config:
        raise UserError(f"the file's configuration holds the interpolation {config}; it is refused")
    return config


def _is_own_class(target: Any, prefixes: tuple[str, ...]) -> bool:
    """Whether a name is that of a class, in the module that defines it; imports modules of this project only."""
    if not isinstance(target, str) or not target.startswith(prefixes):
        return False
    module, _, name = target.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except (ImportError, ValueError):  # ValueError: a name that no module can have
        return False
    return isinstance(found, type) and found.__module__ == module
