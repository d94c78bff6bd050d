"""Measures the peak main memory of training, in a separate process."""

import subprocess
import sys
from tempfile import TemporaryDirectory

from benchmarks.clock import Row
from benchmarks.setting import CHECKOUT, Setting

BATCHES = 200

# On Linux a process inherits the peak of its parent, so a small process starts the training.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure(setting: Setting) -> list[Row]:
    """Returns one row for each precision and for ``auto``, with the default batch size and one evaluation."""
    return [_peak(setting, precision) for precision in ("auto", *setting.precisions)]


def _peak(setting: Setting, precision: str) -> Row:
    with TemporaryDirectory() as folder:
        few = ["trainer.max_epochs=1", f"trainer.limit_train_batches={BATCHES}", f"hydra.run.dir={folder}"]
        train = [sys.executable, "-m", "fmcgan.train", *setting.overrides, f"trainer.precision={precision}", *few]
        output = subprocess.check_output([sys.executable, "-c", LAUNCHER, *train], cwd=CHECKOUT, text=True)
    kibibytes = int(output) / (1024 if sys.platform == "darwin" else 1)
    return {"precision": precision, "steps": BATCHES, "peak resident memory MB": kibibytes * 1024 / 1e6}
