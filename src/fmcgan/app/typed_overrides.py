"""Prepares the overrides that the user typed: quotes paths, replaces old names, refuses what has no meaning."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, Sweep

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.app.overrides import (
    CommandLine,
    is_deletion,
    is_group,
    is_path,
    key_of,
    parse,
    quoted,
    quoted_elements,
)
from fmcgan.app.renamed import rename_overrides

_LISTS = ("runs",)
"""Keys of several paths."""


def as_meant(typed: CommandLine, command: str) -> list[str]:
    """Returns the overrides with paths quoted (``output=7`` and ``run=Läufe/3`` are texts) and old names replaced.

    Args:
        typed: the command line.
        command: name of the command and its configuration.

    Raises:
        UserError: an override cannot be parsed, is given twice, or is none of this command.
    """
    if "${" in str(Path.cwd()):
        raise UserError("the name of the current folder holds ${, which Hydra reads as an interpolation: rename it")
    defaults = yaml.safe_load((config_dir() / f"{command}.yaml").read_text(encoding="utf-8"))
    groups = _groups(defaults.pop("defaults"))
    overrides = [_named_path(text, defaults) for text in rename_overrides(typed.overrides, warn=True)]
    first: dict[str, str] = {}
    for override, text in zip(map(parse, overrides), overrides, strict=True):
        key = key_of(override)
        if not key:
            raise UserError(f"{printable(text)}: there is no key in front of = (--help shows the keys)")
        # Lightning repeats hydra.run.dir for the processes of the other devices.
        if not override.is_hydra_override() and first.setdefault(key, text) is not text:
            raise UserError(f"{key} is given twice, {printable(first[key])} and {printable(text)}: leave one out")
        if key in groups and (override.is_add() or override.is_force_add()):
            raise UserError(f"{printable(text)}: {key} is there already; without + the option is chosen")
        if is_deletion(override):
            _check_deletion(key, defaults, groups)
        elif is_group(override.key_or_group, typed.config_dirs):
            _check_choice(override, groups, typed.config_dirs)
    return overrides


def _groups(entries: list[Any]) -> dict[str, Any]:
    """The groups of a configuration and their defaults."""
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    return {name: option for name, option in pairs if not name.startswith("override ")}


def _named_path(text: str, defaults: dict[str, Any]) -> str:
    """An override of a path with its value quoted, where it would be no text otherwise."""
    prefixed, equals, value = text.partition("=")
    key, value = prefixed.lstrip("+"), value.strip()
    if not equals or not is_path(key):
        return text
    if not value or value in ("''", '""'):
        raise UserError(f"{key}= is empty: give a path, or leave it out")
    if value.strip("'\"") == "???":
        raise UserError(f"{key}=??? would count as missing: write ./??? for a file of that name")
    if value.startswith("~"):
        raise UserError(f"{printable(text)}: no shell expands ~ behind =; write $HOME (or ./~ for a name with ~)")
    try:
        parsed = parse(f"{key}={value}")._value  # quoted texts are told apart from others
    except UserError:
        if value[0] in "'\"{" or (value[0] == "[" and key not in _LISTS):
            raise
        return f"{prefixed}={quoted_elements(value) if value[0] == '[' else quoted(value)}"
    if isinstance(parsed, dict) or (isinstance(parsed, list) and key not in _LISTS):
        raise UserError(f"{key} must be one path, got {printable(value)}")
    may_be_null = not key.startswith("hydra.") and (defaults.get(key) is None or "${" in str(defaults[key]))
    is_null = value == "null" and may_be_null
    return text if is_null or _is_text(parsed, key) else f"{prefixed}={quoted_elements(value)}"


def _is_text(parsed: Any, key: str) -> bool:
    """Whether paths were parsed as texts, not as numbers or null."""
    if isinstance(parsed, ChoiceSweep) and parsed.simple_form:
        parsed = parsed.list
    elements = parsed if isinstance(parsed, list) else [parsed]
    if any(isinstance(each, list | dict) for each in elements):
        raise UserError(f"{key} must be a list of paths, without lists in it")
    return all(isinstance(each, str | QuotedString | Sweep | Glob) for each in elements)


def _check_deletion(key: str, defaults: dict[str, Any], groups: dict[str, Any]) -> None:
    needed = isinstance(groups.get(key), str) or (key in defaults and defaults[key] != {})
    if needed:
        how = f"{key}=OPTION chooses another one" if key in groups else f"{key}=VALUE changes it"
        raise UserError(f"~{key}: this command cannot do without {key}; {how}")


def _check_choice(override: Override, groups: dict[str, Any], config_dirs: Sequence[Path]) -> None:
    """Refuses what is no option, or no list of options where a list is needed."""
    group, value = override.key_or_group, override.value()
    default = groups.get(key_of(override))
    if isinstance(value, ChoiceSweep) and None in value.list:
        raise UserError(f"{printable(str(override.input_line))}: null is no option of {group}; leave it out")
    if isinstance(value, Sweep | Glob | dict):
        return
    there = sorted({file.stem for folder in config_dirs for file in (folder / group).glob("*.yaml")})
    if isinstance(value, list) and (group in groups or override.package) and not isinstance(default, list):
        raise UserError(f"{key_of(override)} takes one option, got {_value(override)}; available: {', '.join(there)}")
    if value is None:
        raise UserError(_of_null(key_of(override), default, ", ".join(there)))
    for option in value if isinstance(value, list) else [value]:
        if not isinstance(option, str):
            raise UserError(f"there is no {group}={_value(override)}; available: {', '.join(there)}")


def _of_null(key: str, default: Any, there: str) -> str:
    """What to write in place of null, which Hydra takes for no group."""
    if isinstance(default, list):
        return f"{key} takes a list, got null; {key}=[] is none of them"
    if isinstance(default, str) and "/" not in key:
        return f"{key}=null: this command cannot do without {key}; available: {there}"
    return f"{key}=null: leave that out, or choose from {there}"


def _value(override: Override) -> str:
    return printable(re.sub(r"^.*?=", "", override.input_line or ""))
