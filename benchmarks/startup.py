"""Measures the time from launch to the first training step, and to the help text."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.clock import Row, spread
from benchmarks.setting import CHECKOUT, Setting
from fmcgan.app import run_dir

TIMES = 3


def measure(setting: Setting) -> list[Row]:
    """Returns one row for each wait, with data and program files in the cache of the system."""
    waits = {
        "launch to first training step, default recipe (precision=auto)": lambda: _to_first_step(setting, "auto"),
        "launch to first training step, precision=32-true": lambda: _to_first_step(setting, "32-true"),
        "launch to help text": _to_help,
    }
    _to_first_step(setting, "32-true")  # fills the cache
    return [{"wait": name, "s": spread([wait() for _ in range(TIMES)])} for name, wait in waits.items()]


def _to_first_step(setting: Setting, precision: str) -> float:
    """Measures the time until the row of the first step is in ``metrics.jsonl``."""
    with TemporaryDirectory() as folder:
        overrides = [*setting.overrides, f"trainer.precision={precision}", "callback.metrics_logger.every_n_batches=1"]
        command = _train(*overrides, f"hydra.run.dir={folder}")
        metrics = Path(folder) / run_dir.METRICS_JSONL
        start = time.perf_counter()
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as process:
            while not (metrics.is_file() and metrics.stat().st_size) and process.poll() is None:
                time.sleep(0.005)
            seconds = time.perf_counter() - start
            ended = process.poll()
            process.kill()
    if ended is not None:
        raise RuntimeError(f"fmcgan.train ended with exit code {ended} before its first step")
    return seconds


def _to_help() -> float:
    start = time.perf_counter()
    subprocess.run(_train("--help"), cwd=CHECKOUT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _train(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fmcgan.train", *arguments]
