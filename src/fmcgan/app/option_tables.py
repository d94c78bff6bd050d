"""Options of every group as their yaml files describe them: in ``--help`` and in ``docs/options.md``.

The first comment line of a file describes it; a comment behind a key describes the key. Help also lists the options of
installed plugins, each with its package; ``docs/options.md`` does not.
``python -m fmcgan.app.option_tables`` writes ``docs/options.md`` of the checkout.
"""

import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from fmcgan.app.config_dir import config_dir
from fmcgan.app.plugins import Plugin, option_files, plugins

COMMANDS = ("train", "evaluate", "analyze", "usefulness", "leaderboard", "probe")  # commands with configuration groups

SWEEPER = "hydra/sweeper"  # Hydra's own group, with an option of ours beside its `basic`

_Default = str | list[str] | None  # what a defaults list chooses of a group
_KEY = re.compile(
    r"(?P<indent> *)(?P<name>[\w.-]+):(?: +(?P<value>[^#\s](?:[^#]|(?<! )#)*?))?(?: +# ?(?P<comment>.*))?"
)


class Key(NamedTuple):
    """One key of an option: its dotted name, its default as in the yaml, and the comment behind it or ``""``."""

    name: str
    default: str
    comment: str


class Option(NamedTuple):
    """One yaml file of a group."""

    name: str  # as on the command line; with ``/`` in a sub-folder
    description: str  # the first comment line, or ``""``
    keys: tuple[Key, ...]  # in the order of the file, without ``_target_`` and interpolations of other keys
    plugin: str = ""  # package that has it; ``""``: fmcgan itself


class Group(NamedTuple):
    """A configuration group of Hydra."""

    name: str  # of the folder, such as ``metric/feature``
    keys: tuple[str, ...]  # the name, or several such as ``optimizer@training.generator_optimizer``
    default: tuple[str, ...]  # options of the command; empty for none
    is_list: bool  # whether it takes several options
    options: tuple[Option, ...]  # sorted by name


def read_option(path: Path, group: str, package: str | None = None) -> Option:
    """Reads description and keys of a yaml file.

    Args:
        path: the file.
        group: its group, such as ``metric/feature``.
        package: node of its keys; ``None`` means the file's ``@package``, or else the group.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    declared = next((found[1] for line in lines if (found := re.fullmatch(r"# @package (\S+)", line))), None)
    comments = [line[1:].strip() for line in lines if line.startswith("#") and "@package" not in line]
    above = re.sub(r"_global_|hydra\.sweeper\.params", "", package or declared or group.replace("/", "."))
    name = path.relative_to(config_dir() / group) if path.is_relative_to(config_dir()) else Path(path.name)
    keys = tuple(_keys(lines, above.split(".") if above else []))
    return Option(name.with_suffix("").as_posix(), comments[0] if comments else "", keys)


def _keys(lines: list[str], above: list[str]) -> list[Key]:
    found: list[Key] = []
    names: list[tuple[int, str]] = []
    for line in lines:
        match = _KEY.fullmatch(line)
        if match is None:
            continue
        indent, name, value = len(match["indent"]), match["name"], match["value"]
        names = [*((depth, each) for depth, each in names if depth < indent), (indent, name)]
        is_built = name.startswith("_") or names[0][1] == "defaults"
        if value is not None and not is_built and not re.match(r"\$\{(?!oc\.)", value):
            found.append(Key(".".join([*above, *(each for _, each in names)]), value, match["comment"] or ""))
    return found


@cache
def read_groups(command: str, plugins: tuple[Plugin, ...] = ()) -> tuple[Group, ...]:
    """Reads the groups of a command (one of `COMMANDS`): those of its defaults list, its options' and Hydra's.

    The options are those of fmcgan and of the given plugins.
    """
    listed = _defaults(config_dir() / f"{command}.yaml")
    defaults = {group: option for group, option in listed if not group.startswith("override ")}
    keys = {group: (group,) for group in defaults}
    for group, chosen in list(defaults.items()):
        for path, _ in _files(group, plugins) if chosen is not None else ():  # not experiments
            for entry, option in _defaults(path):
                other, _, package = entry.removeprefix("override ").removeprefix("/").partition("@")
                if entry.startswith("override "):
                    defaults |= {other: option} if path.stem == chosen else {}
                elif other not in dict(listed):
                    keys[other] = tuple(dict.fromkeys([*keys.get(other, ()), f"{other}@{group}.{package}"]))
                    defaults.setdefault(other, option)
    if command == "train":
        search = {f"{SWEEPER}/{group}": option for group, option in _defaults(config_dir() / SWEEPER / "optuna.yaml")}
        for group, option in {SWEEPER: "basic", **search}.items():
            keys[group], defaults[group] = (group,), option
    return tuple(_group(group, keys[group], defaults[group], plugins) for group in keys)


def _files(group: str, plugins: tuple[Plugin, ...]) -> Iterator[tuple[Path, str]]:
    """Yields the yaml files of a group, and for each the package of its plugin or ``""``."""
    folder = config_dir() / group
    for path in sorted(folder.glob("*.yaml")) + (sorted(folder.glob("*/*.yaml")) if group == "experiment" else []):
        yield path, ""
    for plugin in plugins:
        yield from ((path, plugin.package) for path in option_files(plugin, group))


def _group(name: str, keys: tuple[str, ...], default: _Default, plugins: tuple[Plugin, ...]) -> Group:
    package = None if keys == (name,) else keys[0].partition("@")[2]
    chosen = default if isinstance(default, list) else [default] if default is not None else []
    options = tuple(read_option(path, name, package)._replace(plugin=of) for path, of in _files(name, plugins))
    return Group(name, keys, tuple(chosen), isinstance(default, list), options)


def _defaults(path: Path) -> list[tuple[str, _Default]]:
    """Returns group and option of each entry in the defaults list of a yaml file."""
    text = path.read_text(encoding="utf-8")
    entries = yaml.safe_load(text).get("defaults", []) if "defaults:" in text else []  # parsing takes most of the time
    return [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]


def help_text(command: str) -> str:
    """Formats the options of a command for Hydra's help template, where ``$`` is escaped; ``*`` marks the default."""
    return "\n".join(map(_help_block, read_groups(command, plugins()))).replace("$", "$$")


