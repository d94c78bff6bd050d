"""``python -m fmcgan.train``: trains one class-conditional GAN."""

import functools
import logging
import os
import signal
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from fmcgan.app import run_dir
from fmcgan.app.dataset import dataset_of
from fmcgan.app.distributed import cluster_environment, is_distributed, is_nonzero_rank
from fmcgan.app.errors import Pruned
from fmcgan.app.hydra_app import run_command
from fmcgan.app.job_folder import in_sweep
from fmcgan.app.overrides import applied_overrides, key_of, parse
from fmcgan.app.renamed import upgrade_composed
from fmcgan.app.resume import AUTO, already_done, check_config, find_resume_checkpoint
from fmcgan.app.run_files import Record
from fmcgan.app.run_lock import locked
from fmcgan.app.sweep_precision import shared_precision

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from fmcgan.data.datamodule import ImageDataModule
    from fmcgan.training.gan import ConditionalGAN

log = logging.getLogger(__name__)


def train(config: DictConfig) -> float | list[float] | None:
    """Trains one GAN, logs where the results are and returns the values of ``objective=``, which a search optimizes.

    Raises `UserError` for an invalid setting, file or folder; `Interrupted` after a signal, with a saved checkpoint.
    """
    upgrade_composed(config, [key_of(parse(each)) for each in applied_overrides()])
    check_config(config)
    config.dataset = dataset_of(config.data, config.seed)
    plain: Record = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    del plain["trust"]  # of this command, not of the run
    if in_sweep() and already_done(plain):
        return _objective(config)
    validate(config)
    own = not is_nonzero_rank(config.trainer.devices, config.trainer.get("num_nodes", 1))
    with locked(Path(config.trainer.default_root_dir)) if own else nullcontext():
        if not (in_sweep() and already_done(plain)):  # another process may have finished it meanwhile
            _train(config, plain)
    return _objective(config)


def _train(config: DictConfig, plain: Record) -> None:
    from fmcgan.callback.run_info import RunInfo
    from fmcgan.callback.trainer import callbacks_of

    checkpoint = find_resume_checkpoint(config, plain)
    if config.trainer.precision == AUTO:
        config.trainer.precision = plain["trainer"]["precision"] = _precision(plain, checkpoint)
    trainer, gan, data = build(config)
    if checkpoint is not None:
        from fmcgan.training.checkpoint_file import check_resumable

        check_resumable(Path(checkpoint), gan)
    records = callbacks_of(trainer, RunInfo)
    for record in records:
        record.configure(plain)
    folder = Path(trainer.default_root_dir)
    log.info("run folder: %s", os.path.relpath(folder))
    _fit(trainer, gan, data, checkpoint)
    if trainer.is_global_zero:
        for record in records:
            result = record.write_result(trainer, gan)
            _write_pages(folder)
            _log_results(folder, result)


def _fit(trainer: "Trainer", gan: "ConditionalGAN", data: "ImageDataModule", checkpoint: str | None) -> None:
    """Trains. Raises `Pruned` if a search stopped the run: it has no result."""
    from fmcgan.callback.pruning import Pruning
    from fmcgan.callback.trainer import callbacks_of

    try:
        trainer.fit(gan, data, ckpt_path=checkpoint, weights_only=True)
    except BaseException:
        if trainer.strategy.launcher is not None:  # else the other devices wait for this one
            trainer.strategy.launcher.kill(signal.SIGKILL)
        raise
    for callback in callbacks_of(trainer, Pruning):
        if callback.pruned:
            raise Pruned(callback.pruned)


def _objective(config: DictConfig) -> float | list[float] | None:
    """Returns the values that a search optimizes."""
    if config.objective is None:
        return None
    from fmcgan.search.objective import objective_values

    return objective_values(config.objective, Path(config.trainer.default_root_dir))


def validate(config: DictConfig) -> None:
    """Checks values and memory of a configuration before anything is downloaded, written or trained.

    Builds everything once, with networks on torch's meta device, so that every constructor checks its values. Raises
    `UserError` if a value is invalid, a network does not fit the data set, or the run does not fit into memory.
    """
    from fmcgan.app import memory
    from fmcgan.app.config_validation import types_checked
    from fmcgan.app.device import check_device
    from fmcgan.app.trainer_options import check_run
    from fmcgan.callback.evaluation import Evaluation
    from fmcgan.callback.trainer import callbacks_of
    from fmcgan.search.objective import check_objective
    from fmcgan.training.network_check import check_networks
    from fmcgan.training.precision import suppress_warnings

    trial: DictConfig = OmegaConf.merge(config, {})  # type: ignore[assignment]
    trial.trainer.precision = "32-true" if config.trainer.precision == AUTO else config.trainer.precision
    with types_checked(trial), suppress_warnings():
        trainer, gan, data = build(trial, weights=False)
    device = trainer.strategy.root_device
    check_device(device, f"{device}, the device of trainer.accelerator={trial.trainer.accelerator},", "use trainer=cpu")
    check_run(trainer, gan, data)
    check_objective(config.objective, [each.value_names(data.info) for each in callbacks_of(trainer, Evaluation)])
    check_networks(gan.generator, gan.discriminator, data.info, device)
    if device.type == "cpu":  # on a GPU, torch reports a lack of memory
        memory.check_training(gan.generator, gan.discriminator, trial.data.batch_size, trial.trainer.precision)


