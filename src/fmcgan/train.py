"""``python -m fmcgan.train``: train one class-conditional GAN."""

import logging
import os
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from fmcgan import run_folder
from fmcgan.checks import number, whole_number
from fmcgan.command import in_sweep, run_command
from fmcgan.errors import UserError

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule, LightningModule, Trainer

log = logging.getLogger(__name__)

_PRECISIONS = ("32-true", "bf16-mixed")


def train(config: DictConfig) -> None:
    """Trains to the end and says where the results are.

    Raises:
        UserError: something a person can mend.
        Interrupted: a signal asked to stop; the state is saved.
    """
    _check(config)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    if in_sweep() and _already_done(plain):
        return
    checkpoint = _checkpoint(config, plain)
    trainer, gan, data = build(config)
    records = [callback for callback in trainer.callbacks if hasattr(callback, "write_result")]  # type: ignore[attr-defined]
    for record in records:
        record.configure(plain)
    folder = Path(trainer.default_root_dir)
    log.info("run folder: %s", os.path.relpath(folder))
    try:
        trainer.fit(gan, data, ckpt_path=checkpoint, weights_only=True)
    except BaseException:
        if trainer.strategy.launcher is not None:  # the processes of the other devices would wait for this one
            trainer.strategy.launcher.kill(signal.SIGKILL)
        raise
    if trainer.is_global_zero:
        for record in records:
            _say_where(folder, record.write_result(trainer, gan))


def build(config: DictConfig) -> tuple["Trainer", "LightningModule", "LightningDataModule"]:
    """Builds the trainer, the GAN and the data of a configuration."""
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything
    from lightning.pytorch.callbacks import Checkpoint

    from fmcgan.callback.recorder import Recorder

    warnings.filterwarnings("ignore", module="lightning")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # greetings and tips
    seed_everything(config.seed, verbose=False)
    data = instantiate(config.data)
    parts = {"generator": config.network.generator, "discriminator": config.network.discriminator}
    parts |= {"loss": config.loss.adversarial, "penalty": config.loss.penalty}
    gan = instantiate(config.training, **{name: instantiate(part) for name, part in parts.items()})
    # An experiment may set values of a callback that was not chosen: such a node has no _target_.
    callbacks, loggers = (
        [instantiate(node) for node in group.values() if "_target_" in node]
        for group in (config.callback, config.logger)
    )
    callbacks.sort(
        key=lambda callback: not isinstance(callback, Recorder)
    )  # first: it stops the watch before the others
    keeps_checkpoints = any(isinstance(callback, Checkpoint) for callback in callbacks)  # else Lightning adds its own
    options = {"callbacks": callbacks, "logger": loggers, "enable_checkpointing": keeps_checkpoints}
    return instantiate(config.trainer, **options), gan, data


def _check(config: DictConfig) -> None:
    """Refuses what Lightning would accept in silence or fail on without a word about the key."""
    whole_number(minimum=0, seed=config.seed)
    trainer = config.trainer
    if trainer.max_epochs == -1 and trainer.max_time is None:
        raise UserError("trainer.max_epochs=-1 (no limit) needs trainer.max_time, such as 00:00:10:00 (DD:HH:MM:SS)")
    if trainer.max_epochs != -1:
        whole_number(minimum=1, **{"trainer.max_epochs": trainer.max_epochs})
    if trainer.limit_train_batches is not None:
        number(minimum=1e-9, **{"trainer.limit_train_batches": trainer.limit_train_batches})
    if trainer.precision not in _PRECISIONS:
        raise UserError(
            f"trainer.precision must be one of {', '.join(_PRECISIONS)}, got {trainer.precision!r} "
            "(16-bit floats need a loss scaler, which optimisation by hand bypasses)"
        )
    if _several(trainer.devices) and trainer.strategy == "auto":
        raise UserError(f"trainer.devices={trainer.devices} needs trainer=ddp (each device is one process)")
    if _several(trainer.devices) and in_sweep():
        raise UserError("several devices do not work inside a sweep (-m): each process would start the whole sweep")


def _several(devices: Any) -> bool:
    """Whether `trainer.devices` means, or may mean, more than one; a list holds the numbers of the devices."""
    return len(devices) > 1 if isinstance(devices, ListConfig) else str(devices) != "1"


def _already_done(config: dict[str, Any]) -> bool:
    """Whether an earlier start of the same sweep finished this job.

    Raises:
        UserError: the job's folder holds a run of another configuration.
    """
    folder = Path(config["trainer"]["default_root_dir"])
    saved = folder / run_folder.CONFIG
    if saved.is_file() and _what_matters(OmegaConf.to_container(OmegaConf.load(saved))) != _what_matters(config):
        raise UserError(
            f"{os.path.relpath(folder)} holds a run of another configuration; choose another hydra.sweep.dir"
        )
    done = (folder / run_folder.RESULT).is_file()
    if done:
        log.info("already finished, skipped: %s", os.path.relpath(folder))
    return done


def _what_matters(config: Any) -> dict[str, Any]:
    """The configuration without where it started from and where the data lie."""
    data = {name: value for name, value in config["data"].items() if name not in ("root", "mirror")}
    return {**config, "data": data, "ckpt_path": None}


def _checkpoint(config: DictConfig, plain: dict[str, Any]) -> str | None:
    """The checkpoint to go on from; in a sweep that is started again, that of the interrupted job.

    Raises:
        UserError: it is not there, damaged, or of other networks.
    """
    unfinished = Path(config.trainer.default_root_dir) / run_folder.LAST_CHECKPOINT
    path = config.ckpt_path or (str(unfinished) if in_sweep() and unfinished.is_file() else None)
    if path is None:
        return None
    if not Path(path).is_file():
        raise UserError(f"ckpt_path={path}: no such file; checkpoints lie in RUN/checkpoints/last.ckpt")
    from fmcgan.generator import read_checkpoint

    saved, mine = read_checkpoint(Path(path))["config"]["network"], plain["network"]
    differing = [name for name in {**saved, **mine} if saved.get(name) != mine.get(name)]
    if differing:
        values = [
            f"network.{name}={mine.get(name)} (checkpoint: {saved.get(name)})"
            for name in differing
            if not isinstance(saved.get(name), dict) or len(differing) < 3  # the parts repeat what stands above them
        ]
        raise UserError(
            f"the checkpoint holds other networks than this run: {'; '.join(values)}.\n"
            "Leave those values out to take over the checkpoint's own."
        )
    return str(path)


def _say_where(folder: Path, result: dict[str, Any]) -> None:
    from fmcgan.metric.table import in_words

    scores = [f"  {in_words(name, score)}" for name, score in result["scores"].items()]
    minutes = result["training_seconds"] / 60
    log.info("\ndone: %s images in %.1f minutes of training", f"{result['images_seen']:,}", minutes)
    log.info("scores (%s):\n%s", os.path.relpath(folder / run_folder.RESULT), "\n".join(scores))
    best = result["best"]
    if best is not None and best["images_seen"] != result["images_seen"]:
        better = ", ".join(in_words(name, score) for name, score in best["scores"].items())
        log.info("best checkpoint, after %s images: %s", f"{best['images_seen']:,}", better)
    samples = sorted((folder / run_folder.SAMPLES).glob("*.png"))
    log.info("samples: %s", os.path.relpath(samples[-1]) if samples else "none drawn")
    log.info("curves: tensorboard --logdir %s", os.path.relpath(folder))


def main() -> None:
    """Entry of the console command."""
    run_command("train", train)


if __name__ == "__main__":
    main()
