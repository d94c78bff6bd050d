"""Configuration, environment, curves and result of a run as files."""

import datetime
import json
import math
import platform
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Callback, Trainer
from matplotlib.figure import Figure

from fmcgan.app import run_dir
from fmcgan.app.overrides import applied_overrides
from fmcgan.app.run_files import leaves_of, read_metrics
from fmcgan.app.system_info import command_line, processor
from fmcgan.callback.checkpointing import Checkpointing
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.metrics_logger import EPOCH_COLUMNS, MetricsLogger
from fmcgan.callback.tracker import Tracker, relative_to_here, trackers_of
from fmcgan.callback.trainer import callbacks_of, data_of, images_per_epoch
from fmcgan.figure.files import write_figure, write_png
from fmcgan.figure.run_curves import gradient_norm_figure, loss_figure
from fmcgan.training.gan import ConditionalGAN

_PACKAGES = ("fmcgan", "torch", "torchvision", "lightning", "hydra-core", "torchmetrics", "numpy")
_SHARED = (run_dir.RESULT, run_dir.ENVIRONMENT, run_dir.LOSS_FIGURE, run_dir.GRADIENT_NORM_FIGURE)
_MAX_DRAWING_SHARE = 0.05  # of the time: drawing gets slower with every row


class RunInfo(Callback):
    """Writes ``config.yaml`` and ``environment.json`` first, figures after each epoch and ``result.json`` last.

    The configuration is also saved in every checkpoint, so that the generator can be built from a checkpoint alone.
    """

    def __init__(self) -> None:
        self.config: dict[str, object] = {}
        self._drawn = (-math.inf, 0.0)  # end and duration of the last drawing of the curves

    def configure(self, config: Mapping[str, object]) -> None:
        """Sets the resolved configuration of the run, of plain types, which a configuration cannot contain itself."""
        self.config = dict(config)

    def check(self, trainer: Trainer) -> None:
        """Checks that the run has the metrics logger, which this callback needs."""
        MetricsLogger.of(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Writes configuration and environment; deletes the result of an earlier run in this folder."""
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir)
        (folder / run_dir.RESULT).unlink(missing_ok=True)
        text = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
        run_dir.write_atomically(folder / run_dir.CONFIG, text)
        about_loss = {"has_decision_boundary": pl_module.loss.has_decision_boundary}
        run_dir.write_json(folder / run_dir.ENVIRONMENT, environment(trainer) | about_loss)
        scores = {f"hp/{name}": 0.0 for each in callbacks_of(trainer, Evaluation) for name in each.floors}
        params = {
            name: relative_to_here(json.dumps(value) if isinstance(value, list) else value)  # HPARAMS shows no lists
            for name, value in leaves_of(self.config).items()
        }
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.add_config(params, relative_to_here(text), scores, pl_module.images_seen)
            else:
                logger.log_hyperparams(params)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Draws the curves of losses and gradient norms as PNG, less often if drawing is slow."""
        ended, seconds = self._drawn
        start = time.monotonic()
        if trainer.is_global_zero and start - ended >= seconds / _MAX_DRAWING_SHARE:
            folder = Path(trainer.default_root_dir)
            for path, figure in _curves(folder, pl_module).items():
                write_png(figure, path)
            self._drawn = (time.monotonic(), time.monotonic() - start)

    def write_result(self, trainer: Trainer, gan: ConditionalGAN) -> dict[str, Any]:
        """Writes the last curves, also as SVG and PDF, and ``result.json``, which marks the run as finished.

        Call it last; it returns the result.
        """
        metrics_logger, folder = MetricsLogger.of(trainer), Path(trainer.default_root_dir)
        for path, figure in _curves(folder, gan).items():
            write_figure(figure, path)
        means, evaluations = metrics_logger.epoch_means, callbacks_of(trainer, Evaluation)
        has_best = any(callback.best is not None for callback in callbacks_of(trainer, Checkpointing))
        best = folder / run_dir.BEST_CHECKPOINT if has_best else None
        gan.to(trainer.strategy.root_device)  # Lightning has moved it to the CPU
        reports = [evaluation.report(gan, best) for evaluation in evaluations]
        scores = {name: result for measured, _ in reports for name, result in measured.items()}
        result = {
            "status": "finished",
            "seed": gan.seed,
            "images_seen": gan.images_seen,
            "epochs": round(gan.images_seen / images_per_epoch(trainer), 4),
            "training_seconds": round(metrics_logger.seconds, 3),
            "evaluation_seconds": round(sum(each.seconds for each in evaluations), 3),
            "evaluation_share": round(sum(each.share(metrics_logger.seconds) for each in evaluations), 4),
            "images_per_second": round(gan.images_seen / max(metrics_logger.seconds, 1e-9), 1),
            "hardware": hardware(trainer),
            "has_decision_boundary": gan.loss.has_decision_boundary,
            "parameters": {"generator": _count(gan.generator), "discriminator": _count(gan.discriminator)},
            "scores": scores,
            "dataset": data_of(trainer).info.as_config(),
            "best": next((of_best for _, of_best in reports if of_best), None),
            "final": {name: means[name] for name in EPOCH_COLUMNS.values() if name in means},
            "command": command_line(),
        }
        for logger in trainer.loggers:
            logger.log_metrics({f"hp/{name}": each["value"] for name, each in scores.items()}, step=gan.images_seen)
            logger.finalize("success")  # again, since log_metrics has reopened it
        run_dir.write_json(folder / run_dir.RESULT, result)
        for tracker in trackers_of(trainer):
            tracker.finish([folder / name for name in _SHARED])
        return result

    def on_save_checkpoint(self, trainer: Trainer, pl_module: ConditionalGAN, checkpoint: dict[str, object]) -> None:
        """Adds the configuration."""
        checkpoint["config"] = self.config


def _curves(folder: Path, gan: ConditionalGAN) -> dict[Path, Figure]:
    """Draws losses and gradient norms, by the paths of their files."""
    rows = read_metrics(folder / run_dir.METRICS_JSONL)
    return {
        folder / run_dir.LOSS_FIGURE: loss_figure(rows),
        folder / run_dir.GRADIENT_NORM_FIGURE: gradient_norm_figure(rows, gan.generator_clip, gan.discriminator_clip),
    }


def environment(trainer: Trainer) -> dict[str, object]:
    """Collects versions, hardware, code and command of a run."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "python": platform.python_version(),
        # A resumed run has the overrides of its first session, too.
        "overrides": [each for each in applied_overrides() if not each.startswith("ckpt_path=")],
        "packages": {name: version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "hardware": hardware(trainer),
        "precision": str(trainer.precision),
        "git": _git(),
    }


def hardware(trainer: Trainer) -> str:
    """Names the hardware: ``CPU AMD EPYC, 2 threads`` or ``1 x NVIDIA H200``."""
    device, n = trainer.strategy.root_device, trainer.world_size
    if device.type == "cpu":
        return f"CPU {processor()}, {n * torch.get_num_threads()} threads"
    return f"{n} x {torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type}"


def _git() -> dict[str, object] | None:
    """Returns the commit of the checkout; ``None`` for an installed wheel."""
    try:
        _run_git("ls-files", "--error-unmatch", __file__)  # fails for an installed copy inside another repository
        changed = bool(_run_git("status", "--porcelain", "--untracked-files=no"))
        return {"commit": _run_git("rev-parse", "HEAD"), "changed": changed}
    except (OSError, subprocess.CalledProcessError):
        return None


def _run_git(*arguments: str) -> str:
    here = Path(__file__).parent
    return subprocess.check_output(["git", *arguments], cwd=here, stderr=subprocess.DEVNULL, encoding="utf-8").strip()


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
