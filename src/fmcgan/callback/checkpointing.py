"""Checkpoints at the end of every epoch and when somebody stops the run."""

import logging
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint

from fmcgan.app import run_dir
from fmcgan.app.errors import Interrupted, InvalidValueError, UserError
from fmcgan.app.process import stop_signals
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.metric.evaluation import sort_key

log = logging.getLogger(__name__)

_USUAL = "fd_classifier"
"""Of the usual scores; where they were exchanged and this was left, a run goes without a best checkpoint."""


class Checkpointing(Checkpoint):
    """Keeps ``checkpoints/last.ckpt`` and, by a score, ``checkpoints/best.ckpt``.

    Ctrl-C, SIGTERM and SIGHUP are answered at the end of the batch in progress: the state is saved exactly there and
    `Interrupted` ends the run. A second signal ends it at once, without saving. Lightning places callbacks of this
    type last, so what is saved includes the epoch's scores.

    Args:
        monitor: the score that decides which checkpoint is the best: the first one whose name starts with this.
            ``None`` keeps no best one.
    """

    def __init__(self, monitor: str | None = _USUAL) -> None:
        if monitor is not None and (not isinstance(monitor, str) or not monitor):
            raise InvalidValueError(f"monitor must be how a score's name begins, or null, got {monitor!r}", "monitor")
        self.monitor = monitor
        self.best: float | None = None
        self._signal: int | None = None
        self._training = False
        self._warned = False
        self._previous_handlers: dict[int, Any] = {}

    def check(self, trainer: Trainer) -> None:
        """Looks whether there will be such a score, before anything is fetched or trained.

        Raises:
            InvalidValueError: no score of this run begins with `monitor`, which the user chose.
        """
        MetricsLogger.of(trainer)
        scores = [score for callback in _evaluations(trainer) for score in callback.scores.values()]
        names = [name for score in scores for name in score.begins]
        fits = any(name.startswith(self.monitor) or self.monitor.startswith(name) for name in names if self.monitor)
        if fits or self.monitor in (None, _USUAL) or any(not score.begins for score in scores):
            return
        if not names:
            log.warning("monitor=%s marks no checkpoint: this run measures no scores", self.monitor)
            return
        raise InvalidValueError(
            f"callback.checkpointing.monitor={self.monitor}: no score of this run begins with that; there are "
            f"{', '.join(names)} (metric= and metric/feature= choose others)"
        )

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Takes over the signals."""
        for number in stop_signals():
            self._previous_handlers[number] = signal.signal(number, self._note)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Takes the signals back from Lightning, whose own handlers end without saving, and tidies up after a kill."""
        self._training = True
        for number in self._previous_handlers:
            signal.signal(number, self._note)
        folder = Path(trainer.default_root_dir)
        if trainer.is_global_zero:
            run_dir.remove_unfinished(folder)
        if not (folder / run_dir.BEST_CHECKPOINT).exists():
            self.best = None  # a run that goes on in another folder finds its own best

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Answers a signal that came after the last look; from here on one ends the process at once."""
        self._training = False
        if self._stop_asked(trainer):
            self._stop(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Saves and stops, if a signal came.

        The last batch of an epoch waits for `on_train_epoch_end`: Lightning would not resume that epoch's end.
        """
        is_last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if self._stop_asked(trainer) and not is_last:
            MetricsLogger.of(trainer).flush(trainer, pl_module)
            self._save(trainer, pl_module)
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Saves the epoch, marks it if it is the best so far, and stops if a signal came."""
        improved = self._improved(trainer)
        path = self._save(trainer, pl_module)
        if improved and trainer.is_global_zero:
            best = Path(trainer.default_root_dir) / run_dir.BEST_CHECKPOINT
            run_dir.write_atomically(best, path.read_bytes())
        if self._stop_asked(trainer):
            self._stop(trainer)

    def teardown(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Gives the signals back."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None or not self._training:
            log.info("%s: stopped at once", signal.Signals(number).name)
            sys.exit(128 + number)
        self._signal = number
        log.info("%s: saving at the end of this batch; once more stops at once, unsaved", signal.Signals(number).name)

    def _stop_asked(self, trainer: Trainer) -> bool:
        if trainer.world_size == 1:
            return self._signal is not None
        return trainer.strategy.reduce_boolean_decision(self._signal is not None, all=False)

    def _stop(self, trainer: Trainer) -> None:
        path = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
        raise Interrupted(self._signal or signal.SIGTERM, str(path))

    def _save(self, trainer: Trainer, module: Any) -> Path:
        refuse_broken_weights(module)
        path = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
        trainer.save_checkpoint(path)
        return path

    def _improved(self, trainer: Trainer) -> bool:
        evaluations = _evaluations(trainer)
        results = evaluations[0].results if evaluations and self.monitor is not None else {}
        for name, result in results.items():
            if name.startswith(self.monitor or ""):
                value = sort_key(result)
                if self.best is None or value < self.best:
                    self.best = value
                    return True
                return False
        if results and not self._warned:
            log.warning(
                "no checkpoint is marked as the best: no score begins with %s (%s)", self.monitor, ", ".join(results)
            )
            self._warned = True
        return False

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.best = state_dict["best"]


def _evaluations(trainer: Trainer) -> list[Evaluation]:
    return [callback for callback in trainer.callbacks if isinstance(callback, Evaluation)]  # type: ignore[attr-defined]


def refuse_broken_weights(module: Any) -> None:
    """Keeps weights with NaN or infinity out of checkpoints.

    Raises:
        UserError: names the first tensor that is not finite.
    """
    for name, value in module.state_dict().items():
        if not torch.isfinite(value).all():
            raise UserError(
                f"{name} holds NaN or infinite values after {module.images_seen:,} images; nothing was saved over the "
                "last good checkpoint. Try a smaller learning rate or gradient clipping (training.generator_clip=1)."
            )
