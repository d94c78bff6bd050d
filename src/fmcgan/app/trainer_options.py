"""Checks of ``trainer.*``: what Lightning would accept in silence, or fail on without a word about the key."""

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fmcgan.app.checks import number, whole_number
from fmcgan.app.errors import InvalidValueError, UserError

AUTO = "auto"
_PRECISIONS = (AUTO, "32-true", "bf16-mixed")
_LONGEST = 100 * 365 * 86_400  # seconds
_TIME = "DD:HH:MM:SS, such as 00:00:10:00 for ten minutes, a number of seconds from 1, or null for no limit"


def check_options(trainer: DictConfig) -> None:
    """Refuses options of the Trainer that cannot be meant; `max_time` is brought into one form.

    Raises:
        UserError: names the key, what was given and what is allowed.
    """
    if not isinstance(trainer.default_root_dir, str) or not trainer.default_root_dir:
        raise InvalidValueError(f"trainer.default_root_dir must be a folder, got {trainer.default_root_dir!r}")
    plugins = trainer.get("plugins")
    if plugins is not None and not (OmegaConf.is_list(plugins) and all(OmegaConf.is_dict(each) for each in plugins)):
        raise InvalidValueError(f"trainer.plugins must be a list of parts, or null for none, got {plugins!r}")
    trainer.max_time = _time_limit(trainer.max_time)
    if trainer.max_epochs == -1 and trainer.max_time is None:
        raise UserError("trainer.max_epochs=-1 (no limit) needs trainer.max_time, such as 00:00:10:00 (DD:HH:MM:SS)")
    if trainer.max_epochs != -1:
        whole_number(minimum=1, maximum=1_000_000, **{"trainer.max_epochs": trainer.max_epochs})
    if trainer.limit_train_batches is not None:
        _check_limit(trainer.limit_train_batches)
    if trainer.precision not in _PRECISIONS:
        raise UserError(
            f"trainer.precision must be one of {', '.join(_PRECISIONS)}, got {trainer.precision!r} "
            "(16-bit floats need a loss scaler, which optimisation by hand bypasses)"
        )
    _check_devices(trainer)


def _check_limit(limit: Any) -> None:
    key = {"trainer.limit_train_batches": limit}
    if isinstance(limit, float):
        number(minimum=1e-9, maximum=1, **key)  # a share of the batches
    else:
        number(minimum=1e-9, **key)


def _check_devices(trainer: DictConfig) -> None:
    devices = trainer.devices
    is_list = OmegaConf.is_list(devices) and len(devices) and all(_is_count(each, 0) for each in devices)
    is_text = devices == "auto" or (isinstance(devices, str) and devices.isdecimal() and int(devices) > 0)
    if not (is_list or is_text or _is_count(devices, 1)):
        allowed = "a whole number of at least 1, a list of devices such as [0,1], or auto"
        raise InvalidValueError(f"trainer.devices must be {allowed}, got {devices!r}")

    if trainer.accelerator in ("gpu", "cuda", "mps"):
        import torch

        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not any(there.values()) if trainer.accelerator == "gpu" else not there[trainer.accelerator]:
            raise UserError(f"trainer.accelerator={trainer.accelerator} is not there; trainer=cpu trains without one")


def _is_count(value: Any, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value < 10_000


def _time_limit(given: Any) -> str | None:
    """The time in the form that Lightning and the record of the run read alike; a number means seconds."""
    if given is None:
        return None
    if isinstance(given, str):
        if re.fullmatch(r"\d{2,}:\d\d:\d\d:\d\d", given) and given.strip("0:"):
            return given
    elif isinstance(given, int | float) and not isinstance(given, bool) and 1 <= given < _LONGEST:
        minutes, seconds = divmod(int(given), 60)
        return f"{minutes // 1440:02}:{minutes // 60 % 24:02}:{minutes % 60:02}:{seconds:02}"
    raise InvalidValueError(f"trainer.max_time must be {_TIME}, got {given!r}")
