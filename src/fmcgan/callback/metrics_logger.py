"""The book of a run: every number that training, evaluation and other callbacks report goes through here."""

import logging
import math
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from fmcgan.app import run_dir
from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.callback.tables import EpochTable, MetricsTable
from fmcgan.callback.tensorboard import TensorBoard

log = logging.getLogger(__name__)


class MetricsLogger(Callback):
    """Collects the scalars of each step on the device, reads them at intervals, writes them down and checks them.

    Writes ``metrics.jsonl``, ``metrics.csv`` and every TensorBoard scalar, which hold the same rows at any time, and
    ``epochs.csv`` at the end of each epoch. The x axis is images seen. ``seconds`` is time spent training: evaluation,
    pictures and checkpoints are not in it, earlier sessions of a resumed run are.

    Args:
        every_n_batches: how often the scalars are read from the device.
    """

    def __init__(self, every_n_batches: int = 20) -> None:
        whole_number(every_n_batches=every_n_batches)
        self.every_n_batches = every_n_batches
        self.latest: dict[str, float] = {}
        self.epoch_means: dict[str, float] = {}
        self.seconds = 0.0
        self._unread: list[tuple[int, dict[str, Tensor]]] = []
        self._epoch_sums: dict[str, list[float]] = {}
        self._running_since: float | None = None
        self._last_read = (0, 0.0)

    @staticmethod
    def of(trainer: Trainer) -> "MetricsLogger":
        """The metrics_logger of this run.

        Raises:
            UserError: the callback was removed from the configuration although others write through it.
        """
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, MetricsLogger):
                return callback
        raise UserError(
            "the callback 'metrics_logger' is missing; add it to the list, as in callback=[metrics_logger,evaluation]"
        )

    def write(self, trainer: Trainer, module: Any, metrics: dict[str, float]) -> None:
        """Writes one row at the present number of images seen. Call it on every rank; rank 0 writes.

        (Not named `log`: Lightning puts the module's own `log` there on every callback.)
        """
        if not trainer.is_global_zero:
            return
        row = {"images_seen": module.images_seen, "epoch": _epoch(trainer), "seconds": round(self.seconds, 3)}
        self._table.append(row | metrics)
        for logger in trainer.loggers:
            logger.log_metrics(metrics | {"epoch": row["epoch"]}, step=module.images_seen)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Drops rows that a killed session wrote after its last checkpoint: they are about to be repeated.

        Raises:
            UserError: a table of that session is damaged, which is noticed here and not after an epoch.
        """
        self._last_read = (pl_module.images_seen, self.seconds)
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir)
            self._table = MetricsTable(folder)
            self._epochs = EpochTable(folder)
            dropped = self._table.drop_after(pl_module.images_seen)
            if dropped and pl_module.images_seen == 0:
                log.info("%d rows of a run that was stopped before its first checkpoint are replaced", dropped)
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoard):
                    logger.drop_after(pl_module.images_seen)

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Starts the watch, unless it runs."""
        if self._running_since is None:
            self._running_since = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keeps this step's scalars, still on the device; reads them now and then."""
        self._unread.append((pl_module.images_seen, outputs))
        if len(self._unread) >= self.every_n_batches:
            self.flush(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Stops the watch and writes the tables."""
        self.flush(trainer, pl_module)
        self._count_time()
        self._running_since = None
        means = {name: sum(values) / len(values) for name, values in self._epoch_sums.items()}
        self.epoch_means |= means  # an epoch that time cut short may hold no generator update
        self._epoch_sums = {}
        if trainer.is_global_zero:
            self._epochs.write(trainer.current_epoch + 1, means, self.seconds / 60)

    def flush(self, trainer: Trainer, module: Any) -> None:
        """Reads all scalars not yet read from the device, checks that they are finite and logs their means."""
        if not self._unread:
            return
        steps = self._read_from_device(trainer)
        self._count_time()
        _refuse_not_finite(trainer, steps)
        names = dict.fromkeys(name for _, metrics in steps for name in metrics)
        columns = {name: [metrics[name] for _, metrics in steps if name in metrics] for name in names}
        for name, values in columns.items():
            self._epoch_sums.setdefault(name, []).extend(values)
        row = {name: sum(values) / len(values) for name, values in columns.items()}
        for player, optimizer in zip(("generator", "discriminator"), trainer.optimizers, strict=True):
            row[f"learning_rate/{player}"] = optimizer.param_groups[0]["lr"]
        images, seconds = self._last_read
        self._last_read = (module.images_seen, self.seconds)
        row["images_per_second"] = (module.images_seen - images) / max(self.seconds - seconds, 1e-9)
        self.latest |= row  # with a large n_critic, some intervals hold no generator update
        self.write(trainer, module, row)

    def _read_from_device(self, trainer: Trainer) -> list[tuple[int, dict[str, float]]]:
        """One transfer for all scalars of the interval, averaged over the devices."""
        flat = torch.stack([value.float() for _, metrics in self._unread for value in metrics.values()])
        if trainer.world_size > 1:
            flat = trainer.strategy.reduce(flat, reduce_op="mean")
        values = iter(flat.tolist())
        steps = [(images, {name: next(values) for name in metrics}) for images, metrics in self._unread]
        self._unread = []
        return steps

    def _count_time(self) -> None:
        if self._running_since is not None:
            now = time.perf_counter()
            self.seconds += now - self._running_since
            self._running_since = now

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on counting; only read at a checkpoint, so nothing is left unread."""
        return {
            "seconds": self.seconds,
            "epoch_sums": self._epoch_sums,
            "epoch_means": self.epoch_means,
            "latest": self.latest,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.seconds = state_dict["seconds"]
        self._epoch_sums = state_dict["epoch_sums"]
        self.epoch_means = state_dict["epoch_means"]
        self.latest = state_dict["latest"]


def _refuse_not_finite(trainer: Trainer, steps: list[tuple[int, dict[str, float]]]) -> None:
    for images_seen, metrics in steps:
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            checkpoint = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
            kept = f"The last good checkpoint is {checkpoint}." if checkpoint.exists() else "No checkpoint exists yet."
            raise UserError(
                f"training broke down in the {_broken_network(bad)} at {images_seen:,} images seen: "
                f"{', '.join(bad)} became NaN or infinite. {kept}\n"
                "Try a smaller learning rate (training.generator_optimizer.lr, training.discriminator_optimizer.lr), "
                "gradient clipping (training.generator_clip=1) or trainer.precision=32-true."
            )


def _broken_network(bad: list[str]) -> str:
    """Which network broke first, from the numbers of one step that are not finite, in the order of their causes."""
    if "logit/real" in bad:
        return "discriminator"
    if "logit/fake" in bad:  # D is sound on real images, so what it was shown was not: the last update of G
        return "generator"
    if any(name != "gradient_norm/generator" for name in bad):  # D's own loss, or its update just before G's turn
        return "discriminator"
    return "generator"


def _epoch(trainer: Trainer) -> float:
    """Epochs done, with the share of the present one."""
    progress = trainer.fit_loop.epoch_loop.batch_progress.current
    return round(trainer.current_epoch + progress.processed / trainer.num_training_batches, 4)  # type: ignore[attr-defined]
