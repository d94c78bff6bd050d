"""Checkpoints at the end of every epoch and when a signal stops the run."""

import logging
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint

from fmcgan.app import run_dir
from fmcgan.app.errors import Interrupted, InvalidValueError, UserError
from fmcgan.app.process import requeue_signals, stop_signals
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.callback.trainer import callbacks_of
from fmcgan.metric.results import sort_key
from fmcgan.training.gan import ConditionalGAN

log = logging.getLogger(__name__)

_DEFAULT_MONITOR = "fd_classifier"
"""A value of the default metrics. A run with other metrics and this monitor has no best checkpoint."""
_SAME_REQUEST_SECONDS = 1.0  # a terminal and the main process of a sweep may both signal a job


class Checkpointing(Checkpoint):
    """Saves ``checkpoints/last.ckpt`` and, by a monitored value, ``checkpoints/best.ckpt``.

    After Ctrl-C, SIGTERM or SIGHUP, a checkpoint is saved at the end of the current batch and `Interrupted` ends the
    run; likewise after the signal of a launcher that requeues the job. A second signal ends the process at once,
    without saving. Lightning calls callbacks of this type last, so checkpoints include the evaluation of their epoch.

    Args:
        monitor: prefix of the name of the value that selects the best checkpoint; the first match is used. ``None``:
            no best checkpoint.
        name: of the run: when training ends, ``checkpoints/NAME.ckpt`` is a copy of the last one. ``None``: no copy.
    """

    def __init__(self, monitor: str | None = _DEFAULT_MONITOR, name: str | None = None) -> None:
        if monitor is not None and (not isinstance(monitor, str) or not monitor):
            raise InvalidValueError(f"monitor must be a prefix of a score's name, or null, got {monitor!r}", "monitor")
        self.monitor = monitor
        self.name = name
        self.best: float | None = None
        self._signal: int | None = None
        self._signal_time = 0.0
        self._training = False
        self._warned = False
        self._previous_handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def check(self, trainer: Trainer) -> None:
        """Checks that the run measures the monitored value.

        Raises:
            InvalidValueError: no name starts with `monitor`, which is not the default.
        """
        MetricsLogger.of(trainer)
        metrics = [metric for each in callbacks_of(trainer, Evaluation) for metric in each.scores.values()]
        names = [name for metric in metrics for name in metric.quantities]
        monitor = self.monitor
        if monitor in (None, _DEFAULT_MONITOR) or _is_among(monitor, names):
            return
        if not names:
            log.warning("monitor=%s selects no checkpoint: this run measures no scores", monitor)
            return
        raise InvalidValueError(
            f"callback.checkpointing.monitor={monitor} matches no score of this run: {', '.join(names)}; "
            "choose a prefix of one of these, or other metrics with metric= and metric/feature="
        )

    def setup(self, trainer: Trainer, pl_module: ConditionalGAN, stage: str) -> None:
        """Warns if no classifier of the data set leaves the monitored value out."""
        for evaluation in callbacks_of(trainer, Evaluation) if trainer.is_global_zero else []:
            names = evaluation.evaluator.quantities
            if evaluation.scores and self.monitor is not None and not _is_among(self.monitor, names):
                self._warn(names)

    def on_train_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Installs the signal handlers; removes unfinished files.

        Not earlier: Lightning sets handlers behind `setup`, and at the end sets those again that it has found.
        """
        self._training = True
        for number in (*stop_signals(), *requeue_signals()):
            self._previous_handlers[number] = signal.signal(number, self._on_signal)
        folder = Path(trainer.default_root_dir)
        if trainer.is_global_zero:
            run_dir.remove_unfinished(folder)
        if not (folder / run_dir.BEST_CHECKPOINT).exists():
            self.best = None  # the run was resumed in another folder

    def on_train_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Stops if a signal arrived since the last check, else saves the copy with the name of the run."""
        self._training = False
        if self._stop_requested(trainer):
            self._stop(trainer)
        last = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
        if self.name is not None and trainer.is_global_zero and last.is_file():
            run_dir.write_atomically(last.with_name(f"{self.name}.ckpt"), last.read_bytes())

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ConditionalGAN, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Saves and stops if a signal arrived.

        After the last batch of an epoch, `on_train_epoch_end` does: Lightning would not resume the end of that epoch.
        """
        is_last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if self._stop_requested(trainer) and not is_last:
            MetricsLogger.of(trainer).flush(trainer, pl_module)
            self._save(trainer, pl_module)
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Saves ``last.ckpt`` and, if the value improved, ``best.ckpt``; stops if a signal arrived."""
        improved = self._improved(trainer)
        path = self._save(trainer, pl_module)
        if improved and trainer.is_global_zero:
            best = Path(trainer.default_root_dir) / run_dir.BEST_CHECKPOINT
            run_dir.write_atomically(best, path.read_bytes())
        if self._stop_requested(trainer):
            self._stop(trainer)

    def teardown(self, trainer: Trainer, pl_module: ConditionalGAN, stage: str) -> None:
        """Restores the previous signal handlers."""
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and time.monotonic() - self._signal_time < _SAME_REQUEST_SECONDS:
            return
        if self._signal is not None or not self._training:
            log.info("%s: stopped at once", signal.Signals(number).name)
            self._restore_handlers()
            if number in requeue_signals():
                signal.raise_signal(number)
            sys.exit(128 + number)
        self._signal, self._signal_time = number, time.monotonic()
        log.info(
            "%s: saving at the end of this batch; a second signal stops without saving", signal.Signals(number).name
        )

    def _stop_requested(self, trainer: Trainer) -> bool:
        if trainer.world_size == 1:
            return self._signal is not None
        return trainer.strategy.reduce_boolean_decision(self._signal is not None, all=False)

    def _stop(self, trainer: Trainer) -> None:
        path = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
        self._restore_handlers()
        raise Interrupted(self._signal or signal.SIGTERM, str(path))

    def _save(self, trainer: Trainer, gan: ConditionalGAN) -> Path:
        check_finite(gan)
        path = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
        trainer.save_checkpoint(path)
        return path

    def _improved(self, trainer: Trainer) -> bool:
        evaluations = callbacks_of(trainer, Evaluation)
        if self.monitor is None or not evaluations or not evaluations[0].results:
            return False
        results = evaluations[0].results
        monitored = [result for name, result in results.items() if name.startswith(self.monitor)]
        if monitored:
            value = sort_key(monitored[0])
            if self.best is None or value < self.best:
                self.best = value
                return True
        elif not self._warned:
            self._warn(list(results))
        return False

    def _warn(self, names: Collection[str]) -> None:
        """Warns that none of the measured values selects a checkpoint."""
        remedy = f"choose a prefix of {', '.join(names)}" if names else "no score is measured"
        log.warning(
            "no best.ckpt, only last.ckpt: no score of this run starts with callback.checkpointing.monitor=%s; %s",
            self.monitor,
            remedy,
        )
        self._warned = True

    def state_dict(self) -> dict[str, float | None]:
        """Returns the best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float | None]) -> None:
        """Restores `state_dict`."""
        self.best = state_dict["best"]


def _is_among(monitor: str, names: Collection[str]) -> bool:
    """Whether a prefix selects one of the quantities; it may have the number of samples, which their names lack."""
    return any(name.startswith(monitor) or monitor.startswith(name) for name in names)


def check_finite(gan: ConditionalGAN) -> None:
    """Checks that all weights are finite.

    Raises:
        UserError: a tensor is not; the message names the first.
    """
    for name, value in gan.state_dict().items():
        if not torch.isfinite(value).all():
            raise UserError(
                f"{name} has NaN or infinite values after {gan.images_seen:,} images; the last good checkpoint was "
                "not overwritten. Try a smaller learning rate or gradient clipping (training.generator_clip=1)."
            )
