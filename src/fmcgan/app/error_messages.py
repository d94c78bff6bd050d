"""Formats errors: one or two lines if the user can correct them, else with a stack trace."""

import difflib
import re
import traceback
from collections.abc import Sequence

import yaml
from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from fmcgan.app import memory
from fmcgan.app.config_dir import config_dirs, option_names
from fmcgan.app.config_validation import root_cause, typed_key
from fmcgan.app.errors import InvalidValueError, UserError


def format_error(error: Exception, config: DictConfig | None = None) -> str:
    """Formats an error of a command, beginning with ``error: `` unless it is unexpected.

    Given the composed configuration, the message names the key that the user sets, also for an interpolated value.
    """
    if (message := _user_message(error, config)) is not None:
        return f"error: {message}"
    return f"{''.join(traceback.format_exception(error))}unexpected error: please report it with the lines above"


def _user_message(error: Exception, config: DictConfig | None) -> str | None:
    if isinstance(error, UserError) or type(error).__name__ == "MisconfigurationException":
        return str(error)
    if (failed_allocation := memory.format_allocation_error(error)) is not None:
        return failed_allocation
    if isinstance(error, HydraException | OmegaConfBaseException):  # one of them is an OSError too
        return _config_message(error, config)
    if isinstance(error, yaml.YAMLError):  # its text names file and line
        return f"a yaml file cannot be read: {' '.join(str(error).split())}"
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return None


def _config_message(error: Exception, config: DictConfig | None) -> str | None:
    if isinstance(error, InstantiationException):
        return _constructor_message(error, config)
    if isinstance(error, MissingConfigException):
        return _unknown_option_message(str(error))
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}= is missing; --help shows how to use this command"
    if isinstance(error, InterpolationKeyError) and (feature := re.search(r"'feature\.(\w+)'", str(error))):
        user = str(error.full_key).rpartition(".")[0]
        return f"{user} needs the feature network {feature[1]}: add it, as in metric/feature=[{feature[1]}]"
    if (of_resolver := _resolver_message(error, config)) is not None:
        return of_resolver
    for cause in (error, error.__cause__):
        if isinstance(cause, ConfigKeyError | ConfigAttributeError):
            return _unknown_key_message(cause)
    return str(error).replace("\n", " ")


def _resolver_message(error: Exception, config: DictConfig | None) -> str | None:
    """Formats the error of a resolver, such as that of ``dataset``, which OmegaConf wraps several times."""
    inner: BaseException | None = error
    while isinstance(inner, InterpolationResolutionError):
        inner = inner.__context__
    return _user_message(inner, config) if inner is not error and isinstance(inner, Exception) else None


def _unknown_option_message(message: str) -> str:
    wanted = re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", message)
    if wanted is None:
        return message.partition("\n")[0]
    group, option = wanted.groups()
    return unknown_option(group, option, option_names(group))


def unknown_option(group: str, option: str, known: Sequence[str]) -> str:
    """Formats the error of an option that does not exist, with a similar one and all known ones."""
    close = difflib.get_close_matches(option, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"there is no {group}={option}.{hint} Available: {', '.join(known)}"


def _constructor_message(error: InstantiationException, config: DictConfig | None) -> str | None:
    text = str(error)
    where = text.rpartition("full_key: ")[2].strip() if "full_key: " in text else "configuration"
    cause = root_cause(error)
    if isinstance(cause, InvalidValueError) and cause.name is not None:
        key = f"{where}.{cause.name}"
        return (key if config is None else typed_key(config, key)) + str(cause).removeprefix(cause.name)
    if isinstance(cause, UserError) and not isinstance(cause, ValueError):
        return str(cause)
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", str(cause))
    if isinstance(cause, TypeError) and unexpected:
        key = f"{where}.{unexpected.group(1)}"
        how = f"leave it out (if an experiment sets it: ~{key}) or choose another option"
        return f"{where}: the chosen option has no parameter {unexpected.group(1)}; {how}"
    if text.startswith("Error locating target"):
        return f"{where}: Python cannot import {text.split(chr(39))[1]}; {_import_advice(cause)}"
    if isinstance(cause, ValueError | TypeError | ImportError) or type(cause).__name__ == "MisconfigurationException":
        return f"{where}: {cause}"
    return None if cause is not None else text.replace("\n", " ")


def _import_advice(error: BaseException | None) -> str:
    """Says why a class cannot be imported: the error of its own module, if it has one."""
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ModuleNotFoundError | AttributeError | None):
        return "check its spelling"
    return f"its module raises {type(error).__name__}: {' '.join(str(error).split())}"


def _unknown_key_message(error: ConfigKeyError | ConfigAttributeError) -> str:
    parent = error.parent_node
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    key = str(error.full_key)
    above, _, name = key.rpartition(".")
    close = [f"{above}.{each}".strip(".") for each in difflib.get_close_matches(name, known, n=1)]
    if group := _group_at(key):
        return f"unknown key {key}: select this object by its group, {group}@{key}=OPTION"
    if not close and isinstance(parent, DictConfig):
        close = sorted(each for each in _full_keys(parent._get_root()) if each.endswith(f".{key}"))[:4]
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"unknown key {key}.{hint} Known there: {', '.join(sorted(known))}"


def _group_at(key: str) -> str | None:
    """Returns the group whose option defines the node of this key."""
    group, _, rest = key.partition(".")
    paths = (path for folder in config_dirs() for path in (folder / group).glob("*.yaml"))
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
    found = (re.search(rf"^ +- /([\w/]+)@{re.escape(rest)}:", text, re.MULTILINE) for text in texts)
    return next((each[1] for each in found if each and rest), None)


def _full_keys(node: object, above: str = "") -> list[str]:
    """Returns all keys below a configuration, joined by dots, without those of Hydra."""
    if not isinstance(node, DictConfig):
        return []
    keys: list[str] = []
    for key in map(str, node):
        keys.append(f"{above}{key}")
        below = node._get_node(key)
        if isinstance(below, DictConfig) and not below._is_none() and not below._is_interpolation():
            keys += _full_keys(below, f"{above}{key}.")
    return [key for key in keys if not key.startswith("hydra")]
