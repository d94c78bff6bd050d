"""Progress of a run in the terminal."""

import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Timer
from tqdm import tqdm

from fmcgan.app.checks import number
from fmcgan.app.formatting import short_number
from fmcgan.app.progress import progress_bar
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.metrics_logger import MetricsLogger
from fmcgan.callback.trainer import callbacks_of, images_per_epoch
from fmcgan.metric.results import short_name
from fmcgan.training.gan import ConditionalGAN

FEWEST_CELLS = 10
"""Length of the bar, in characters, below which values are left out."""
_SECONDS_BETWEEN_BARS = 0.1
_USUAL_COLUMNS = 80  # of a terminal that does not tell its width


class Progress(Callback):
    """Shows losses, images/s, the time left and the last metrics, as a bar in a terminal, else as lines.

    A narrow terminal shows as many of the values as fit beside a bar of `FEWEST_CELLS`.

    Args:
        seconds_between_lines: time between two lines.
    """

    def __init__(self, seconds_between_lines: float = 15.0) -> None:
        number(minimum=0, seconds_between_lines=seconds_between_lines)
        self.seconds_between_lines = seconds_between_lines
        self._open = ExitStack()  # holds the bar
        self._bar: tqdm | None = None
        self._started = (0.0, 0)
        self._last_shown = 0.0

    def check(self, trainer: Trainer) -> None:
        """Checks that the run has the metrics logger, which this callback needs."""
        MetricsLogger.of(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Starts the clock and, in a terminal, the bar."""
        self._started = (time.monotonic(), pl_module.images_seen)
        self._last_shown = time.monotonic()
        if trainer.is_global_zero and sys.stderr.isatty():
            start = {"total": _total_images(trainer), "initial": pl_module.images_seen, "bar_format": "|{bar}|"}
            self._bar = self._open.enter_context(progress_bar(dynamic_ncols=True, **start))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ConditionalGAN, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Updates the bar, or prints a line, if one is due."""
        pause = self.seconds_between_lines if self._bar is None else _SECONDS_BETWEEN_BARS
        if trainer.is_global_zero and time.monotonic() - self._last_shown >= pause:
            self._last_shown = time.monotonic()
            if self._bar is None:
                print(self._line(trainer, pl_module), flush=True)  # noqa: T201
            else:
                self._update_bar(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Updates the bar: evaluation, figures and checkpoints may take a while."""
        self._update_bar(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: ConditionalGAN) -> None:
        """Updates the bar for the last time and closes it."""
        self._update_bar(trainer, pl_module)
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: ConditionalGAN, exception: BaseException) -> None:
        """Closes the bar, so that the error starts on a new line."""
        self._close()

    def _close(self) -> None:
        self._open.close()
        self._bar = None

    def _update_bar(self, trainer: Trainer, gan: ConditionalGAN) -> None:
        if self._bar is None:
            return
        self._bar.n, self._bar.total = gan.images_seen, _total_images(trainer)
        columns = self._bar.format_dict["ncols"] or _USUAL_COLUMNS
        self._bar.bar_format = bar_layout(f"epoch {_epoch(trainer)} ", self._values(trainer, gan), columns)
        self._bar.refresh()

    def _values(self, trainer: Trainer, gan: ConditionalGAN) -> list[str]:
        """Returns the values beside the bar, the most important first."""
        rate, left = self._speed(trainer, gan)
        scores = _scores(trainer)
        images = f"{gan.images_seen:,}/{_total_images(trainer):,} images"
        losses = ", ".join(self._losses(trainer))
        return [left, rate, *scores[:1], *([losses] if losses else []), *scores[1:2], images, *scores[2:]]

    def _line(self, trainer: Trainer, gan: ConditionalGAN) -> str:
        images = f"{gan.images_seen:,}/{_total_images(trainer):,} images"
        values = [*self._losses(trainer), *self._speed(trainer, gan), *_scores(trainer)]
        return f"epoch {trainer.current_epoch + 1}  {images}  {', '.join(values)}"

    def _losses(self, trainer: Trainer) -> list[str]:
        latest = MetricsLogger.of(trainer).latest
        names = {"G": "loss/generator", "D": "loss/discriminator"}
        return [f"{network} {latest[name]:.3f}" for network, name in names.items() if name in latest]

    def _speed(self, trainer: Trainer, gan: ConditionalGAN) -> tuple[str, str]:
        """Returns images per second since the start of this session, and the time left."""
        started, images_before = self._started
        rate = (gan.images_seen - images_before) / max(time.monotonic() - started, 1e-9)
        left = _seconds_left(trainer, (_total_images(trainer) - gan.images_seen) / max(rate, 1e-9))
        return f"{rate:,.0f} images/s", f"{tqdm.format_interval(left)} left"


def bar_layout(head: str, values: Sequence[str], columns: int) -> str:
    """Returns the ``bar_format`` of tqdm for a terminal of so many columns.

    It has each value that still fits, if need be with the beginning of its name: ``sliced_was.. 46.29``.
    """
    room = columns - len(f"{head}100% || ") - FEWEST_CELLS
    shown: list[str] = []
    for value in values:
        forms = (value, re.sub(r"^(\w{10})\w{3,}", r"\1..", value))
        shown += [form for form in forms if len(", ".join([*shown, form])) <= room][:1]
    text = ", ".join(shown).replace("{", "{{").replace("}", "}}")  # of a user's metric
    return f"{head}{{percentage:3.0f}}% |{{bar}}| {text}"


def _scores(trainer: Trainer) -> list[str]:
    """Returns the values of the last evaluation, with short names."""
    results = {name: each for callback in callbacks_of(trainer, Evaluation) for name, each in callback.results.items()}
    return [f"{short_name(name, each['n'])} {short_number(each['value'])}" for name, each in results.items()]


def _epoch(trainer: Trainer) -> str:
    """Returns the number of the current epoch, of those planned: ``3/10``; ``3`` without `max_epochs`."""
    epoch, last = trainer.current_epoch + 1, trainer.max_epochs
    return str(epoch) if last is None or last < 0 else f"{min(epoch, last)}/{last}"


def _has_no_end(trainer: Trainer) -> bool:
    return trainer.max_epochs is None or trainer.max_epochs < 0


def _seconds_left(trainer: Trainer, by_images: float) -> float:
    """Returns the time until the last epoch or trainer.max_time ends, whichever is first."""
    timers = callbacks_of(trainer, Timer)
    by_time = [max(left, 0.0) for timer in timers if (left := timer.time_remaining()) is not None]
    return min(by_time or [by_images]) if _has_no_end(trainer) else min([by_images, *by_time])


def _total_images(trainer: Trainer) -> int:
    """Returns the images of the whole run or, without `max_epochs`, up to the end of the current epoch."""
    epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else trainer.current_epoch + 1
    return epochs * images_per_epoch(trainer)
