"""Reads the overrides saved in a run folder. They are untrusted, so they may set values and options only."""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.app.overrides import INSTANTIATE_KEYS, is_deletion, is_group, is_path, key_of, parse
from fmcgan.app.plugins import plugins
from fmcgan.app.renamed import rename_overrides
from fmcgan.app.run_files import read_environment

_CODE = re.compile("|".join(INSTANTIATE_KEYS))
_OPTION = re.compile(r"\w[\w-]*(/\w[\w-]*)*")


def saved_overrides(
    folder: Path, typed: set[str], config_dirs: Sequence[Path], trust: Collection[str] = ()
) -> list[str]:
    """Reads the overrides that a resumed run repeats, with current names.

    Args:
        folder: of the run.
        typed: keys given on the command line, which take precedence.
        config_dirs: folders of configuration groups.
        trust: packages of the command line's ``trust=``.

    Raises:
        UserError: the file is damaged, or has an override that a file may not set.
    """
    file = folder / run_dir.ENVIRONMENT
    overrides: dict[str, str] = {}
    refused = []
    for text in _read(file):
        try:
            override = parse(text)
        except UserError:
            refused.append(f"{printable(text)} (no override)")
            continue
        if (key := key_of(override)) in typed:
            continue
        overrides[key] = text
        if reason := reason_to_refuse(override, folder, config_dirs, trust):
            refused.append(f"{printable(text)} ({reason})")
    if refused:
        raise UserError(
            f"{os.path.relpath(file)} has overrides that a file may not set: {'; '.join(refused[:5])}"
            f"{' ...' if len(refused) > 5 else ''}.\n"
            "If you trust them, repeat them on the command line beside ckpt_path=, which replaces the saved ones."
        )
    return list(overrides.values())


def reason_to_refuse(
    override: Override, folder: Path, config_dirs: Sequence[Path], trust: Collection[str] = ()
) -> str | None:
    """Returns why an override saved in the folder of a run is refused, or ``None`` if it is allowed.

    Values are allowed; paths only inside that folder; options only if `config_dirs` has them, those of a plugin only if
    the user trusts its package: an option names the class that is imported.
    """
    if any(re.match(r"hydra\b", each or "") for each in (override.key_or_group, override.package)):
        return "configures Hydra itself"
    if override.key_or_group == "trust":
        return "trusts code"
    if override.is_add() or override.is_force_add() or not override.key_or_group:
        return "adds a key"
    try:
        values = list(_leaves(None if is_deletion(override) else override.value(), key_of(override)))
    except RecursionError:
        return "nested too deeply"
    reason = next(filter(None, (_refused_value(name, value, folder) for name, value in values)), None)
    if reason is None and not is_deletion(override) and not isinstance(override.value(), dict):
        return _refused_option(override, config_dirs, trust)
    return reason


def _refused_value(name: str, value: object, folder: Path) -> str | None:
    if _CODE.search(name):
        return "names code to run"
    if not isinstance(value, str | int | float | None):  # bool is an int
        return "a sweep"
    if "${" in f"{name}{value}":
        return "an interpolation"
    return "a path outside the run folder" if _is_outside(name, value, folder) else None


def _read(file: Path) -> list[str]:
    try:
        overrides = (read_environment(file) or {}).get("overrides")
        if overrides is None:
            raise UserError(f'{os.path.relpath(file)} has no "overrides", a list of texts such as "loss=hinge"')
    except UserError as error:
        raise UserError(
            f"{error}.\nA run cannot be resumed without its overrides: restore the file, or write the overrides of the"
            " run into it (config.yaml has the values)."
        ) from error
    return rename_overrides(overrides, warn=True)


def _leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Yields all values below a key with their dotted names."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{name}.{key}")
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, name)
    else:
        yield name, value
        return
    yield name, None


def _refused_option(override: Override, config_dirs: Sequence[Path], trust: Collection[str]) -> str | None:
    group, value = override.key_or_group, override.value()
    if not is_group(group, config_dirs):
        return None if override.package is None and "/" not in group else "no known group"
    packages = {plugin.folder: plugin.package for plugin in plugins()}
    for option in value if isinstance(value, list) else [value]:
        files = {folder: folder / group / f"{option}.yaml" for folder in config_dirs}
        named = isinstance(option, str) and _OPTION.fullmatch(option)
        found = next((folder for folder, file in files.items() if named and file.is_file()), None)  # Hydra takes it
        if found is None:
            return "no option of this group; for an option of your own, give --config-dir"
        if (package := packages.get(found)) is not None and package not in trust:
            return f"an option of the package {package}; if you trust it, give trust=[{package}]"
    return None


def _is_outside(name: str, value: object, folder: Path) -> bool:
    text = "" if value is None else str(value)
    looks_like_path = re.match(r"[/\\~]|[A-Za-z]:", text) or ".." in re.split(r"[/\\]", text) or "://" in text
    if not looks_like_path and (value is None or not is_path(name)):
        return False
    if "://" in text or text.startswith("~"):
        return True
    root, target = os.path.realpath(folder), os.path.realpath(text)
    return "\0" in text or os.path.commonpath([root, target]) != root
