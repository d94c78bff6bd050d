"""Finds the yaml files of installed packages that extend fmcgan, without importing these packages.

Such a package has an entry point in the group ``fmcgan.plugins``. Its value is the dotted name of the folder that holds
the configuration groups: ``my_package.configs`` for ``my_package/configs/loss/mine.yaml``.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from fmcgan.app.escaping import printable
from fmcgan.app.safe_instantiate import is_foreign

log = logging.getLogger(__name__)

GROUP = "fmcgan.plugins"


class Plugin(NamedTuple):
    """An installed package with options for fmcgan."""

    package: str  # top-level name, as in ``trust=[my_package]``
    folder: Path  # of its configuration groups


@cache
def plugins() -> tuple[Plugin, ...]:
    """Returns the installed plugins, sorted by package. A broken one is left out with one warning that names it."""
    found: set[Plugin] = set()
    for distribution in distributions():
        for name, value in _entries(distribution):
            try:
                found.add(_locate(value))
            except Exception as error:  # finders of other packages may raise any
                reason = printable(error)
                log.warning("plugin %s is left out: %s; repair or uninstall it", printable(name), reason)
    return tuple(sorted(found))


def option_files(plugin: Plugin, group: str) -> list[Path]:
    """Returns the yaml files of a plugin's options of a group, sorted; warns of files that cannot be read."""
    return [path for path in sorted((plugin.folder / group).glob("*.yaml")) if _is_readable(path, plugin.package)]


def register() -> None:
    """Makes Hydra find the options of the plugins, behind those of fmcgan itself."""
    Plugins.instance().register(_PluginSearchPath)


class _PluginSearchPath(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for plugin in plugins():
            search_path.append(plugin.package, f"file://{plugin.folder}")


def _entries(distribution: Distribution) -> Iterator[tuple[str, str]]:
    """Yields name and value of a distribution's entry points of the group."""
    with suppress(ValueError):  # not UTF-8: nothing that an installer wrote
        yield from ((each.name, each.value) for each in distribution.entry_points.select(group=GROUP))


def _locate(value: str) -> Plugin:
    package, *below = value.split(".")
    if not is_foreign(package):
        raise ValueError(f"{value} is not the name of a folder in a package outside fmcgan")
    spec = find_spec(package)
    if spec is None:
        raise ValueError(f"Python finds no package {package}")
    for place in spec.submodule_search_locations or ():
        if (folder := Path(place, *below)).is_dir():
            return Plugin(package, folder)
    raise ValueError(f"there is no folder {value} in it")


@cache
def _is_readable(path: Path, package: str) -> bool:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("defaults", []), list):
            raise ValueError("it must be a mapping, its defaults a list")
    except (OSError, ValueError, yaml.YAMLError) as error:
        log.warning("plugin %s: %s cannot be read (%s)", package, path, printable(" ".join(str(error).split())))
        return False
    return True
