"""What a run leaves behind about itself: configuration, environment, result."""

import datetime
import json
import math
import platform
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from textwrap import indent
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, Trainer

from fmcgan.app import run_dir
from fmcgan.app.overrides import applied_overrides
from fmcgan.app.run_files import read_metrics
from fmcgan.app.system_info import command_line, processor
from fmcgan.callback.checkpointing import Checkpointing
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.callback.tensorboard import TensorBoard
from fmcgan.figure.run_curves import draw_gradient_norm, draw_loss

_PACKAGES = ("fmcgan", "torch", "torchvision", "lightning", "hydra-core", "torchmetrics", "numpy")
_SHARE_OF_CURVES = 0.05  # of the time: they take longer with every row
_FINAL = ("loss/generator", "loss/discriminator", "gradient_norm/generator", "gradient_norm/discriminator")


class RunInfo(Callback):
    """Writes ``config.yaml`` and ``environment.json`` first, the figures each epoch and ``result.json`` last.

    The configuration also goes into every checkpoint, so that a checkpoint alone is enough to build its generator.

    Args:
        config: the resolved configuration, plain types; `configure` sets it.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = dict(config or {})
        self._drawn = (-math.inf, 0.0)  # when the curves were drawn, and how long that took

    def configure(self, config: Mapping[str, Any]) -> None:
        """Takes the resolved configuration of the whole run, which the callback's own configuration cannot hold."""
        self.config = dict(config)

    def check(self, trainer: Trainer) -> None:
        """Looks for the metrics_logger, which this callback needs, before anything is fetched or trained."""
        MetricsLogger.of(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Writes what is known before the first step; an existing result of this folder is no longer true."""
        if not trainer.is_global_zero:
            return
        MetricsLogger.of(trainer)  # its absence is told now, not after the first epoch
        folder = Path(trainer.default_root_dir)
        (folder / run_dir.RESULT).unlink(missing_ok=True)
        text = yaml.safe_dump(self.config, sort_keys=False)
        run_dir.write_atomically(folder / run_dir.CONFIG, text)
        run_dir.write_json(folder / run_dir.ENVIRONMENT, environment(trainer))
        scores = {f"hp/{name}": 0.0 for each in _evaluations(trainer) for name in _score_names(each)}
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoard):
                logger.add_text("config", indent(text, "    "))  # a code block that no text can end
                if pl_module.images_seen == 0:  # a resumed run has its HPARAMS already
                    logger.log_hyperparams(_flat(self.config), scores or None)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draws the loss and gradient-norm curves so far; where that takes long, not after each epoch."""
        ended, seconds = self._drawn
        is_last = trainer.current_epoch + 1 == trainer.max_epochs or trainer.should_stop
        start = time.monotonic()
        if trainer.is_global_zero and (is_last or start - ended >= seconds / _SHARE_OF_CURVES):
            folder = Path(trainer.default_root_dir)
            rows = read_metrics(folder / run_dir.METRICS_JSONL)
            draw_loss(rows, folder / run_dir.LOSS_FIGURE)
            clips = (pl_module.generator_clip, pl_module.discriminator_clip)
            draw_gradient_norm(rows, folder / run_dir.GRADIENT_NORM_FIGURE, *clips)
            self._drawn = (time.monotonic(), time.monotonic() - start)

    def write_result(self, trainer: Trainer, module: Any) -> dict[str, Any]:
        """Writes ``result.json``, the mark of a finished run. Call it when everything else is done.

        Returns:
            Its content.
        """
        metrics_logger = MetricsLogger.of(trainer)
        images_per_epoch = trainer.num_training_batches * trainer.datamodule.batch_size  # type: ignore[attr-defined]
        best = Path(trainer.default_root_dir) / run_dir.BEST_CHECKPOINT
        reports = [each.report(module, best if _keeps_best(trainer) else None) for each in _evaluations(trainer)]
        scores = {name: result for report in reports for name, result in report["scores"].items()}
        result = {
            "status": "finished",
            "seed": module.seed,
            "images_seen": module.images_seen,
            "epochs": round(module.images_seen / images_per_epoch, 4),
            "training_seconds": round(metrics_logger.seconds, 3),
            "evaluation_seconds": round(sum(each.seconds for each in _evaluations(trainer)), 3),
            "evaluation_share": round(sum(each.share(metrics_logger.seconds) for each in _evaluations(trainer)), 4),
            "images_per_second": round(module.images_seen / max(metrics_logger.seconds, 1e-9), 1),
            "hardware": hardware(trainer),
            "parameters": {name: _count(getattr(module, name)) for name in ("generator", "discriminator")},
            "scores": scores,
            "best": next((report["best"] for report in reports if "best" in report), None),
            "final": {name: metrics_logger.epoch_means[name] for name in _FINAL if name in metrics_logger.epoch_means},
            "command": command_line(),
        }
        for logger in trainer.loggers:
            logger.log_metrics({f"hp/{name}": each["value"] for name, each in scores.items()}, step=module.images_seen)
            logger.finalize("success")  # once more: it was opened again
        run_dir.write_json(Path(trainer.default_root_dir) / run_dir.RESULT, result)
        return result

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Adds the configuration."""
        checkpoint["config"] = self.config


def environment(trainer: Trainer) -> dict[str, Any]:
    """Versions, hardware, code and command of a run."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "python": platform.python_version(),
        "overrides": _overrides(),
        "packages": {name: version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "hardware": hardware(trainer),
        "precision": str(trainer.precision),
        "git": _git(),
    }


def hardware(trainer: Trainer) -> str:
    """Such as ``2 x AMD EPYC (threads)`` or ``1 x NVIDIA H200``."""
    if trainer.strategy.root_device.type == "cuda":
        return f"{trainer.world_size} x {torch.cuda.get_device_name(trainer.strategy.root_device)}"
    if trainer.strategy.root_device.type != "cpu":
        return f"{trainer.world_size} x {trainer.strategy.root_device.type}"
    return f"CPU {processor()}, {trainer.world_size * torch.get_num_threads()} threads"


def _git() -> dict[str, Any] | None:
    """Commit of the checkout this code runs from; ``None`` when it was installed from a wheel."""
    try:
        _run_git("ls-files", "--error-unmatch", __file__)  # else an installed copy inside somebody's repository
        commit = _run_git("rev-parse", "HEAD")
        changed = _run_git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _run_git(*arguments: str) -> str:
    here = Path(__file__).parent
    return subprocess.check_output(["git", *arguments], cwd=here, stderr=subprocess.DEVNULL, encoding="utf-8").strip()


def _overrides() -> list[str]:
    """What the command line changed: a resumed run repeats it (`fmcgan.app.hydra_app`)."""
    return [each for each in applied_overrides() if not each.startswith("ckpt_path=")]


def _evaluations(trainer: Trainer) -> list[Evaluation]:
    return [callback for callback in trainer.callbacks if isinstance(callback, Evaluation)]  # type: ignore[attr-defined]


def _score_names(evaluation: Evaluation) -> list[str]:
    return list(evaluation.floors) if evaluation.scores else []


def _keeps_best(trainer: Trainer) -> bool:
    checkpointing = [callback for callback in trainer.callbacks if isinstance(callback, Checkpointing)]  # type: ignore[attr-defined]
    return any(callback.best is not None for callback in checkpointing)


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots; lists as JSON, since HPARAMS shows scalars and text only."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list) else value
    return flat