def build(config: DictConfig, weights: bool = True) -> tuple["Trainer", "ConditionalGAN", "ImageDataModule"]:
    """Builds trainer, GAN and data. With ``weights=False`` the networks have shapes but no values (meta device)."""
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything
    from lightning.pytorch.callbacks import Checkpoint

    from fmcgan.callback.metrics_logger import MetricsLogger
    from fmcgan.callback.pruning import pruning_callbacks

    _quieten_lightning()
    seed_everything(config.seed, verbose=False)
    data = instantiate(config.data)
    gan = _build_gan(config, weights)
    # An experiment may set values of a callback that was not chosen: such a node has no _target_.
    callbacks, loggers = (
        [instantiate(node) for node in group.values() if "_target_" in node]
        for group in (config.callback, config.logger)
    )
    if weights:
        callbacks += pruning_callbacks(config.objective)
    callbacks.sort(key=lambda callback: not isinstance(callback, MetricsLogger))  # first: it times the step alone
    has_checkpoint = any(isinstance(callback, Checkpoint) for callback in callbacks)  # else Lightning adds its own
    options = {"callbacks": callbacks, "logger": loggers, "enable_checkpointing": has_checkpoint}
    return _trainer(config.trainer, **options), gan, data


def _trainer(config: DictConfig, **options: Any) -> "Trainer":
    from hydra.utils import instantiate

    environment = cluster_environment(config.devices, config.get("num_nodes", 1))
    plugins = [*(instantiate(each) for each in config.plugins or []), *environment]
    return instantiate(config, plugins=plugins, **options)


def _build_gan(config: DictConfig, weights: bool = True) -> "ConditionalGAN":
    import torch
    from hydra.utils import instantiate

    parts = {"generator": config.network.generator, "discriminator": config.network.discriminator}
    parts |= {"loss": config.loss, "penalty": config.penalty}
    parts |= {"augmentation": config.augment, "regularizer": config.regularizer}
    built = {}
    for name, part in parts.items():
        on_meta = not weights and part._target_.startswith("fmcgan.")  # a user's own class may need values
        with torch.device("meta") if on_meta else nullcontext():
            built[name] = instantiate(part)
    if not hasattr(built["generator"], "num_classes"):  # a user's own class need not have it
        built["generator"].num_classes = config.dataset.num_classes
    return instantiate(config.training, **built)


def _precision(config: Record, checkpoint: str | None) -> str:
    """Resolves `trainer.precision=auto`: that of the checkpoint, fp32 on several devices, else the faster one."""
    if checkpoint is not None:
        from fmcgan.training.checkpoint_file import read_checkpoint

        precision = str(read_checkpoint(Path(checkpoint))["config"]["trainer"]["precision"])
        log.info("precision: %s, from the checkpoint", precision)
        return precision
    if is_distributed(config["trainer"]["devices"], config["trainer"].get("num_nodes", 1)):
        log.info("precision: 32-true (auto measures no other on several devices)")
        return "32-true"
    relevant = {name: config[name] for name in ("dataset", "network", "loss", "penalty", "augment", "regularizer")}
    relevant["batch_size"] = config["data"]["batch_size"]
    no_schedules = {"_target_": "fmcgan.training.schedules.Schedules"}  # schedules do not change the speed
    relevant["training"] = config["training"] | {"seed": 0, "schedules": no_schedules}
    relevant["trainer"] = config["trainer"] | {"default_root_dir": None}
    return shared_precision(OmegaConf.to_yaml(relevant), lambda: _measured_precision(relevant))


def _measured_precision(relevant: Record) -> str:
    from fmcgan.data.info import DatasetInfo
    from fmcgan.training.precision import faster_precision

    _quieten_lightning()
    config = OmegaConf.create(relevant)
    info = DatasetInfo.from_config(relevant["dataset"])
    trainer = functools.partial(_trainer, config.trainer)
    return faster_precision(lambda: _build_gan(config), trainer, config.batch_size, info)


def _quieten_lightning() -> None:
    """Hides Lightning's tips and advice."""
    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _write_pages(folder: Path) -> None:
    """Writes the home page of the run and the list of runs."""
    from fmcgan.comparison.run_list import update_run_list
    from fmcgan.report.home import update_home

    update_home(folder)
    update_run_list(folder)


def _log_results(folder: Path, result: Record) -> None:
    from fmcgan.metric.results import as_text
    from fmcgan.report.home import commands

    scores = [f"  {as_text(name, score)}" for name, score in result["scores"].items()]
    minutes = result["training_seconds"] / 60
    log.info("\ndone: %s images in %.1f minutes of training", f"{result['images_seen']:,}", minutes)
    if scores:
        log.info("scores (%s):\n%s", os.path.relpath(folder / run_dir.RESULT), "\n".join(scores))
    best = result["best"]
    if best is not None and best["images_seen"] != result["images_seen"]:
        better = ", ".join(as_text(name, score) for name, score in best["scores"].items())
        log.info("best checkpoint, after %s images: %s", f"{best['images_seen']:,}", better)
    samples = sorted((folder / run_dir.SAMPLES).glob("*.png"))
    log.info("samples: %s", os.path.relpath(samples[-1]) if samples else "none drawn")
    log.info("page: %s", os.path.relpath(folder / run_dir.HOME))
    if not in_sweep():  # whose end names the command that compares its runs
        log.info("next:\n%s", "\n".join(f"  {command}" for command, _ in commands(folder)))


main = functools.partial(run_command, "train", train)


if __name__ == "__main__":
    main()
