"""What a check is: a function of the conditions that returns numbers, fails or is skipped."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig

from benchmarks.bare import BareLoop
from benchmarks.gpu_check.tape import on_tape
from benchmarks.setting import Setting
from fmcgan.training.cuda_graphs import CudaGraphs, Record
from fmcgan.training.gan import ConditionalGAN
from fmcgan.training.step import AdversarialStep

Numbers = dict[str, object]
"""Measured values by name: JSON types."""


class Failed(Exception):  # noqa: N818 (an outcome)
    """A check has failed. The message says what differs from what was expected."""

    def __init__(self, message: str, numbers: Numbers | None = None) -> None:
        super().__init__(message)
        self.numbers = numbers or {}


class Skipped(Exception):  # noqa: N818 (an outcome)
    """A check cannot run here. The message says why."""


@dataclass(frozen=True)
class Conditions:
    """Where the checks run, and how large they are.

    Attributes:
        setting: device, batch size, block of steps, and overrides of every configuration.
        epochs: of the long run.
        limits: overrides of its length and of short runs, for a CPU.
        analysis: overrides of ``fmcgan.analyze``.
    """

    setting: Setting
    epochs: int = 30
    limits: tuple[str, ...] = ()
    analysis: tuple[str, ...] = ()

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a CUDA GPU."""
        return self.setting.device.type == "cuda"

    def with_overrides(self, *overrides: str) -> Setting:
        """Returns the setting with further overrides."""
        return replace(self.setting, changes=(*self.setting.changes, *overrides))

    def config(self, folder: Path, *overrides: str) -> DictConfig:
        """Composes the configuration of a run without evaluations and figures."""
        callbacks = "callback=[metrics_logger,checkpointing,run_info]"
        return self.setting.config(callbacks, "metric=[]", *self.limits, *overrides, folder=folder)

    def recorder(self, step: AdversarialStep) -> Record:
        """Returns the function that records a step: as CUDA graphs, or with torch's dispatcher on a CPU."""
        return CudaGraphs() if self.on_gpu else on_tape(step)

    def loop(self, gan: ConditionalGAN, precision: str = "32-true", eager: bool = False) -> BareLoop:
        """Builds a bare loop that replays recorded steps, unless it is eager."""
        return BareLoop(gan, self.setting.images, self.setting.batch_size, precision, self.recorder, eager)


@dataclass(frozen=True)
class Check:
    """A check of the list.

    Attributes:
        run: raises `Failed` or `Skipped`, or any other error.
        title: what is checked.
        seconds: time limit.
    """

    run: Callable[[Conditions], Numbers]
    title: str
    seconds: int
