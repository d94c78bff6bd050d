"""``python -m benchmarks gpu_check``: checks training and commands on a GPU, each check in its own process."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypedDict

import torch

from benchmarks import machine
from benchmarks.gpu_check import capture, commands, runs, speed
from benchmarks.gpu_check.check import Check, Conditions, Failed, Numbers, Skipped
from benchmarks.setting import CHECKOUT, Setting
from fmcgan.app.checks import positive_number, whole_number
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import write_json

CHECKS = {
    "kernel": Check(capture.kernel, "a kernel runs", 60),
    "capture": Check(capture.capture, "nine kinds of networks and losses are captured, in fp32 and bf16", 150),
    "same_as_eager": Check(capture.same_as_eager, "captured steps equal eager ones, and each other", 60),
    "rate_zero": Check(capture.rate_zero, "a replay follows the learning rate", 60),
    "evaluation_between": Check(runs.evaluation_between, "evaluating between epochs changes nothing", 90),
    "resume": Check(runs.resume, "resumed runs are the same; a checkpoint moves to the CPU and back", 90),
    "failed_capture": Check(capture.failed_capture, "a failed capture goes on, or ends in one line", 60),
    "precision": Check(runs.precision, "precision=auto chooses", 90),
    "step_times": Check(speed.step_times, "ms a step: trainer, bare captured, bare eager, replay alone", 120),
    "profile": Check(speed.profiled, "kernels of 20 replays", 60),
    "long_run": Check(runs.long_run, "thirty epochs of dcgan", 180),
    "commands": Check(commands.commands, "generate, evaluate and analyze with device= give what the CPU gives", 180),
    "memory": Check(speed.memory, "peak memory", 60),
}


class Sizes(NamedTuple):
    """Default sizes of the checks on a device; some have an option."""

    minutes: float
    batch_size: int
    steps: int  # in a timed block
    seconds: float  # of a comparison
    epochs: int
    set: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    analysis: tuple[str, ...] = ()


ON_A_GPU = Sizes(minutes=9, batch_size=128, steps=100, seconds=5, epochs=30)
ON_A_CPU = Sizes(
    *(30, 16, 4, 0, 2),
    set=("network.width=8",),
    limits=("trainer.limit_train_batches=20",),
    analysis=("analysis=[sample_check,directions,truncation]", "analysis.truncation.n=200"),
)
"""Small, so that all takes minutes on two cores."""


class Outcome(TypedDict):
    """What became of a check."""

    status: str  # ok, failed or skipped
    reason: str  # of a failed or skipped check
    numbers: Numbers
    seconds: float


def main(given: Sequence[str] | None = None) -> None:
    """Runs the checks of the command line; exit code 1 if one has failed."""
    arguments = _arguments(given)
    try:
        conditions = _conditions(arguments)
        if arguments.child is not None:
            write_json(arguments.child, dict(_outcome(arguments.checks[0], conditions)))
            return
        outcomes = _run_all(arguments, conditions)
    except UserError as error:
        sys.exit(format_error(error))
    seconds = round(sum(each["seconds"] for each in outcomes.values()), 1)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    record = _machine(conditions) | {"device": arguments.device, "seconds": seconds, "checks": outcomes}
    write_json(arguments.output, record)
    failed = [name for name, outcome in outcomes.items() if outcome["status"] == "failed"]
    summary = f"{len(failed)} of {len(outcomes)} checks failed" if failed else f"{len(outcomes)} checks, none failed"
    print(f"{summary}, {seconds:.0f} s, values in {arguments.output}")  # noqa: T201
    sys.exit(bool(failed))


def _machine(conditions: Conditions) -> dict[str, object]:
    try:
        return machine.record(conditions.setting)
    except Exception as error:  # a GPU that does not work is a result too
        return machine.record(Setting(torch.device("cpu"))) | {"hardware": f"{conditions.setting.device}: {error}"}


def _run_all(arguments: argparse.Namespace, conditions: Conditions) -> dict[str, Outcome]:
    """Runs each check in its own process and prints a line for it."""
    end = time.perf_counter() + 60 * arguments.minutes
    outcomes: dict[str, Outcome] = {}
    for name in arguments.checks:
        left = end - time.perf_counter()
        if left < 1:
            outcome = Outcome(
                status="skipped", reason=f"--minutes={arguments.minutes:g} are over", numbers={}, seconds=0
            )
        elif "kernel" in outcomes and outcomes["kernel"]["status"] == "failed":
            outcome = Outcome(status="skipped", reason="no kernel runs", numbers={}, seconds=0)
        else:
            limit = CHECKS[name].seconds if conditions.on_gpu else 60 * arguments.minutes
            outcome = _in_process(name, arguments, min(left, limit))
        outcomes[name] = outcome
        print(_line(name, outcome), flush=True)  # noqa: T201
    return outcomes


def _in_process(name: str, arguments: argparse.Namespace, limit: float) -> Outcome:
    """Runs a check in a child process, which may crash, hang or leave the device unusable."""
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "outcome.json"
        command = [sys.executable, "-X", "faulthandler", "-m", "benchmarks.gpu_check", name, f"--child={file}"]
        with subprocess.Popen(
            [*command, *_options(arguments)],
            cwd=CHECKOUT,
            env=os.environ | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"},  # repeatable matrix products
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=limit)
                reason = f"the process ended with exit code {process.returncode}: {output.strip()[-500:]}"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its own children too
                reason = f"not done after {limit:.0f} s"
        outcome: Outcome = {"status": "failed", "reason": reason, "numbers": {}, "seconds": 0}
        if file.exists():
            outcome = json.loads(file.read_text(encoding="utf-8"))
    return outcome | {"seconds": round(time.perf_counter() - start, 1)}  # type: ignore[return-value]


def _outcome(name: str, conditions: Conditions) -> Outcome:
    status, reason = "ok", ""
    try:
        numbers = CHECKS[name].run(conditions)
    except Skipped as skipped:
        status, reason, numbers = "skipped", str(skipped), {}
    except Failed as failed:
        status, reason, numbers = "failed", str(failed), failed.numbers
    except Exception as error:  # any; the others go on
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {str(error)[:500]} ({Path(where.filename).name}:{where.lineno})"
        status, numbers = "failed", {}
    return {"status": status, "reason": reason, "numbers": numbers, "seconds": 0}


def _line(name: str, outcome: Outcome) -> str:
    """Formats one line: name, status, seconds, reason, numbers."""
    numbers = "; ".join(f"{key} {_text(value)}" for key, value in outcome["numbers"].items())
    parts = [f"{name:18} {outcome['status']:7} {outcome['seconds']:6.1f} s  {CHECKS[name].title}"]
    return ": ".join(part for part in (*parts, outcome["reason"].replace("\n", " "), numbers) if part)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    listed = "\n".join(f"  {name:18} {check.title}" for name, check in CHECKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks gpu_check",
        description=f"Check training and commands on a GPU, or in part on a CPU.\n\nchecks:\n{listed}",
        epilog="A check that fails, crashes or hangs does not stop the others. The exit code is 1 if one has failed.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checks", nargs="*", default="all", choices=["all", *CHECKS], metavar="CHECK", help="what to check (all)")
    usual_device = "cuda" if torch.cuda.is_available() else "cpu"
    add("--device", default=usual_device, choices=["cpu", "cuda"], help="cpu or cuda (%(default)s)")
    add("--minutes", type=float, help="time limit of all checks (9; 30 on a CPU)")
    add("--batch-size", type=int, help="images in a batch (128; 16 on a CPU)")
    add("--epochs", type=int, help="epochs of the long run (30; 2 short ones on a CPU)")
    add("--set", nargs="+", metavar="KEY=VALUE", help="change the configuration (on a CPU network.width=8)")
    output = CHECKOUT / "outputs" / "gpu_check.json"
    add("--output", type=Path, default=output, help="JSON file of the values (outputs/gpu_check.json)")
    add("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    arguments.checks = list(CHECKS) if "all" in arguments.checks else arguments.checks
    for key, value in _sizes(arguments)._asdict().items():
        if getattr(arguments, key, None) is None:
            setattr(arguments, key, value)
    return arguments


def _sizes(arguments: argparse.Namespace) -> Sizes:
    return ON_A_GPU if arguments.device == "cuda" else ON_A_CPU


def _options(arguments: argparse.Namespace) -> list[str]:
    """Returns the options of a child process."""
    options = [f"--device={arguments.device}", f"--batch-size={arguments.batch_size}", f"--epochs={arguments.epochs}"]
    return [*options, *(["--set", *arguments.set] if arguments.set else [])]


def _conditions(arguments: argparse.Namespace) -> Conditions:
    whole_number(**{"--batch-size": arguments.batch_size, "--epochs": arguments.epochs})
    positive_number(**{"--minutes": arguments.minutes})
    setting = Setting(
        torch.device(arguments.device),
        batch_size=arguments.batch_size,
        steps=arguments.steps,
        seconds=arguments.seconds,
        changes=("training.fused=false", *arguments.set),  # a GPU has no such function, and no tape can record it
    )
    return Conditions(setting, arguments.epochs, arguments.limits, arguments.analysis)


if __name__ == "__main__":
    main()
