"""Check of the commands with ``device=``: a GPU gives the results of the CPU."""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.gpu_check.check import Conditions, Failed, Numbers
from benchmarks.setting import CHECKOUT, DATA, tiny_run

_METRICS = "frechet,kernel,manifold,gan_test,memorisation,sliced_wasserstein"
_N = 500
_TOLERANCE = 0.02  # relative difference of a metric: images differ by a grey level, and features by rounding


def commands(conditions: Conditions) -> Numbers:
    """Compares images, metrics and analysis of ``device=cuda`` with those of the CPU."""
    device = conditions.setting.device.type
    numbers: Numbers = {}
    with tiny_run(conditions.setting) as run, TemporaryDirectory() as name:
        folder = Path(name)
        for where in dict.fromkeys(("cpu", device)):
            for command, arguments in _arguments(run, folder, where, conditions).items():
                start = time.perf_counter()
                _run(command, arguments)
                numbers[f"{command}, {where}, seconds"] = round(time.perf_counter() - start, 1)
        here, there = (np.load(folder / f"{where}.npz")["images"].astype(int) for where in ("cpu", device))
        scores, scores_there = (
            json.loads((folder / f"evaluate_{where}" / "evaluation.json").read_text(encoding="utf-8"))["scores"]
            for where in ("cpu", device)
        )
        pages = [(folder / f"analyze_{where}" / "report.html").stat().st_size for where in ("cpu", device)]
    grey_levels = int(np.abs(here - there).max())
    differences = {
        key: abs(scores[key]["value"] - scores_there[key]["value"]) / max(abs(scores[key]["value"]), 0.05)
        for key in scores
    }
    numbers |= {"largest difference of images, grey levels": grey_levels}
    numbers |= {"share of pixels that differ": round(float((here != there).mean()), 6)}
    numbers |= {f"relative difference of {key}": round(value, 6) for key, value in differences.items()}
    numbers |= {"bytes of the reports": pages}
    if grey_levels > 1:
        raise Failed("images differ by more than a grey level", numbers)
    if wrong := [key for key, value in differences.items() if not value < _TOLERANCE]:
        raise Failed(f"metrics differ by more than {_TOLERANCE:.0%}: {', '.join(wrong)}", numbers)
    return numbers


def _arguments(run: Path, folder: Path, where: str, conditions: Conditions) -> dict[str, list[str]]:
    usual = [f"run={run}", f"device={where}"]
    real = [*usual, f"data.root={DATA}", f"n={_N}", "bootstrap_samples=10"]
    return {
        "generate": [*usual, f"output={folder / where}.npz", "n_per_class=50"],
        "evaluate": [*real, f"output={folder}/evaluate_{where}", f"metric=[{_METRICS}]", "baselines=[]"],
        "analyze": [*real, f"output={folder}/analyze_{where}", *conditions.analysis],
    }


def _run(command: str, arguments: list[str]) -> None:
    line = [sys.executable, "-m", f"fmcgan.{command}", *arguments]
    done = subprocess.run(line, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(each for each in arguments if each.startswith("device="))
        raise Failed(f"fmcgan.{command} {shown} ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
