"""Logging of the metrics of training, evaluation and other callbacks."""

import csv
import io
import json
import logging
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from fmcgan.app import run_dir
from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_epochs, read_metrics
from fmcgan.callback.tracker import trackers_of
from fmcgan.callback.trainer import callbacks_of
from fmcgan.training.gan import ConditionalGAN

log = logging.getLogger(__name__)

EPOCH_COLUMNS = {
    f"{network}_{what}": f"{what}/{network}"
    for what in ("loss", "gradient_norm")
    for network in ("generator", "discriminator")
}
"""Columns of ``epochs.csv`` and the metrics whose means they hold."""


class MetricsLogger(Callback):
    """Collects the scalars of each step on the device; reads, checks and writes them at intervals.

    Writes the same rows to ``metrics.jsonl``, ``metrics.csv`` and all loggers, and ``epochs.csv`` after each epoch. The
    x axis is images seen. ``seconds`` is training time: it includes earlier sessions of a resumed run, but not
    evaluation, figures and checkpoints.

    Args:
        every_n_batches: batches between two reads from the device.
    """

    def __init__(self, every_n_batches: int = 20) -> None:
        whole_number(every_n_batches=every_n_batches)
        self.every_n_batches = every_n_batches
        self.latest: dict[str, float] = {}
        self.epoch_means: dict[str, float] = {}
        self.seconds = 0.0
        self._unread: list[tuple[int, Mapping[str, Tensor]]] = []
        self._epoch_sums: dict[str, list[float]] = {}
        self._running_since: float | None = None
        self._last_read = (0, 0.0)

    @staticmethod
    def of(trainer: Trainer) -> "MetricsLogger":
        """Returns the metrics logger of a run.

        Raises:
            UserError: the run has none.
        """
        for callback in callbacks_of(trainer, MetricsLogger):
            return callback
        raise UserError(
            "the callback metrics_logger is missing; add it to the list, as in callback=[metrics_logger,evaluation]"
        )

    def write(self, trainer: Trainer, gan: ConditionalGAN, metrics: dict[str, float]) -> None:
        """Writes one row at the current number of images seen. Call it on every rank; rank 0 writes."""
        if not trainer.is_global_zero:
            return
        row = {"images_seen": gan.images_seen, "epoch": _epoch(trainer), "seconds": round(self.seconds, 3)}
        self._table.append(row | metrics)
        for logger in trainer.loggers:
            logger.log_metrics(metrics | {"epoch": row["epoch"]}, step=gan.images_seen)

    def on_train_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Drops rows that a killed session wrote after its last checkpoint, since training repeats them.

        Raises:
            UserError: a table of that session is damaged.
        """
        self._last_read = (pl_module.images_seen, self.seconds)
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir)
            self._table, self._epochs = MetricsTable(folder), EpochTable(folder)
            dropped = self._table.drop_after(pl_module.images_seen)
            if dropped and pl_module.images_seen == 0:
                log.info("replacing %d rows of a run that stopped before its first checkpoint", dropped)
            for tracker in trackers_of(trainer):
                tracker.drop_after(pl_module.images_seen)

    def on_train_batch_start(self, trainer: Trainer, pl_module: ConditionalGAN, batch: object, batch_idx: int) -> None:
        """Starts the clock unless it is running."""
        if self._running_since is None:
            self._running_since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ConditionalGAN, outputs: Mapping[str, Tensor], batch: object, batch_idx: int
    ) -> None:
        """Collects the scalars of the step; calls `flush` after `every_n_batches`."""
        self._unread.append((pl_module.images_seen, outputs))
        if len(self._unread) >= self.every_n_batches:
            self.flush(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Stops the clock and writes the means of the epoch."""
        self.flush(trainer, pl_module)
        self._count_time()
        self._running_since = None
        means = {name: sum(values) / len(values) for name, values in self._epoch_sums.items()}
        self.epoch_means |= means  # an epoch that max_time ends early may lack generator updates
        self._epoch_sums = {}
        if trainer.is_global_zero:
            self._epochs.write(trainer.current_epoch + 1, means, self.seconds / 60)

    def flush(self, trainer: Trainer, gan: ConditionalGAN) -> None:
        """Reads the collected scalars from the device, checks that they are finite and writes their means."""
        if not self._unread:
            return
        steps = self._read_from_device(trainer)
        self._count_time()
        _check_finite(trainer, steps)
        names = dict.fromkeys(name for _, metrics in steps for name in metrics)
        columns = {name: [metrics[name] for _, metrics in steps if name in metrics] for name in names}
        for name, values in columns.items():
            self._epoch_sums.setdefault(name, []).extend(values)
        row = {name: sum(values) / len(values) for name, values in columns.items()}
        for network, optimizer in zip(("generator", "discriminator"), trainer.optimizers, strict=True):
            row[f"learning_rate/{network}"] = optimizer.param_groups[0]["lr"]
        images, seconds = self._last_read
        self._last_read = (gan.images_seen, self.seconds)
        row["images_per_second"] = (gan.images_seen - images) / max(self.seconds - seconds, 1e-9)
        self.latest |= row  # with a large n_critic, some intervals lack generator updates
        self.write(trainer, gan, row)

    def _read_from_device(self, trainer: Trainer) -> list[tuple[int, dict[str, float]]]:
        """Reads all scalars of the interval in one transfer, averaged over the devices."""
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

    def state_dict(self) -> dict[str, object]:
        """Returns the sums that a resumed run continues; at a checkpoint no scalars are unread."""
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


