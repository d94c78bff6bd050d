"""The most main memory that training takes, in a process of its own."""

import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.setting import CHECKOUT, Setting

BATCHES = 200

# On Linux a process inherits the peak of the one that launched it. This one is large, so a small one stands between.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure(setting: Setting) -> list[dict[str, Any]]:
    """One row for each precision and for the default, which tries them: its own batch size, and one evaluation."""
    return [_peak(setting, precision) for precision in ("auto", *setting.precisions)]


def _peak(setting: Setting, precision: str) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        few = ["trainer.max_epochs=1", f"trainer.limit_train_batches={BATCHES}", f"hydra.run.dir={folder}"]
        train = [sys.executable, "-m", "fmcgan.train", *setting.overrides, f"trainer.precision={precision}", *few]
        output = subprocess.check_output([sys.executable, "-c", LAUNCHER, *train], cwd=CHECKOUT, text=True)
    kibibytes = int(output) / (1024 if sys.platform == "darwin" else 1)
    return {"precision": precision, "steps": BATCHES, "peak resident memory MB": kibibytes * 1024 / 1e6}
