"""Checks before a run: invalid settings, finished jobs of a sweep, and the checkpoint to resume from."""

import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fmcgan.app import run_dir
from fmcgan.app.checks import path_text, positive_number, seed_number
from fmcgan.app.config_validation import check_shape, parameters_of
from fmcgan.app.distributed import check_launch, is_distributed, is_nonzero_rank
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.app.job_folder import in_sweep
from fmcgan.app.overrides import applied_overrides, key_of, parse
from fmcgan.app.run_dir_claim import holds_run, refuse_overwriting
from fmcgan.app.run_files import Record, leaves_of, read_config, read_result
from fmcgan.app.run_name import check_name
from fmcgan.app.safe_instantiate import own_class, trusted_packages
from fmcgan.app.trainer_options import AUTO, check_options
from fmcgan.data.garments import info_of

log = logging.getLogger(__name__)

_TRAINING_KEYS = ("loss", "penalty", "n_critic", "augment", "regularizer", "training", "seed")
_PARTS = (
    *("data", "network.generator", "network.discriminator", "loss", "penalty"),
    *("augment", "regularizer", "training", "training.schedules", "training.ema", "trainer"),
    *("training.generator_optimizer", "training.discriminator_optimizer"),
)
_GROUPS = ("callback", "logger", "metric", "feature")


def check_config(config: DictConfig) -> None:
    """Refuses settings that Lightning would silently accept, or fail on without naming the key."""
    check_shape(config, _PARTS, _GROUPS)
    seed_number(seed=config.seed)
    trusted_packages(config.trust)
    config.ckpt_path = path_text(ckpt_path=config.ckpt_path)
    config.name = check_name(config.name)
    _set_learning_rates(config)
    trainer = config.trainer
    check_options(trainer)
    space = HydraConfig.get().runtime.choices.get("search") if HydraConfig.initialized() else None
    if space and config.ckpt_path is None and not in_sweep():
        raise UserError(f"search={space} is a search of several runs: add -m")
    devices = trainer.devices, trainer.get("num_nodes", 1)
    check_launch(*devices)
    if is_distributed(*devices) and trainer.strategy == "auto":
        raise UserError(f"trainer.devices={trainer.devices} needs trainer=ddp (each device is one process)")
    if is_distributed(*devices) and in_sweep():
        raise UserError("several devices do not work inside a sweep (-m): each process would start the whole sweep")
    lasting = _lasting_schedules(config)
    if lasting and trainer.max_time is not None and trainer.max_epochs != -1:
        log.warning(
            "schedules %s end after trainer.max_epochs=%s; if trainer.max_time=%s ends the run earlier, they do not"
            " reach their end_value (training.schedules.%s.end_images=IMAGES ends one earlier)",
            *(", ".join(lasting), trainer.max_epochs, trainer.max_time, lasting[0]),
        )


def _set_learning_rates(config: DictConfig) -> None:
    """Gives both optimizers the learning rate ``lr``, unless it is ``None``."""
    if config.lr is None:
        return
    positive_number(lr=config.lr)
    keys = [f"training.{network}_optimizer.lr" for network in ("generator", "discriminator")]
    given = {key_of(parse(text)) for text in applied_overrides()}
    for key in keys:
        if key in given:
            raise UserError(f"lr sets both learning rates, and {key} is given too: leave one out")
        OmegaConf.update(config, key, config.lr)


def _lasting_schedules(config: DictConfig | Record) -> list[str]:
    """Returns the names of the schedules that change until the end of the run."""
    schedules = config["training"]["schedules"].items()
    named = [(name, each) for name, each in schedules if isinstance(each, Mapping | DictConfig) and "_target_" in each]
    return [
        name
        for name, each in named
        if each.get("end_images") is None and each.get("start_value") != each.get("end_value")
    ]


def already_done(config: Record) -> bool:
    """Whether an earlier start of the same sweep finished this job.

    Raises:
        UserError: the job's folder holds a run of another configuration, or its files are damaged.
    """
    folder = Path(config["trainer"]["default_root_dir"])
    saved, result = read_config(folder / run_dir.CONFIG), read_result(folder / run_dir.RESULT)
    if saved is not None and holds_run(folder) and not _is_same_run(saved, config):
        raise UserError(
            f"{os.path.relpath(folder)} holds a run of another configuration; choose another hydra.sweep.dir"
        )
    done = result is not None and result["status"] == "finished"
    if not done and saved is None and holds_run(folder) and not (folder / run_dir.LAST_CHECKPOINT).is_file():
        raise UserError(f"{os.path.relpath(folder)} holds another run; choose another hydra.sweep.dir")
    if done:
        log.info("already finished, skipped: %s", os.path.relpath(folder))
    return done


_OF_THE_START = ("name", "lr", "ckpt_path", "logger", "objective", "trust")  # the optimizers have the learning rates


def _is_same_run(saved: Record, config: Record) -> bool:
    """Whether two configurations are equal but for `_OF_THE_START`, data folders and new defaults."""
    ignored = dict.fromkeys(_OF_THE_START)
    left, right = (
        {**each, **ignored, "data": each.get("data", {}) | {"root": None, "mirror": None}} for each in (saved, config)
    )
    known = left["data"].keys()
    right["data"] = {key: value for key, value in right["data"].items() if key in known or not _is_unset(key, value)}
    if config["trainer"]["precision"] == AUTO:
        left["trainer"] = left.get("trainer", {}) | {"precision": AUTO}
    if left == right:
        return True
    if "dataset" not in saved and not info_of(saved).differences(info_of(config)):  # of an older release
        left["dataset"] = config["dataset"]
    return _with_defaults(left) == _with_defaults(right)