def _check_finite(trainer: Trainer, steps: list[tuple[int, dict[str, float]]]) -> None:
    for images_seen, metrics in steps:
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            checkpoint = Path(trainer.default_root_dir) / run_dir.LAST_CHECKPOINT
            last = f"The last good checkpoint is {checkpoint}." if checkpoint.exists() else "No checkpoint exists yet."
            raise UserError(
                f"training diverged in the {_diverged_network(bad)} at {images_seen:,} images seen: "
                f"{', '.join(bad)} became NaN or infinite. {last}\n"
                "Try a smaller learning rate (training.generator_optimizer.lr, training.discriminator_optimizer.lr), "
                "gradient clipping (training.generator_clip=1) or trainer.precision=32-true."
            )


def _diverged_network(bad: list[str]) -> str:
    """Returns the network that diverged first, from the names of the non-finite scalars of one step."""
    if "logit/real" in bad:
        return "discriminator"
    # The discriminator is finite on real images. So if its logits of generated images are not, these images are not.
    # Otherwise its loss or update diverged, which precedes the generator's, unless only the latter is not finite.
    of_generator = "logit/fake" in bad or set(bad) == {"gradient_norm/generator"}
    return "generator" if of_generator else "discriminator"


def _epoch(trainer: Trainer) -> float:
    """Returns the finished epochs plus the fraction of the current one."""
    processed = trainer.fit_loop.epoch_loop.batch_progress.current.processed  # type: ignore[attr-defined]
    return round(trainer.current_epoch + processed / trainer.num_training_batches, 4)


class MetricsTable:
    """The metrics of a run folder as JSON lines and as CSV, with empty cells if a row lacks a column."""

    def __init__(self, folder: Path) -> None:
        self._lines = folder / run_dir.METRICS_JSONL
        self._csv = folder / run_dir.METRICS_CSV
        self._columns: list[str] = []

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row to both files; rewrites the CSV if the row has a new column."""
        run_dir.append_line(self._lines, json.dumps(row))
        if row.keys() <= set(self._columns):
            run_dir.append_line(self._csv, _csv_text([row], self._columns, header=False).rstrip("\n"))
        else:
            self._rewrite_csv(read_metrics(self._lines))

    def drop_after(self, images_seen: int) -> int:
        """Drops the rows after a number of images seen from both files; returns the number of dropped rows."""
        rows = read_metrics(self._lines)
        remaining = [row for row in rows if row["images_seen"] <= images_seen]
        if self._lines.exists():  # even without such rows: the last line may be truncated
            run_dir.write_atomically(self._lines, "".join(json.dumps(row) + "\n" for row in remaining))
            self._rewrite_csv(remaining)
        return len(rows) - len(remaining)

    def _rewrite_csv(self, rows: list[dict[str, float]]) -> None:
        self._columns = list(dict.fromkeys(name for row in rows for name in row))
        run_dir.write_atomically(self._csv, _csv_text(rows, self._columns) if rows else "")


class EpochTable:
    """The means of each epoch as CSV in a run folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / run_dir.EPOCHS_CSV
        self._rows: list[dict[str, str]] | None = None

    def write(self, epoch: int, means: Mapping[str, float], minutes: float) -> None:
        """Adds one row; drops rows of this and later epochs, left by a killed session."""
        row = {"epoch": str(epoch)}
        row |= {column: f"{means[name]:.6g}" if name in means else "" for column, name in EPOCH_COLUMNS.items()}
        row |= {"minutes": f"{minutes:.3f}"}
        earlier = read_epochs(self._path) if self._rows is None else self._rows
        self._rows = [each for each in earlier if int(each["epoch"]) < epoch] + [row]
        columns = list(row | {name: "" for each in self._rows for name in each})  # with those of older versions
        run_dir.write_atomically(self._path, _csv_text(self._rows, columns))


def _csv_text(rows: Iterable[Mapping[str, object]], columns: Iterable[str], header: bool = True) -> str:
    content = io.StringIO()
    writer = csv.DictWriter(content, list(columns), extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return content.getvalue()
