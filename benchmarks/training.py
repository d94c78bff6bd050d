"""Compares the speed of training with a typical loop and with the bare step, in turns in one process."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.bare import BareLoop
from benchmarks.clock import Row, rates, ratios, seconds_of, synchronise
from benchmarks.ordinary import OrdinaryLoop
from benchmarks.setting import Setting, fit

log = logging.getLogger(__name__)

LOSS = "non_saturating_r1"
LIKE_FOR_LIKE = "non_saturating_r1 penalty.interval=1"  # R1 as often as in the typical loop
GRADIENT_PENALTY = "wgan_gp"
CALLBACKS = "callback=[metrics_logger,progress,run_info,checkpointing]"  # that act during training


def measure(setting: Setting) -> list[Row]:
    """Returns one row for each network, loss and precision."""
    cases = [(network, LOSS) for network in setting.networks]
    cases += [("dcgan", loss) for loss in (LIKE_FOR_LIKE, GRADIENT_PENALTY) if "dcgan" in setting.networks]
    rows = []
    for network, loss in cases:
        for precision in setting.precisions:
            log.info("  %s, %s, %s", network, loss, precision)
            rows.append(_compare(setting, network, loss, precision))
    return rows


def _compare(setting: Setting, network: str, loss: str, precision: str) -> Row:
    overrides = [f"network={network}", *f"loss={loss}".split()]
    ordinary_gan, bare_gan = setting.gan(*overrides), setting.gan(*overrides)
    images, labels = setting.images.train_images, setting.images.train_labels
    ordinary = OrdinaryLoop(ordinary_gan, images, labels, setting.batch_size)
    bare = BareLoop(bare_gan, setting.images, setting.batch_size, precision)
    ordinary_steps = setting.steps // 4  # its steps are slow, and all have the penalty

    def run_ordinary() -> None:
        with plain_fp32():
            ordinary.run(ordinary_steps)

    turns = InterleavedTiming({"bare": lambda: bare.run(setting.steps), "ordinary": run_ordinary}, setting)
    with TemporaryDirectory() as folder:
        # The metrics logger reads the metrics within each block: on a CPU five times as often as by default.
        more = [f"callback.metrics_logger.every_n_batches={min(20, setting.steps)}", f"trainer.precision={precision}"]
        endless = ["metric=[]", CALLBACKS, "trainer.max_epochs=100000"]
        fit(setting.config(*overrides, *more, *endless, folder=Path(folder)), turns)
    seconds = {name: taken[1:] for name, taken in turns.seconds.items()}  # the first round chooses kernels
    block, ordinary_block = setting.steps * setting.batch_size, ordinary_steps * setting.batch_size  # in images
    as_long = [each * block / ordinary_block for each in seconds["ordinary"]]
    return {
        "network": network,
        "loss": loss,
        "precision": precision,
        "ordinary images/s (fp32)": rates(ordinary_block, seconds["ordinary"]),
        "bare images/s": rates(block, seconds["bare"]),
        "ours images/s": rates(block, seconds["ours"]),
        "ours / ordinary": ratios(as_long, seconds["ours"]),
        "ours / bare": ratios(seconds["bare"], seconds["ours"]),
    }


class InterleavedTiming(Callback):
    """Callback that runs a block of each other loop after every block of the Trainer's steps, and times all of them.

    A block includes fetching batches, hooks and all other callbacks, but not the time between epochs.
    """

    def __init__(self, others: Mapping[str, Callable[[], object]], setting: Setting) -> None:
        self.others = others
        self.setting = setting
        self.seconds: dict[str, list[float]] = {"ours": [], **{name: [] for name in others}}
        self.started = self.block_started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of the whole comparison."""
        self.started = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock of a block."""
        self.block_started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Ends a block: reads the clock, runs the other loops and restarts the clock."""
        if (batch_idx + 1) % self.setting.steps:
            return
        device = self.setting.device
        synchronise(device)
        self.seconds["ours"].append(time.perf_counter() - self.block_started)
        for name, run in self.others.items():
            self.seconds[name].append(seconds_of(run, device))
        enough = len(self.seconds["ours"]) > 3
        trainer.should_stop = enough and time.perf_counter() - self.started > self.setting.seconds
        self.block_started = time.perf_counter()


@contextlib.contextmanager
def plain_fp32() -> Iterator[None]:
    """Computes matrix products on a GPU without TF32, torch's default."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
