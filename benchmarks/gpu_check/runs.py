"""Checks of whole runs: evaluation, resuming, the choice of the precision, and thirty epochs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from benchmarks.gpu_check.check import Conditions, Failed, Numbers
from benchmarks.setting import CHECKOUT, fit
from fmcgan.app import run_dir
from fmcgan.app.run_files import Record, read_config, read_result

_SHORT = ("network.generator.upsampling=nearest", "trainer.limit_train_batches=20")
"""Few steps; two runs can have the same bits, since the gradient of nearest-neighbour upsampling is repeatable."""
_NOISE = 10  # allowed difference, as a multiple of that of two equal runs
LONGEST_SECONDS = 20  # of training in the long run, on an H200


def evaluation_between(conditions: Conditions) -> Numbers:
    """Compares the weights of runs with and without evaluations and samples between the epochs."""
    evaluating = (
        *("metric=[frechet,gan_test]", "callback.evaluation.n=200"),
        "callback=[metrics_logger,samples,evaluation,checkpointing,run_info]",
    )
    with repeatable(), TemporaryDirectory() as folder:
        weights = [
            weights_of(fit(conditions.config(Path(folder) / str(number), *_SHORT, "trainer.max_epochs=3", *overrides)))
            for number, overrides in enumerate([(), (), evaluating])
        ]
    return _compared(weights[0], weights[1], weights[2], "evaluating changes the weights")


def resume(conditions: Conditions) -> Numbers:
    """Compares a resumed run with an uninterrupted one; continues its checkpoint on the CPU, and that on the device."""
    with repeatable(), TemporaryDirectory() as name:
        folder = Path(name)

        def run(where: str, epochs: int, *overrides: str) -> dict[str, Tensor]:
            return weights_of(fit(_epochs(conditions, folder / where, epochs, *overrides)))

        first, second = run("first", 2), run("second", 2)
        run("resumed", 1)
        resumed = run("resumed", 2, f"ckpt_path={folder / 'resumed' / run_dir.LAST_CHECKPOINT}")
        last = f"ckpt_path={folder / 'resumed' / run_dir.LAST_CHECKPOINT}"
        elsewhere = run("resumed", 3, last, "trainer.accelerator=cpu")
        back = run("resumed", 4, last)
    numbers = _compared(first, second, resumed, "a resumed run has other weights")
    finite = {
        name: all(bool(value.isfinite().all()) for value in weights.values())
        for name, weights in (("continued on the CPU", elsewhere), ("and back", back))
    }
    numbers |= {f"finite when {name}": value for name, value in finite.items()}
    if not all(finite.values()):
        raise Failed("weights are not finite after a change of the device", numbers)
    return numbers


def precision(conditions: Conditions) -> Numbers:
    """Trains with ``trainer.precision=auto`` and reads which precision was chosen, and why."""
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=8", "metric=[]", "callback=[metrics_logger,run_info]")
    output, config, _ = _train(conditions, "trainer.precision=auto", *few)
    chosen = config["trainer"]["precision"]
    reasons = re.findall(r"precision: .*", output)
    numbers: Numbers = {"chosen": chosen, "reason": reasons[0] if reasons else "", "graphs": _graphs_line(output)}
    if chosen not in ("32-true", "bf16-mixed") or len(reasons) != 1:
        raise Failed("no precision was chosen, or no reason was given", numbers)
    return numbers


def long_run(conditions: Conditions) -> Numbers:
    """Trains `dcgan` for thirty epochs and evaluates it once; on a GPU it must be as fast as promised."""
    epochs = conditions.epochs
    rare = (
        *(f"trainer.max_epochs={epochs}", f"callback.evaluation.every_n_epochs={epochs}"),
        f"callback.samples.every_n_epochs={epochs}",
    )
    batch = f"data.batch_size={conditions.setting.batch_size}"
    output, _, result = _train(conditions, "trainer.precision=auto", batch, *rare, *conditions.limits)
    numbers: Numbers = {
        "epochs": epochs,
        "training seconds": result["training_seconds"],
        "images/s": result["images_per_second"],
        "evaluation seconds": result["evaluation_seconds"],
        "graphs": _graphs_line(output),
        **{name: score["value"] for name, score in result["scores"].items()},
    }
    if conditions.on_gpu and not result["training_seconds"] < LONGEST_SECONDS:
        raise Failed(f"training takes more than {LONGEST_SECONDS} s", numbers)
    return numbers


@contextmanager
def repeatable() -> Iterator[None]:
    """Chooses algorithms that give the same bits in two runs, where there are such."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def weights_of(gan: nn.Module) -> dict[str, Tensor]:
    """Returns a copy of the weights of both networks and of the moving average, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in gan.named_parameters()}


def _epochs(conditions: Conditions, folder: Path, epochs: int, *overrides: str) -> DictConfig:
    return conditions.config(folder, *_SHORT, f"trainer.max_epochs={epochs}", *overrides)


def _compared(first: dict[str, Tensor], second: dict[str, Tensor], other: dict[str, Tensor], problem: str) -> Numbers:
    """Fails if another run differs from the first one by far more than an equal one does."""
    usual, found = _distance(first, second), _distance(first, other)
    numbers: Numbers = {"difference": found, "of two equal runs": usual}
    if not found <= _NOISE * usual:
        raise Failed(problem, numbers)
    return numbers


def _distance(one: dict[str, Tensor], two: dict[str, Tensor]) -> float:
    return max((one[name] - two[name]).abs().max().item() for name in one)


def _train(conditions: Conditions, *overrides: str) -> tuple[str, Record, Record]:
    """Runs ``fmcgan.train``; returns its log, its configuration and its result."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "run"
        command = [sys.executable, "-m", "fmcgan.train", *conditions.setting.overrides, f"hydra.run.dir={folder}"]
        done = subprocess.run([*command, *overrides], cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"fmcgan.train ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        config, result = read_config(folder / run_dir.CONFIG), read_result(folder / run_dir.RESULT)
    return done.stdout + done.stderr, config or {}, result or {}


def _graphs_line(output: str) -> str:
    return next(iter(re.findall(r"CUDA graphs: .*", output)), "")
