"""Where the study runs: on the processor's cores or on a GPU, and what differs between the two."""

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Place:
    """One of them.

    Attributes:
        accelerator: of the Trainer.
        device: of torch.
        seconds: the time that every arm has.
        workers: trainings side by side, if the command line does not say.
        shared: whether two trainings at once tell what each costs; on a GPU, which one of them fills by starting
            kernels, they do not.
        rows_every: batches between two rows of ``metrics.jsonl`` while speed is measured, a multiple of every penalty's
            interval; slow arms on cores get a few rows too, and a GPU is not made to wait more than in a real run.
        page: the page of its table.
        folder: where its runs lie.
    """

    accelerator: str
    device: str
    seconds: int
    workers: int
    shared: bool
    rows_every: int
    page: Path
    folder: Path


CPU = Place("cpu", "cpu", 600, 2, True, 4, CHECKOUT / "docs" / "study.md", Path("outputs/multirun/study"))
GPU = Place("gpu", "cuda", 300, 1, False, 20, CHECKOUT / "docs" / "study_gpu.md", Path("outputs/multirun/study_gpu"))

PLACES = {place.accelerator: place for place in (CPU, GPU)}


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
