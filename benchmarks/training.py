"""Training: the whole program beside the ordinary loop and beside its own step alone, in turn in one process."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from benchmarks.bare import BareLoop
from benchmarks.clock import rates, ratios, seconds_of, synchronise
from benchmarks.ordinary import OrdinaryLoop
from benchmarks.setting import Setting, fit

log = logging.getLogger(__name__)

LOSS = "non_saturating_r1"
LIKE_FOR_LIKE = "non_saturating_r1 penalty.interval=1"  # R1 as often as in the ordinary loop
GRADIENT_PENALTY = "wgan_gp"
CALLBACKS = "callback=[metrics_logger,progress,run_info,checkpointing]"  # what acts while it trains


def measure(setting: Setting) -> list[dict[str, Any]]:
    """One row for each network, loss and precision."""
    cases = [(network, LOSS) for network in setting.networks]
    cases += [("dcgan", loss) for loss in (LIKE_FOR_LIKE, GRADIENT_PENALTY) if "dcgan" in setting.networks]
    rows = []
    for network, loss in cases:
        for precision in setting.precisions:
            log.info("  %s, %s, %s", network, loss, precision)
            rows.append(_compare(setting, network, loss, precision))
    return rows


def _compare(setting: Setting, network: str, loss: str, precision: str) -> dict[str, Any]:
    overrides = [f"network={network}", *f"loss={loss}".split()]
    ordinary_gan, bare_gan = setting.gan(*overrides), setting.gan(*overrides)
    images, labels = setting.images.train_images, setting.images.train_labels
    ordinary = OrdinaryLoop(ordinary_gan, images, labels, setting.batch_size)
    bare = BareLoop(bare_gan, setting.images, setting.batch_size, precision)
    turns = TakeTurns(ordinary, bare, setting)
    with TemporaryDirectory() as folder:
        # The metrics logger reads the numbers of each block within it: on a CPU five times as often as usual.
        more = [f"callback.metrics_logger.every_n_batches={min(20, setting.steps)}", f"trainer.precision={precision}"]
        endless = ["metric=[]", CALLBACKS, "trainer.max_epochs=100000"]
        fit(setting.config(*overrides, *more, *endless, folder=Path(folder)), turns)
    seconds = {name: taken[1:] for name, taken in turns.seconds.items()}  # the first round chooses kernels
    block, ordinary_block = setting.steps * setting.batch_size, turns.ordinary_steps * setting.batch_size  # in images
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


class TakeTurns(Callback):
    """Runs a block of the two other loops after every block of the Trainer's steps, and times all three.

    A block of the Trainer's is everything between two calls of this callback that is not another loop's: fetching
    batches, its own hooks, all other callbacks. What happens between two epochs is in no block.

    Args:
        ordinary: one of the others.
        bare: the other one.
        setting: steps in a block, and when to stop.
    """

    def __init__(self, ordinary: OrdinaryLoop, bare: BareLoop, setting: Setting) -> None:
        self.ordinary = ordinary
        self.bare = bare
        self.setting = setting
        self.ordinary_steps = setting.steps // 4  # all its steps are alike, and slow
        self.seconds: dict[str, list[float]] = {"ordinary": [], "bare": [], "ours": []}
        self.started = self.block_started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Starts the watch of the whole."""
        self.started = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Starts the watch of a block."""
        self.block_started = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """At the end of a block: reads the watch, lets the others run, starts it again."""
        if (batch_idx + 1) % self.setting.steps:
            return
        device = self.setting.device
        synchronise(device)
        self.seconds["ours"].append(time.perf_counter() - self.block_started)
        self.seconds["bare"].append(seconds_of(lambda: self.bare.run(self.setting.steps), device))
        with plain_fp32():
            self.seconds["ordinary"].append(seconds_of(lambda: self.ordinary.run(self.ordinary_steps), device))
        enough = len(self.seconds["ours"]) > 3
        trainer.should_stop = enough and time.perf_counter() - self.started > self.setting.seconds
        self.block_started = time.perf_counter()


@contextlib.contextmanager
def plain_fp32() -> Iterator[None]:
    """Matrix products without TF32 on a GPU: torch's default, and so the ordinary loop's."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
