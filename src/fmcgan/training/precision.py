"""Choice of the faster precision, by measuring training steps on this machine."""

import gc
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

log = logging.getLogger(__name__)

PRECISIONS = ("32-true", "bf16-mixed")

_WARM_UP = 2  # steps not timed
_LEAST, _MOST = 3, 60  # timed steps; always the most on a GPU, where a step is captured only after some
_ENOUGH = 0.5  # seconds of timed steps on a CPU
_GAIN = 1.15  # smaller gains may come from other work on the machine: full precision is kept
_CLOSE = (0.9, 1.5)  # gains between these are measured twice: other work may have slowed one of the two


def faster_precision(build: Callable[[], LightningModule], trainer: Callable[..., Trainer], batch_size: int) -> str:
    """Trains a few steps on noise in each precision and returns the faster one.

    bf16 is chosen if its fastest step is at least 1.15 times as fast. It is not measured where it would be emulated,
    which can be twenty times slower.

    Args:
        build: builds a new GAN.
        trainer: builds a Trainer from the given options.
        batch_size: images in a batch.

    Returns:
        ``"32-true"`` or ``"bf16-mixed"``.
    """
    device = trainer(logger=False, enable_checkpointing=False, precision=PRECISIONS[0]).strategy.root_device
    if not _has_bf16(device):
        log.info("precision: %s (no bf16 here)", PRECISIONS[0])
        return PRECISIONS[0]
    n = _WARM_UP + _MOST
    images, labels = torch.rand(batch_size, 1, 28, 28) * 2 - 1, torch.arange(batch_size) % 10
    batches = TensorDataset(images.expand(n, -1, -1, -1, -1), labels.expand(n, -1))  # one batch, n times
    seconds = dict.fromkeys(PRECISIONS, math.inf)
    for precision in PRECISIONS * 2:
        full, mixed = seconds.values()
        if math.isfinite(mixed) and not _CLOSE[0] < full / mixed < _CLOSE[1]:
            break
        watch = _Watch()
        limits = {"max_epochs": 1, "max_time": None, "limit_train_batches": n}
        with silence():
            gan = build()
        silent = {"callbacks": [watch], "logger": False, "enable_checkpointing": False}
        trainer(precision=precision, **silent, **limits).fit(gan, DataLoader(batches, batch_size=None))
        seconds[precision] = min(seconds[precision], watch.quickest)
        gc.collect()  # a GPU's recorded graphs go before others are made
    full, mixed = seconds.values()
    chosen = PRECISIONS[full / mixed >= _GAIN]
    milliseconds = ", ".join(f"{precision} {1000 * each:.1f} ms" for precision, each in seconds.items())
    log.info("precision: %s (a step here: %s; bf16 if %s times as fast)", chosen, milliseconds, _GAIN)
    return chosen


@contextmanager
def silence() -> Iterator[None]:
    """Suppresses the warnings of a trial: building the run itself repeats them."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class _Watch(Callback):
    """Times the steps after the first few; stops the trial after enough of them."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    @property
    def quickest(self) -> float:
        """Seconds of the fastest step, the one that other work on the machine slowed least."""
        return min(end - start for start, end in pairwise(self._ends[_WARM_UP - 1 :]))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Lightning's handler would exit with code 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        on_gpu = pl_module.device.type == "cuda"
        if on_gpu:
            torch.cuda.synchronize()
        self._ends.append(time.perf_counter())
        timed = len(self._ends) - _WARM_UP
        if not on_gpu and timed >= _LEAST and self._ends[-1] - self._ends[_WARM_UP - 1] > _ENOUGH:
            trainer.should_stop = True
