"""What is checked of a whole configuration before anything is measured, fetched, written or trained."""

import functools
import re
from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import InvalidValueError, UserError

_MAY_LIE_UNUSED = ("callback", "logger")


def check_shape(config: DictConfig, parts: Iterable[str], groups: Iterable[str]) -> None:
    """Refuses a value where the configuration must hold a part, or several.

    Args:
        config: of a command.
        parts: keys of what is built from a ``_target_``, such as ``network.generator``.
        groups: keys that hold such parts under names of their own, or none, such as ``callback``.

    Raises:
        InvalidValueError: names the key, what was given and what can be chosen.
    """
    _check_instructions(config, "")
    for key in map(functools.partial(_first_wrong, config), parts):
        part = OmegaConf.select(config, key)
        if not isinstance(part, DictConfig) or "_target_" not in part:
            raise InvalidValueError(f"{key} must be a part that can be built{_choices(key)}, got {_plain(part)!r}")
    for key in groups:
        group = config.get(key)
        if not isinstance(group, DictConfig):
            raise InvalidValueError(f"{key} must be a list of options{_choices(key)}, got {_plain(group)!r}")
        for name, part in group.items():
            # An experiment may set values of a callback that was not chosen; they lie there unused.
            if not isinstance(part, DictConfig) or ("_target_" not in part and key not in _MAY_LIE_UNUSED):
                raise InvalidValueError(f"{key}.{name!s} must be a part{_choices(key)}, got {_plain(part)!r}")


def _check_instructions(config: Any, key: str) -> None:
    """Refuses what Hydra cannot follow: ``_target_`` is the dotted name of a class, the others are switches."""
    if isinstance(config, ListConfig):
        for place in range(len(config)):
            _check_instructions(config[place], f"{key}[{place}]")
    if not isinstance(config, DictConfig):
        return
    for name in map(str, config):
        inner, value = f"{key}.{name}".lstrip("."), config._get_node(name)
        if name == "_target_" and not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", str(config[name])):
            raise InvalidValueError(f"{inner} must be the dotted name of a class, got {_plain(config[name])!r}")
        if name in ("_partial_", "_recursive_") and not isinstance(config[name], bool):
            raise InvalidValueError(f"{inner} must be true or false, got {_plain(config[name])!r}")
        if OmegaConf.is_config(value) and not OmegaConf.is_interpolation(config, name):
            _check_instructions(value, inner)


def _first_wrong(config: DictConfig, key: str) -> str:
    """The key itself, or the first one above it that holds no mapping: it is the one that the user wrote over."""
    names = key.split(".")
    above = [".".join(names[:end]) for end in range(1, len(names))]
    return next((each for each in above if not isinstance(OmegaConf.select(config, each), DictConfig)), key)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _choices(key: str) -> str:
    """How a part is chosen: by the group that its key begins with."""
    group = key.partition(".")[0].replace("feature", "metric/feature")
    options = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    return f": choose with {group}= from {', '.join(options)}" if options else ""


def check_run(trainer: Any, gan: Any, data: Any) -> None:
    """Refuses a training run whose parts do not fit together.

    Args:
        trainer: the Trainer.
        gan: the GAN; its weights may be on torch's ``meta`` device, which holds shapes alone.
        data: the data module, before it has loaded anything.

    Raises:
        UserError: the batches do not fit the data or the devices, the run is too short, or a callback lacks another.
    """
    from lightning.pytorch import Callback
    from lightning.pytorch.loggers import Logger

    if trainer.overfit_batches:
        raise UserError("trainer.overfit_batches is not supported; use trainer.limit_train_batches")
    for kind, parts in ((Callback, trainer.callbacks), (Logger, trainer.loggers)):
        for part in parts:
            if not isinstance(part, kind):
                raise UserError(f"{kind.__name__.lower()}: {type(part).__name__} is no Lightning {kind.__name__}")
    for callback in trainer.callbacks:
        if hasattr(callback, "check"):
            callback.check(trainer)
    if (n_train := getattr(data, "n_train", None)) is not None:
        _check_batches(trainer, gan, data.batch_size, n_train)


def _check_batches(trainer: Any, gan: Any, batch_size: int, n_train: int) -> None:
    if batch_size > n_train:
        raise UserError(f"data.batch_size must be at most {n_train}, the number of training images, got {batch_size}")
    if batch_size % trainer.world_size:
        devices = f"{trainer.world_size}, the number of devices"
        raise UserError(f"data.batch_size must be divisible by {devices}, got {batch_size}")
    batches, limit = n_train // batch_size, trainer.limit_train_batches
    in_epoch = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if in_epoch == 0:
        raise UserError(f"trainer.limit_train_batches={limit} of {batches} batches leaves none: give a larger share")
    endless = trainer.max_epochs is None or trainer.max_epochs < 0
    gan.set_total_batches(None if endless else trainer.max_epochs * in_epoch, batch_size)
