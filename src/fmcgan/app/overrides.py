"""Parses and quotes overrides of the command line, and formats commands for a shell."""

import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from fmcgan.app.config_dir import config_dirs
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable

INSTANTIATE_KEYS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
"""Keys that make Hydra build an object of any class, or call any function."""

_PATHS = re.compile(
    r"run|runs|samples|output|ckpt_path|hydra\.(run|sweep)\.dir|feature\.\w+\.weights|data\.(root|mirror)"
    r"|([\w.]+\.)?(cache|save_dir|tracking_uri|default_root_dir|dirpath|filename)"
)

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_ELEMENT = re.compile(rf"\s*(?:{_QUOTED.pattern}|[^,]+)")


def is_path(key: str) -> bool:
    """Whether a value names a file or a folder."""
    return _PATHS.fullmatch(key) is not None


def parse(override: str) -> Override:
    """Parses one override as Hydra does. `UserError` if it cannot be parsed; the message shows how to quote it."""
    try:
        return _parser().parse_override(override)
    except ValueError as error:
        raise UserError(f"{printable(override)} has a number with too many digits") from error
    except (HydraException, RecursionError) as error:
        key, equals, value = override.partition("=")
        message = "is not an override; write key=value (--help shows the keys)"
        if equals:
            in_shell = printable(shlex.quote(f"{key}={quoted_elements(value)}"), 400)
            message = f"cannot be parsed; its special characters need quotes. In a shell:\n  {in_shell}"
        raise UserError(f"{printable(override)} {message}") from error


def key_of(override: Override) -> str:
    """Returns the key without ``+`` or ``~``: ``loss``, ``network.width``, ``schedule@training.schedules.beta1``."""
    return override.key_or_group if override.package is None else f"{override.key_or_group}@{override.package}"


def quoted(text: str) -> str:
    """Quotes a text as the value of an override. Hydra and OmegaConf read any text back unchanged."""
    if re.fullmatch(r"[\w./-]{1,1000}", text, re.ASCII) and _parser().parse_override(f"key={text}").value() == text:
        return text
    no_interpolation = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", text)
    return QuotedString(no_interpolation, Quote.double).with_quotes()


def quoted_elements(value: str) -> str:
    """Quotes a text, the elements of a list ``[a,b]``, or the choices of a sweep ``a,b``."""
    is_list = value.startswith("[") and value.endswith("]")
    elements = [each.strip() for each in _ELEMENT.findall(value[1:-1] if is_list else value)]
    text = ",".join(each if _QUOTED.fullmatch(each) else quoted(each) for each in elements)
    return f"[{text}]" if is_list else text


def shell_command(module: str, *arguments: str) -> str:
    """Returns a command, quoted for a shell."""
    return shlex.join(["python", "-m", module, *arguments])


class CommandLine(NamedTuple):
    """A parsed command line: options of Hydra (such as ``-m``), overrides, and folders of configuration groups.

    The folders are in the order in which Hydra searches them: of fmcgan, of plugins, of ``--config-dir``.
    """

    options: list[str]
    overrides: list[str]
    config_dirs: list[Path]


def parse_arguments(arguments: Sequence[str]) -> CommandLine:
    """Separates Hydra's options from the overrides. Unknown options end the process with exit code 2, as in Hydra."""
    known = get_args_parser().parse_args(arguments)
    rest: list[str] = list(known.overrides)
    options: list[str] = []
    for argument in reversed(arguments):  # the value of an option may look like an override, but precedes them
        if rest and argument == rest[-1]:
            rest.pop()
        else:
            options.insert(0, argument)
    own = [Path(known.config_dir)] if known.config_dir else []
    return CommandLine(options, list(known.overrides), [*config_dirs(), *own])


def applied_overrides(kind: str = "task") -> list[str]:
    """Returns the overrides of this process as typed, without resolving them: of the ``task`` or of ``hydra``."""
    if not HydraConfig.initialized():
        return []
    overrides = OmegaConf.to_container(getattr(HydraConfig.get().overrides, kind), resolve=False)
    return [str(each) for each in overrides] if isinstance(overrides, list) else []


def recipe(overrides: Sequence[str]) -> list[str]:
    """Selects the overrides that describe a run: without files and folders, name, seed, trust and Hydra's own."""
    keys = [override.partition("=")[0].lstrip("+~") for override in overrides]
    left_out = [is_path(key) or key in ("name", "seed", "trust") or key.startswith("hydra") for key in keys]
    return [override for override, is_left_out in zip(overrides, left_out, strict=True) if not is_left_out]


def is_group(key: str, config_dirs: Sequence[Path]) -> bool:
    """Whether a key names a group: a folder of yaml files."""
    return re.fullmatch(r"\w+(/\w+)*", key) is not None and any((folder / key).is_dir() for folder in config_dirs)


def is_deletion(override: Override) -> bool:
    """Whether an override deletes a key: ``~key``."""
    return override.type == OverrideType.DEL


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()
