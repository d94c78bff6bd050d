"""Errors in one or two lines where the user can mend them, with a stack trace where the program looks at fault."""

import difflib
import re
import traceback
from typing import Any

from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from fmcgan.app import memory
from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.part_types import root_cause, typed_key


def format_error(error: Exception, config: DictConfig | None = None) -> str:
    """An error in one or two lines where the user can mend it, with its stack trace where not.

    Args:
        error: what went wrong.
        config: the composed configuration, which says how the user calls a value that stands in several places.
    """
    message = _explanation(error, config)
    if message is None:
        return f"{''.join(traceback.format_exception(error))}unexpected error: please report it with the lines above"
    return f"error: {message}"


def _explanation(error: BaseException, config: DictConfig | None = None) -> str | None:
    if isinstance(error, UserError) or type(error).__name__ == "MisconfigurationException":
        return str(error)
    if (of_memory := memory.explain(error)) is not None:
        return of_memory
    if isinstance(error, HydraException | OmegaConfBaseException):  # one of them is an OSError too
        return _explain_configuration(error, config)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return None


def _explain_configuration(error: Exception, config: DictConfig | None) -> str | None:
    if isinstance(error, InstantiationException):
        return _explain_instantiation(error, config)
    if isinstance(error, MissingConfigException):
        return _explain_choice(str(error))
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}= is missing; --help shows how to use this command"
    if isinstance(error, InterpolationKeyError) and (feature := re.search(r"'feature\.(\w+)'", str(error))):
        asking = str(error.full_key).rpartition(".")[0]
        return f"{asking} looks through the network {feature[1]}: add it, as in metric/feature=[{feature[1]}]"
    for cause in (error, error.__cause__):
        if isinstance(cause, ConfigKeyError | ConfigAttributeError):
            return _explain_key(cause)
    return str(error).replace("\n", " ")


def _explain_choice(message: str) -> str:
    """Which option of which group does not exist, and which do."""
    wanted = re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", message)
    if wanted is None:
        return message.partition("\n")[0]
    group, option = wanted.groups()
    known = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    close = difflib.get_close_matches(option, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"there is no {group}={option}.{hint} Available: {', '.join(known)}"


def _explain_instantiation(error: InstantiationException, config: DictConfig | None) -> str | None:
    """What a constructor said, with the key whose value it did not accept."""
    text = str(error)
    where = text.rpartition("full_key: ")[2].strip() if "full_key: " in text else "configuration"
    cause = root_cause(error)
    if isinstance(cause, InvalidValueError) and cause.name is not None:
        key = f"{where}.{cause.name}"
        return (key if config is None else typed_key(config, key)) + str(cause).removeprefix(cause.name)
    if isinstance(cause, UserError) and not isinstance(cause, ValueError):
        return str(cause)
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", str(cause)) if isinstance(cause, TypeError) else None
    if unexpected is not None:
        key = f"{where}.{unexpected.group(1)}"
        how = f"leave that out (where an experiment sets it: ~{key}) or choose another one"
        return f"{where}: what was chosen here takes no {unexpected.group(1)}; {how}"
    if text.startswith("Error locating target"):
        return f"{where}: there is no {text.split(chr(39))[1]} that Python can import; look at its spelling"
    if isinstance(cause, ValueError | TypeError | ImportError) or type(cause).__name__ == "MisconfigurationException":
        return f"{where}: {cause}"
    return None if cause is not None else text.replace("\n", " ")


def _explain_key(error: Any) -> str:
    """Which key does not exist, and which do."""
    parent = error.parent_node
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    key = str(error.full_key)
    above, _, name = key.rpartition(".")
    close = [f"{above}.{each}".strip(".") for each in difflib.get_close_matches(name, known, n=1)]
    if group := _group_at(key):
        return f"unknown key {key}: what stands there is chosen by its group, such as {group}@{key}=OPTION"
    if not close and isinstance(parent, DictConfig):
        close = sorted(each for each in _names(parent._get_root()) if each.endswith(f".{key}"))[:4]
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"unknown key {key}.{hint} Known there: {', '.join(sorted(known))}"


def _group_at(key: str) -> str | None:
    """The group whose option a configuration puts at this key."""
    group, _, rest = key.partition(".")
    texts = (path.read_text(encoding="utf-8") for path in (config_dir() / group).glob("*.yaml"))
    found = (re.search(rf"^ +- /([\w/]+)@{re.escape(rest)}:", text, re.MULTILINE) for text in texts)
    return next((each[1] for each in found if each and rest), None)


def _names(node: Any, above: str = "") -> list[str]:
    """All full keys below a configuration."""
    names = []
    for key in node:
        names.append(f"{above}{key}")
        below = node._get_node(key)
        if isinstance(below, DictConfig) and not below._is_none() and not below._is_interpolation():
            names += _names(below, f"{above}{key}.")
    return [name for name in names if not name.startswith("hydra")]
