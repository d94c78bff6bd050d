"""Progress of a run in the terminal."""

import sys
import time

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Timer
from tqdm import tqdm

from fmcgan.app.checks import number
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.callback.trainer import callbacks_of, images_per_epoch
from fmcgan.training.gan import ConditionalGAN


class Progress(Callback):
    """Shows images seen, losses, images/s and the time left, as a bar in a terminal, else as lines.

    Args:
        seconds_between_lines: time between two lines.
    """

    def __init__(self, seconds_between_lines: float = 15.0) -> None:
        number(minimum=0, seconds_between_lines=seconds_between_lines)
        self.seconds_between_lines = seconds_between_lines
        self._bar: tqdm | None = None
        self._started = (0.0, 0)
        self._last_line = 0.0

    def check(self, trainer: Trainer) -> None:
        """Checks that the run has the metrics logger, which this callback needs."""
        MetricsLogger.of(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Starts the clock and, in a terminal, the bar."""
        self._started = (time.monotonic(), pl_module.images_seen)
        self._last_line = time.monotonic()
        if trainer.is_global_zero and sys.stderr.isatty():
            self._bar = tqdm(
                total=_total_images(trainer),
                initial=pl_module.images_seen,
                unit=" images",
                unit_scale=True,
                dynamic_ncols=True,
                bar_format="{desc}{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} images{postfix}",
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ConditionalGAN, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Updates the bar, or prints a line if one is due."""
        if self._bar is not None:
            self._bar.n = pl_module.images_seen
            self._bar.set_description_str(f"epoch {trainer.current_epoch + 1} ", refresh=False)
            self._bar.set_postfix_str(self._state(trainer, pl_module), refresh=False)
            self._bar.update(0)
        elif trainer.is_global_zero and time.monotonic() - self._last_line >= self.seconds_between_lines:
            self._last_line = time.monotonic()
            share = f"{pl_module.images_seen:,}/{_total_images(trainer):,} images"
            print(f"epoch {trainer.current_epoch + 1}  {share}  {self._state(trainer, pl_module)}", flush=True)  # noqa: T201

    def on_train_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Closes the bar."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: ConditionalGAN, exception: BaseException) -> None:
        """Closes the bar, so that the error starts on a new line."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _state(self, trainer: Trainer, gan: ConditionalGAN) -> str:
        latest = MetricsLogger.of(trainer).latest
        names = {"G": "loss/generator", "D": "loss/discriminator"}
        losses = [f"{network} {latest[name]:.3f}" for network, name in names.items() if name in latest]
        started, images_before = self._started
        rate = (gan.images_seen - images_before) / max(time.monotonic() - started, 1e-9)
        left = _seconds_left(trainer, (_total_images(trainer) - gan.images_seen) / max(rate, 1e-9))
        return ", ".join([*losses, f"{rate:,.0f} images/s", f"{tqdm.format_interval(left)} left"])


def _seconds_left(trainer: Trainer, by_images: float) -> float:
    """Returns the time until the last epoch or trainer.max_time ends, whichever is first."""
    timers = callbacks_of(trainer, Timer)
    by_time = [max(left, 0.0) for timer in timers if (left := timer.time_remaining()) is not None]
    without_end = trainer.max_epochs is None or trainer.max_epochs < 0
    return min(by_time or [by_images]) if without_end else min([by_images, *by_time])


def _total_images(trainer: Trainer) -> int:
    """Returns the images of the whole run or, without `max_epochs`, up to the end of the current epoch."""
    epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else trainer.current_epoch + 1
    return epochs * images_per_epoch(trainer)
