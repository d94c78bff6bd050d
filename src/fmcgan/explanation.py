"""Errors in a person's words: a line or two for what a person can mend, a stack trace for what looks like our fault."""

import difflib
import re
import traceback
from typing import Any

from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from fmcgan.app import memory
from fmcgan.config_dir import config_dir
from fmcgan.errors import UserError


def told(error: Exception) -> str:
    """An error in one or two lines where it is a person's to mend, with its stack trace where it is not."""
    message = _explanation(error)
    if message is None:
        return f"{''.join(traceback.format_exception(error))}unexpected error: please report it with the lines above"
    return f"error: {message}"


def _explanation(error: BaseException) -> str | None:
    if isinstance(error, UserError) or type(error).__name__ == "MisconfigurationException":
        return str(error)
    if (of_memory := memory.explain(error)) is not None:
        return of_memory
    if isinstance(error, HydraException | OmegaConfBaseException):  # one of them is an OSError too
        return _explain_configuration(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return None


def _explain_configuration(error: Exception) -> str | None:
    if isinstance(error, InstantiationException):
        return _explain_instantiation(error)
    if isinstance(error, MissingConfigException):
        return _explain_choice(str(error))
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}= is missing; --help shows how to use this command"
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


def _explain_instantiation(error: InstantiationException) -> str | None:
    """What a constructor said, with the key whose value it did not accept."""
    text = str(error)
    where = text.rpartition("full_key: ")[2].strip() if "full_key: " in text else "configuration"
    cause: BaseException | None = error.__cause__
    while isinstance(cause, InstantiationException):
        cause = cause.__cause__
    if isinstance(cause, UserError) and not isinstance(cause, ValueError):
        return str(cause)
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", str(cause)) if isinstance(cause, TypeError) else None
    if unexpected is not None:
        key = f"{where}.{unexpected.group(1)}"
        how = f"leave that out (where an experiment sets it: ~{key}) or choose another one"
        return f"{where}: what was chosen here takes no {unexpected.group(1)}; {how}"
    if isinstance(cause, ValueError | TypeError) or type(cause).__name__ == "MisconfigurationException":
        return f"{where}: {cause}"
    return None if cause is not None else text.replace("\n", " ")


def _explain_key(error: Any) -> str:
    """Which key does not exist, and which do."""
    parent = error.parent_node
    known = [str(key) for key in parent] if isinstance(parent, DictConfig) else []
    key = str(error.full_key)
    close = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
    hint = f" Did you mean {key.rpartition('.')[0] + '.' if '.' in key else ''}{close[0]}?" if close else ""
    return f"unknown key {key}.{hint} Known there: {', '.join(sorted(known))}"
