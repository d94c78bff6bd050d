"""Checks of ``trainer.*``: values that Lightning would accept silently, or fail on without naming the key."""

import re
from typing import TYPE_CHECKING, Protocol

from omegaconf import DictConfig, OmegaConf

from fmcgan.app.checks import is_int, number, whole_number
from fmcgan.app.errors import InvalidValueError, UserError

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

AUTO = "auto"
_PRECISIONS = (AUTO, "32-true", "bf16-mixed")
_MAX_SECONDS = 100 * 365 * 86_400
_TIME = "DD:HH:MM:SS, such as 00:00:10:00 for ten minutes, a number of seconds from 1, or null for no limit"


class Schedulable(Protocol):
    """A GAN whose schedules need the length of the run."""

    def set_total_batches(self, batches: int | None, batch_size: int, /) -> object:
        """Sets the number of batches of the run; ``None`` is unlimited."""


def check_options(trainer: DictConfig) -> None:
    """Refuses invalid options of the Trainer and converts `max_time` to DD:HH:MM:SS."""
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
    limit = trainer.limit_train_batches
    if limit is not None:  # a float is a share of the batches
        upper = {"maximum": 1.0} if isinstance(limit, float) else {}
        number(minimum=1e-9, **upper, **{"trainer.limit_train_batches": limit})
    if trainer.precision not in _PRECISIONS:
        raise UserError(
            f"trainer.precision must be one of {', '.join(_PRECISIONS)}, got {trainer.precision!r} "
            "(16-bit floats need a loss scaler, which manual optimization bypasses)"
        )
    _check_devices(trainer)


def check_run(trainer: "Trainer", gan: Schedulable, data: object) -> None:
    """Refuses a training run whose parts do not fit together; the data need not be loaded, nor the GAN have weights.

    Raises:
        UserError: the batches do not fit the data or the devices, the run has no batches, or a callback lacks another.
    """
    from lightning.pytorch import Callback
    from lightning.pytorch.loggers import Logger

    if getattr(trainer, "overfit_batches", 0):
        raise UserError("trainer.overfit_batches is not supported; use trainer.limit_train_batches")
    _check_world_size(trainer)
    callbacks: list[object] = getattr(trainer, "callbacks", [])  # Lightning does not annotate it
    for kind, parts in ((Callback, callbacks), (Logger, list(trainer.loggers))):
        for part in parts:
            if not isinstance(part, kind):
                raise UserError(f"{kind.__name__.lower()}: {type(part).__name__} is no Lightning {kind.__name__}")
    for callback in callbacks:
        if hasattr(callback, "check"):  # a callback of this project that needs another one
            callback.check(trainer)
    n_train, batch_size = getattr(data, "images_per_epoch", None), getattr(data, "batch_size", 0)
    if n_train is not None:
        gan.set_total_batches(_total_batches(trainer, batch_size, n_train), batch_size)


def _total_batches(trainer: "Trainer", batch_size: int, n_train: int) -> int | None:
    """Returns the number of batches of the run; ``None`` is unlimited."""
    if batch_size > n_train:
        raise UserError(f"data.batch_size must be at most {n_train}, the number of training images, got {batch_size}")
    if batch_size % trainer.world_size:
        devices = f"{trainer.world_size}, the number of devices"
        raise UserError(f"data.batch_size must be divisible by {devices}, got {batch_size}")
    batches, limit = n_train // batch_size, trainer.limit_train_batches
    per_epoch = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if per_epoch == 0:
        raise UserError(f"trainer.limit_train_batches={limit} of {batches} batches leaves none: give a larger share")
    return None if trainer.max_epochs is None or trainer.max_epochs < 0 else trainer.max_epochs * per_epoch


def _check_world_size(trainer: "Trainer") -> None:
    """Refuses a launch whose processes are more or fewer than the devices: batches would be split wrongly."""
    if trainer.world_size != (expected := trainer.num_devices * trainer.num_nodes):
        raise UserError(
            f"the launch has {trainer.world_size} processes for trainer.devices and trainer.num_nodes of {expected};"
            " start one process for each device"
        )


def _check_devices(trainer: DictConfig) -> None:
    devices = trainer.devices
    indices = devices if OmegaConf.is_list(devices) else []
    is_list = len(indices) > 0 and all(is_int(each) and 0 <= each < 10_000 for each in indices)
    is_text = devices == "auto" or (isinstance(devices, str) and devices.isdecimal() and int(devices) > 0)
    if not (is_list or is_text or (is_int(devices) and 1 <= devices < 10_000)):
        allowed = "a whole number of at least 1, a list of devices such as [0,1], or auto"
        raise InvalidValueError(f"trainer.devices must be {allowed}, got {devices!r}")
    if trainer.accelerator in ("gpu", "cuda", "mps"):
        import torch

        available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not any(available.values()) if trainer.accelerator == "gpu" else not available[trainer.accelerator]:
            raise UserError(f"trainer.accelerator={trainer.accelerator} is not available; use trainer=cpu")


def _time_limit(given: object) -> str | None:
    """Converts a time limit to Lightning's DD:HH:MM:SS. A number means seconds."""
    if given is None:
        return None
    if isinstance(given, str):
        if re.fullmatch(r"\d{2,}:\d\d:\d\d:\d\d", given) and given.strip("0:"):
            return given
    elif (is_int(given) or isinstance(given, float)) and 1 <= given < _MAX_SECONDS:
        minutes, seconds = divmod(int(given), 60)
        return f"{minutes // 1440:02}:{minutes // 60 % 24:02}:{minutes % 60:02}:{seconds:02}"
    raise InvalidValueError(f"trainer.max_time must be {_TIME}, got {given!r}")
