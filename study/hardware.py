"""The hardware of the study, CPU cores or a GPU, and the settings that depend on it."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Hardware:
    """Settings of one kind of hardware.

    Attributes:
        accelerator: of the Trainer.
        device: of torch.
        seconds: training time of every arm.
        workers: default number of parallel trainings.
        shared: whether parallel trainings measure the speed of each. Not on a GPU, whose queue one training fills.
        rows_every: batches between rows of ``metrics.jsonl`` while speed is measured, a multiple of every penalty's
            interval. Slow arms on a CPU need several rows; on a GPU each row makes the device wait.
        suffix: of the names of pages and of folders of runs.
    """

    accelerator: str
    device: str
    seconds: int
    workers: int
    shared: bool
    rows_every: int
    suffix: str

    def page(self, name: str) -> Path:
        """Returns the page of a table (``Table.page``)."""
        return CHECKOUT / "docs" / f"{name}{self.suffix}.md"

    def folder(self, name: str) -> Path:
        """Returns the folder of the runs of a table."""
        return Path("outputs/multirun") / f"{name}{self.suffix}"


CPU = Hardware("cpu", "cpu", 600, 2, True, 4, "")
GPU = Hardware("gpu", "cuda", 300, 1, False, 20, "_gpu")
HARDWARE = {each.accelerator: each for each in (CPU, GPU)}


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