def _is_unset(key: str, value: object) -> bool:
    """Whether an option of the data, which an older release did not have, leaves them as they were."""
    if isinstance(value, Mapping):
        return all(_is_unset(str(name), each) for name, each in value.items())
    return value is None or key in ("_target_", "seed", "resize", "aspect", "epoch_images")


def find_resume_checkpoint(config: DictConfig, plain: Record) -> str | None:
    """Returns the checkpoint to resume from; in a restarted sweep, that of the interrupted job.

    Raises:
        UserError: it is missing, damaged, or of other networks; or the folder holds another run.
    """
    folder = Path(config.trainer.default_root_dir)
    if not in_sweep() and not is_nonzero_rank(config.trainer.devices, config.trainer.get("num_nodes", 1)):
        refuse_overwriting(folder, config.ckpt_path)
    unfinished = folder / run_dir.LAST_CHECKPOINT
    path = config.ckpt_path or (str(unfinished) if in_sweep() and unfinished.is_file() else None)
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"ckpt_path={path}: no such file; give RUN/checkpoints/last.ckpt")
    config_of_checkpoint = _read(Path(path), folder)["config"]
    if difference := info_of(config_of_checkpoint).differences(info_of(plain)):
        raise UserError(f"the checkpoint was trained on another data set: {printable(difference, 2000)}")
    _check_same_state(config_of_checkpoint, plain)
    saved, mine = _with_defaults(config_of_checkpoint["network"]), _with_defaults(plain["network"])
    differing = [name for name in {**saved, **mine} if saved.get(name) != mine.get(name)]
    values = [
        f"network.{name}={mine.get(name)} (checkpoint: {saved.get(name)})"
        for name in differing
        if not isinstance(saved.get(name), dict) or len(differing) < 3  # nested values repeat those above
    ]
    if differing:
        raise UserError(
            f"the networks of the checkpoint differ from those of this run: {printable('; '.join(values), 2000)}.\n"
            "Omit these values to use those of the checkpoint."
        )
    _warn_of_changed_settings(config_of_checkpoint, plain)
    _warn_of_changed_length(config_of_checkpoint, plain)
    return str(path)


def _read(path: Path, folder: Path) -> Record:
    """Reads the checkpoint of a run. The error of a damaged one says how to continue the run."""
    from fmcgan.training.checkpoint_file import read_checkpoint

    try:
        return read_checkpoint(path, for_resume=True)
    except UserError as error:
        best = folder / run_dir.BEST_CHECKPOINT
        advice = []
        if best.is_file() and best != path.absolute():
            advice += [f"copy {os.path.relpath(best)} over it to resume from there"]
        if in_sweep():
            advice += ["remove it to restart this job"]
        raise UserError(f"{error}\nTo continue: {', or '.join(advice)}." if advice else str(error)) from error


def _warn_of_changed_settings(saved: Record, mine: Record) -> None:
    """Warns of changed settings that affect training, except settings that the checkpoint lacks."""
    before, now = (leaves_of({group: config.get(group) for group in _TRAINING_KEYS}) for config in (saved, mine))
    changed = [f"{name}={now.get(name)} (checkpoint: {old})" for name, old in before.items() if now.get(name) != old]
    if changed:
        log.warning("resuming with changed settings: %s", printable(", ".join(changed), 2000))


def _warn_of_changed_length(saved: Record, mine: Record) -> None:
    lengths = (("trainer", "max_epochs"), ("trainer", "limit_train_batches"), ("data", "batch_size"))
    values = [(f"{group}.{name}", saved[group].get(name), mine[group][name]) for group, name in lengths]
    changed = [f"{key}={now} (checkpoint: {before})" for key, before, now in values if before != now]
    if changed and (lasting := _lasting_schedules(mine)):
        log.warning(
            "%s: schedules %s depend on the length of the run, so their values are not those at the checkpoint",
            *(", ".join(changed), ", ".join(lasting)),
        )


def _with_defaults(part: Record) -> Record:
    """Adds the defaults of parameters that an older release did not have, to all objects of a configuration."""
    target = own_class(part.get("_target_"), "fmcgan.")  # a user's own class must not be imported by a file
    parameters = parameters_of(target).values() if target else ()
    defaults = {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}
    return defaults | {name: _with_defaults(each) if isinstance(each, dict) else each for name, each in part.items()}


def _check_same_state(saved: Record, mine: Record) -> None:
    """Refuses optimizers, augmentations and regularizers of another class than the checkpoint's state."""
    parts = ("augment", "regularizer", "training.generator_optimizer", "training.discriminator_optimizer")
    for part in parts:
        targets = [printable(str(leaves_of(config).get(f"{part}._target_"))) for config in (saved, mine)]
        name, before, now = (text.rpartition(".")[2] for text in (part, *targets))
        if before != now:
            raise UserError(
                f"the checkpoint was trained with the {name} {before}, this run has {now}.\n"
                "Omit it to use that of the checkpoint."
            )