def _help_block(group: Group) -> str:
    value = "[OPTION,...]" if group.is_list else "OPTION"
    lines = [f"{key}={value}" for key in group.keys]
    for option in group.options:
        described = f"{option.description} [{option.plugin}]".strip() if option.plugin else option.description
        lines += _entry(f"{option.name:<20}{'*' if option.name in group.default else ''}", described)
    return "\n".join(lines) + "\n"


def values_text(command: str, *others: str) -> str:
    """Formats the values of a command for Hydra's help template: each with its default and the comment in its yaml.

    Args:
        command: its own values are all listed, in the order of ``configs/<command>.yaml``.
        others: dotted keys of Hydra, or of the default options of the command's groups.
    """
    lines = (config_dir() / f"{command}.yaml").read_text(encoding="utf-8").splitlines()
    known = {key.name: key for key in _keys(lines, [])}
    own = [name for name, key in known.items() if not name.startswith("hydra.") and key.default != "{}"]
    for group in read_groups(command, plugins()) if others else ():
        known |= {key.name: key for option in group.options if option.name in group.default for key in option.keys}
    entries = (_entry(f"{name}={_as_typed(known[name].default)}", known[name].comment) for name in (*own, *others))
    return "\n".join(line for entry in entries for line in entry).replace("$", "$$")


def _as_typed(default: str) -> str:
    """Returns a default as a user would type it; names stand for environment variables and for what is set later."""
    shown = re.sub(r"\$\{oc\.env:(\w+),\w+\}", r"$\1", default)
    shown = shown.replace("${now:%Y-%m-%d}", "DATE").replace("${now:%H-%M-%S}", "TIME")
    return shown.replace(", ", ",").replace("???", "REQUIRED")


def _entry(name: str, description: str) -> list[str]:
    """Formats a name and its description in two columns of together 80 characters; a long name has its own line."""
    indent = " " * 24
    alone = len(name := name.rstrip()) > 21
    start = indent if alone else f"  {name:<21} "
    described = textwrap.wrap(description, 80, initial_indent=start, subsequent_indent=indent)
    return [f"  {name}", *described] if alone or not described else described


def page() -> str:
    """Returns the text of ``docs/options.md``."""
    parts = [
        "# Options\n\nThe options of every group and their values, read from the files in `configs/`."
        " Generated: `python -m fmcgan.app.option_tables` writes it, edits are lost.\n"
        "A value is changed by its key, as in `penalty.weight=5`. An empty cell under *of*: all options of the group."
    ]
    found: dict[str, dict[str, Group]] = {}
    for command in COMMANDS:
        for group in read_groups(command):
            found.setdefault(group.name, {})[command] = group
    parts += [_section(next(iter(groups.values())), list(groups)) for groups in found.values()]
    return "\n\n".join(parts) + "\n"


def _section(group: Group, commands: list[str]) -> str:
    also = f" Also {', '.join(f'`{key}=`' for key in group.keys[1:])}." if group.keys[1:] else ""
    default = ", ".join(f"`{name}`" for name in group.default)
    of = ", ".join(f"`fmcgan.{command}`" for command in commands)
    default_text = f"Default{f' of `{commands[0]}`' if commands[1:] else ''}: {default}." if default else "No default."
    lines = [f"## `{group.keys[0]}=`", "", f"For {of}.{also} {default_text}"]
    lines += ["", "| option | description |", "|---|---|"]
    lines += [f"| `{option.name}` | {_cell(option.description)} |" for option in group.options]
    keys: dict[Key, list[str]] = {}
    for option in group.options if group.name != "experiment" else ():
        for key in option.keys:
            keys.setdefault(key, []).append(option.name)
    if keys:
        lines += ["", "| key | default | of | meaning |", "|---|---|---|---|"]
        for key, options in keys.items():
            of_options = "" if len(options) == len(group.options) else ", ".join(f"`{name}`" for name in options)
            lines.append(f"| `{key.name}` | `{key.default}` | {of_options} | {_cell(key.comment)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    (config_dir().parent / "docs" / "options.md").write_text(page(), encoding="utf-8")
