"""The name of a run or a sweep, ``name=``, which also names its folder."""

import re
from collections.abc import Mapping

from hydra.core.override_parser.types import Override, Sweep

from fmcgan.app.checks import is_int
from fmcgan.app.errors import InvalidValueError

_RESERVED = ("last", "best", "multirun")  # names of checkpoints, and of the folder of the sweeps


def check_name(name: object) -> str | None:
    """Checks the name of a run and returns it as a text; ``None`` for a run without one.

    Raises:
        InvalidValueError: it cannot name a folder and a checkpoint.
    """
    text = str(name) if is_int(name) else name
    if text is None:
        return None
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_][\w.-]{0,99}", text, re.ASCII) or text in _RESERVED:
        raise InvalidValueError(
            "name must have letters, digits, dots, hyphens and underscores, begin with a letter, a digit or an"
            f" underscore, and not be {', '.join(_RESERVED[:-1])} or {_RESERVED[-1]}, got {name!r}"
        )
    return text


def folder_overrides(parsed: Mapping[str, Override]) -> list[str]:
    """Returns overrides that name the folders of a run and of a sweep, unless these are given too.

    Args:
        parsed: the overrides of the command line by their keys.
    """
    value = parsed["name"].value() if "name" in parsed else None
    if isinstance(value, Sweep):
        raise InvalidValueError("name is of the whole sweep and has one value; its jobs have their own folders in it")
    name = check_name(value)
    folders = {"hydra.run.dir": f"outputs/{name}", "hydra.sweep.dir": f"outputs/multirun/{name}"}
    return [] if name is None else [f"{key}={folder}" for key, folder in folders.items() if key not in parsed]
