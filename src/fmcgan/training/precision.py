"""Selection of the faster precision by timing cycles of training steps."""

import gc
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from fmcgan.data.info import DatasetInfo
from fmcgan.training.gan import ConditionalGAN

log = logging.getLogger(__name__)

PRECISIONS = ("32-true", "bf16-mixed")

_WARM_UP = 2  # steps not timed
_MIN_STEPS, _MAX_STEPS = 3, 60  # timed steps, at least one cycle; always the maximum on a GPU
_GPU_CYCLES = 8  # least number of cycles on a GPU, where each kind of step is replayed from its fourth time on
_MIN_SECONDS = 0.5  # of timed steps on a CPU
_MIN_SPEEDUP = 1.15  # of bf16; smaller ones may be noise
_UNCERTAIN = (0.9, 1.5)  # speedups in this range are measured twice, as other processes may have slowed one trial


def faster_precision(
    build: Callable[[], ConditionalGAN], trainer: Callable[..., Trainer], batch_size: int, info: DatasetInfo
) -> str:
    """Trains a few steps on noise in each precision and returns the faster one of `PRECISIONS`.

    Times cycles of steps, since a penalty may be due at every fourth step only: the fastest step alone would be one
    without. bf16 is chosen if its fastest cycle is at least 1.15 times as fast. It is not measured if the device would
    emulate it, which can be twenty times slower. ``build`` makes a new GAN, ``trainer`` a Trainer with the given
    options; the noise has the shape and classes of a data set.
    """
    silent = {"logger": False, "enable_checkpointing": False}
    device = trainer(precision=PRECISIONS[0], **silent).strategy.root_device
    if not _has_bf16(device):
        log.info("precision: %s (this device has no bf16)", PRECISIONS[0])
        return PRECISIONS[0]
    images, labels = torch.rand(batch_size, *info.shape) * 2 - 1, torch.arange(batch_size) % info.num_classes
    seconds = dict.fromkeys(PRECISIONS, math.inf)
    for precision in PRECISIONS * 2:
        full, mixed = seconds.values()
        if math.isfinite(mixed) and not _UNCERTAIN[0] < full / mixed < _UNCERTAIN[1]:
            break
        with suppress_warnings():
            gan = build()
            timer, n = _StepTimer(gan.cycle), _WARM_UP + max(_MAX_STEPS, _GPU_CYCLES * gan.cycle)
            batches = TensorDataset(images.expand(n, -1, -1, -1, -1), labels.expand(n, -1))  # one batch, n times
            options = {"max_epochs": 1, "max_time": None, "limit_train_batches": n, "callbacks": [timer], **silent}
            trainer(precision=precision, **options).fit(gan, DataLoader(batches, batch_size=None))
        seconds[precision] = min(seconds[precision], timer.fastest)
        gc.collect()  # frees the CUDA graphs
    full, mixed = seconds.values()
    chosen = PRECISIONS[full / mixed >= _MIN_SPEEDUP]
    milliseconds = ", ".join(f"{precision} {1000 * each:.1f} ms" for precision, each in seconds.items())
    log.info("precision: %s (one step: %s; bf16 if %s times as fast)", chosen, milliseconds, _MIN_SPEEDUP)
    return chosen


@contextmanager
def suppress_warnings() -> Iterator[None]:
    """Suppresses log lines of a trial up to warnings, since the run repeats them."""
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


class _StepTimer(Callback):
    """Times the steps after the warm-up; stops the trial after enough steps.

    Args:
        cycle: number of steps after which their kinds repeat.
    """

    def __init__(self, cycle: int) -> None:
        self.cycle = cycle
        self._ends: list[float] = []  # of every step; on a GPU, which must not be waited for at each, of every cycle
        self._every = 1

    @property
    def fastest(self) -> float:
        """Seconds of a step in the fastest cycle, the least affected by other processes."""
        ends, window = self._ends[self._warm_up - 1 :], self.cycle // self._every
        return min(end - start for start, end in zip(ends, ends[window:], strict=False)) / self.cycle

    @property
    def _warm_up(self) -> int:
        return -(-_WARM_UP // self._every)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Lightning's handler would exit with code 0
        self._every = self.cycle if pl_module.device.type == "cuda" else 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % self._every:
            return
        on_gpu = pl_module.device.type == "cuda"
        if on_gpu:
            torch.cuda.synchronize()
        self._ends.append(time.perf_counter())
        timed = len(self._ends) - self._warm_up
        enough = timed >= max(_MIN_STEPS, self.cycle)
        if not on_gpu and enough and self._ends[-1] - self._ends[self._warm_up - 1] > _MIN_SECONDS:
            trainer.should_stop = True
