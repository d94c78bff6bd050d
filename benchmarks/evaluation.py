"""Measures the time of the evaluation in training, and of ``fmcgan.evaluate`` with its default metrics."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from hydra.utils import instantiate

from benchmarks.clock import Row, Spread, spread, time_interleaved
from benchmarks.setting import CHECKOUT, DATA, Setting, tiny_run
from fmcgan.app.run_files import read_evaluation


def measure(setting: Setting) -> list[Row]:
    """Returns one row for training, one for the command, and one for each metric. Values of real images are cached."""
    return [
        {"evaluation": "in training: `frechet` and `gan_test`", "s": _in_training(setting)},
        *_command(setting),
    ]


def _in_training(setting: Setting) -> Spread:
    config = setting.config()
    evaluation, gan = instantiate(config.callback.evaluation), setting.gan()
    trainer = SimpleNamespace(
        is_global_zero=True, datamodule=SimpleNamespace(images=setting.images, info=instantiate(config.data).info)
    )
    evaluation.setup(trainer, gan, "fit")
    taken = time_interleaved(
        {"": lambda: evaluation.measure(gan.ema.calibrated(), seed=0)}, setting.device, seconds=0, at_least=2
    )
    return spread(taken[""])


def _command(setting: Setting) -> list[Row]:
    with tiny_run(setting) as run, TemporaryDirectory() as output:
        evaluate = [sys.executable, "-m", "fmcgan.evaluate", f"run={run}", f"output={output}"]
        evaluate += [f"data.root={DATA}", f"device={setting.device.type}"]
        for _ in range(2):  # the second time, the values of real images are cached
            start = time.perf_counter()
            subprocess.run(evaluate, cwd=CHECKOUT, stdout=subprocess.DEVNULL, check=True)
            total = time.perf_counter() - start
        by_score = (read_evaluation(Path(output) / "evaluation.json") or {})["seconds_by_score"]
    rows = {"`python -m fmcgan.evaluate`, launch included": total}
    rows |= {f"of which `{name}`": seconds for name, seconds in by_score.items()}
    return [{"evaluation": name, "s": seconds} for name, seconds in rows.items()]
