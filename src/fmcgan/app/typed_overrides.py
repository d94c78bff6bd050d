"""Normalizes the overrides of the command line: quotes paths, replaces old names, refuses invalid ones."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString, Sweep

from fmcgan.app.config_dir import config_dir, option_names
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.app.overrides import CommandLine, is_deletion, is_group, is_path, key_of, parse, quoted, quoted_elements
from fmcgan.app.renamed import rename_overrides

log = logging.getLogger(__name__)

_PATH_LISTS = ("runs",)  # keys of several paths


def normalize_overrides(typed: CommandLine, command: str) -> list[str]:
    """Quotes paths (``output=7`` and ``run=Läufe/3`` are texts) and replaces old names in overrides of a command.

    Raises:
        UserError: an override cannot be parsed, is given twice, or does not apply to this command.
    """
    if "${" in str(Path.cwd()):
        raise UserError("the name of the current folder contains ${, which Hydra reads as an interpolation: rename it")
    defaults = yaml.safe_load((config_dir() / f"{command}.yaml").read_text(encoding="utf-8"))
    groups = _groups(defaults.pop("defaults"))
    overrides = [_quote_path(text, defaults) for text in rename_overrides(typed.overrides, warn=True)]
    first: dict[str, str] = {}
    for override, text in zip(map(parse, overrides), overrides, strict=True):
        key = key_of(override)
        if not key:
            raise UserError(f"{printable(text)} has no key in front of = (--help shows the keys)")
        # Lightning repeats hydra.run.dir for the processes of the other devices.
        if not override.is_hydra_override() and first.setdefault(key, text) is not text:
            raise UserError(f"{key} is given twice, {printable(first[key])} and {printable(text)}: leave one out")
        if key in groups and (override.is_add() or override.is_force_add()):
            raise UserError(f"{printable(text)}: the group {key} exists already; omit the + to select an option")
        if is_deletion(override):
            _check_deletion(key, defaults, groups)
        elif is_group(override.key_or_group, typed.config_dirs):
            _check_choice(override, groups, typed.config_dirs)
    return overrides


def _groups(entries: list[object]) -> dict[str, object]:
    """Returns the groups in a defaults list and their default options."""
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    return {name: option for name, option in pairs if not name.startswith("override ")}


def _quote_path(text: str, defaults: dict[str, object]) -> str:
    """Quotes the value of an override of a path, if Hydra would not read it as a text."""
    prefixed, equals, value = text.partition("=")
    key, value = prefixed.lstrip("+"), value.strip()
    if not equals or not is_path(key):
        return text
    if not value or value in ("''", '""'):
        raise UserError(f"{key}= is empty: give a path, or leave it out")
    if value.strip("'\"") == "???":
        raise UserError(f"{key}=??? means a missing value: write ./??? for a file of that name")
    if value.startswith("~"):
        raise UserError(f"{printable(text)}: a shell does not expand ~ here; write $HOME (or ./~ for a name with ~)")
    try:
        parsed = parse(f"{key}={value}")._value  # distinguishes quoted texts
    except UserError:
        if value[0] in "'\"{" or (value[0] == "[" and key not in _PATH_LISTS):
            raise
        return f"{prefixed}={quoted_elements(value) if value[0] == '[' else quoted(value)}"
    if isinstance(parsed, dict) or (isinstance(parsed, list) and key not in _PATH_LISTS):
        raise UserError(f"{key} must be one path, got {printable(value)}")
    may_be_null = not key.startswith("hydra.") and (defaults.get(key) is None or "${" in str(defaults[key]))
    is_null = value == "null" and may_be_null
    return text if is_null or _is_text(parsed, key) else f"{prefixed}={quoted_elements(value)}"


def _is_text(parsed: object, key: str) -> bool:
    if isinstance(parsed, ChoiceSweep) and parsed.simple_form:
        parsed = parsed.list
    elements = parsed if isinstance(parsed, list) else [parsed]
    if any(isinstance(each, list | dict) for each in elements):
        raise UserError(f"{key} must be a list of paths, without lists in it")
    return all(isinstance(each, str | QuotedString | Sweep | Glob) for each in elements)


def _check_deletion(key: str, defaults: dict[str, object], groups: dict[str, object]) -> None:
    needed = isinstance(groups.get(key), str) or (key in defaults and defaults[key] != {})
    if needed:
        how = f"{key}=OPTION chooses another one" if key in groups else f"{key}=VALUE changes it"
        raise UserError(f"~{key}: this command needs {key}; {how}")


def _check_choice(override: Override, groups: dict[str, object], config_dirs: Sequence[Path]) -> None:
    """Refuses a value that is not an option, or not a list of options where a list is needed."""
    group, value = override.key_or_group, override.value()
    default = groups.get(key_of(override))
    if isinstance(value, ChoiceSweep) and None in value.list:
        raise UserError(f"{printable(str(override.input_line))}: null is no option of {group}; leave it out")
    if isinstance(value, Sweep | Glob | dict):
        return
    available = option_names(group, config_dirs)
    given, known = printable(re.sub(r"^.*?=", "", override.input_line or "")), ", ".join(available)
    if isinstance(value, list) and (group in groups or override.package) and not isinstance(default, list):
        raise UserError(f"{key_of(override)} takes one option, got {given}; available: {known}")
    if value is None:
        raise UserError(_null_message(key_of(override), default, known))
    options = value if isinstance(value, list) else [value]
    if not all(isinstance(option, str) for option in options):
        raise UserError(f"there is no {group}={given}; available: {known}")
    for option in options:
        _warn_if_ambiguous(group, str(option), config_dirs)


def _warn_if_ambiguous(group: str, option: str, config_dirs: Sequence[Path]) -> None:
    """Warns if several folders have an option of this name; Hydra takes that of the first."""
    found = [file for folder in config_dirs if (file := folder / group / f"{option}.yaml").is_file()]
    for other in found[1:]:
        log.warning("%s=%s is that of %s, not that of %s: rename one", group, printable(option), found[0], other)


def _null_message(key: str, default: object, available: str) -> str:
    """Returns what to write instead of null, which Hydra reads as no group."""
    if isinstance(default, list):
        return f"{key} takes a list, got null; {key}=[] is none of them"
    if isinstance(default, str) and "/" not in key:
        return f"{key}=null: this command needs {key}; available: {available}"
    return f"{key}=null: leave that out, or choose from {available}"
