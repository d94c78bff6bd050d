"""Checks overrides after composition: unknown keys, and values where a group's option is needed."""

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from fmcgan.app.config_validation import has_target, parameters_of
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.app.overrides import INSTANTIATE_KEYS, applied_overrides, is_deletion, key_of, parse

_UNSUPPORTED = {
    "trainer.max_steps": "Lightning counts each optimizer's steps; trainer.max_epochs or trainer.max_time ends a run",
    "trainer.min_steps": "Lightning counts each optimizer's steps; trainer.max_epochs sets the length of a run",
    "trainer.accumulate_grad_batches": "Lightning refuses it for several optimizers; data.batch_size sets the batch",
    "trainer.callbacks": "callback=[...] chooses the callbacks",
    "trainer.logger": "logger=[...] chooses the loggers",
    "trainer.enable_checkpointing": "the callback checkpointing saves checkpoints",
    "trainer.fast_dev_run": "trainer.max_epochs=1 trainer.limit_train_batches=1 is a short run",
    "trainer.sync_batchnorm": "batch normalization always uses the whole batch of all devices",
    "trainer.log_every_n_steps": "callback.metrics_logger.every_n_batches sets how often metrics are logged",
    **dict.fromkeys(
        (f"trainer.{each}" for each in ("val_check_interval", "check_val_every_n_epoch", "limit_val_batches")),
        "there is no validation loop; the callback evaluation computes the metrics",
    ),
    "trainer.gradient_clip_val": "Lightning refuses it for several optimizers; use training.generator_clip",
}
_COLLECTIONS = ("callback", "logger", "metric", "analysis", "feature")  # groups whose entries may have any name
_MISSING = object()


def check_composed(config: DictConfig) -> None:
    """Refuses overrides without effect or with an unintended one. The `UserError` says what to write instead."""
    overrides = [parse(text) for text in applied_overrides()]
    for override in overrides:
        if override.is_add() or override.is_force_add():
            _check_added(override, config, overrides)
        if not is_deletion(override):
            _check_option(override)


def _check_option(override: Override) -> None:
    """Refuses ``training.generator_optimizer=rmsprop``: a text would replace the configuration of an object."""
    value, key = override.value(), key_of(override)
    if isinstance(value, dict | None):
        return
    for choice in HydraConfig.get().runtime.choices:
        if choice.endswith(f"@{key}"):
            raise UserError(f"{key} is chosen by its group: {choice}={printable(str(value))}")


def _check_added(override: Override, config: DictConfig, overrides: list[Override]) -> None:
    """Refuses an unknown key. Parameters of an instantiated class can be added."""
    key = (override.package or override.key_or_group).replace("/", ".")
    if reason := _UNSUPPORTED.get(key):
        raise UserError(f"{key} is not supported: {reason}")
    if OmegaConf.select(config, key, throw_on_missing=False, default=_MISSING) is _MISSING:
        return  # an option with an ``@package``
    base = _composed_without_additions(overrides)
    if not _is_known(key, config, base):
        parent = key.rpartition(".")[0]
        while parent and OmegaConf.select(base, parent) is None:
            parent = parent.rpartition(".")[0]
        known = ", ".join(sorted(map(str, OmegaConf.select(base, parent) if parent else base)))
        raise UserError(f"unknown key {key}: nothing reads it, so it cannot be added. Known there: {known}")


def _is_known(key: str, config: DictConfig, base: DictConfig) -> bool:
    if OmegaConf.select(base, key, default=_MISSING) is not _MISSING:
        return True
    parent, _, name = key.rpartition(".")
    if not parent:
        return False
    if parent in _COLLECTIONS and parent in base and has_target(OmegaConf.select(config, key)):
        return True
    if not _is_known(parent, config, base):
        return False
    while parent and not has_target(OmegaConf.select(config, parent)):
        parent, _, name = parent.rpartition(".")  # inside a dictionary that is an argument
    return bool(parent) and _accepts(OmegaConf.select(config, parent)["_target_"], name)


def _accepts(target: str, name: str) -> bool:
    if name in INSTANTIATE_KEYS:
        return True
    try:
        parameters = parameters_of(get_object(target))
    except (ImportError, AttributeError, ValueError, TypeError):
        return True  # its instantiation raises a better error
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _composed_without_additions(overrides: list[Override]) -> DictConfig:
    remaining = [str(each.input_line) for each in overrides if not (each.is_add() or each.is_force_add())]
    remaining += [text for text in applied_overrides("hydra") if text.startswith("hydra.searchpath=")]
    loader = GlobalHydra.instance().config_loader()
    config = loader.load_configuration(HydraConfig.get().job.config_name, remaining, RunMode.RUN, from_shell=False)
    OmegaConf.set_struct(config, False)
    return config
