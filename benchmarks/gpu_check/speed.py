"""Checks of speed and memory of the captured step."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.bare import BareLoop
from benchmarks.clock import spread
from benchmarks.gpu_check.check import Conditions, Failed, Numbers, Skipped
from benchmarks.setting import fit
from benchmarks.training import CALLBACKS, InterleavedTiming
from fmcgan.training.cuda_graphs import CapturedStep

LEAST_SHARE = 0.8  # speed of the Trainer, of that of the bare captured loop
_REPLAYS = 20
_SHOWN = 5


def step_times(conditions: Conditions) -> Numbers:
    """Times a step of the Trainer, of the bare loop (captured and eager) and of replays alone, in turns."""
    setting, slow = conditions.setting, []
    numbers: Numbers = {}
    for precision in setting.precisions:
        captured, eager = (conditions.loop(setting.gan(), precision, eager) for eager in (False, True))
        replays = _replays(captured)
        blocks = setting.steps // len(replays) * replays
        others: dict[str, Callable[[], object]] = {
            "bare captured": functools.partial(captured.run, setting.steps),
            "bare eager": functools.partial(eager.run, setting.steps),
            "replay alone": functools.partial(_run_all, blocks),
        }
        turns = InterleavedTiming(others, setting)
        with TemporaryDirectory() as folder:
            endless = ["metric=[]", CALLBACKS, "trainer.max_epochs=100000", f"trainer.precision={precision}"]
            fit(setting.config(*endless, folder=Path(folder)), turns)
        ms = {name: 1000 * spread(taken[1:])["median"] / setting.steps for name, taken in turns.seconds.items()}
        share = ms["bare captured"] / ms["ours"]
        numbers |= {f"{precision}, {'trainer' if name == 'ours' else name}, ms": round(ms[name], 4) for name in ms}
        numbers[f"{precision}, trainer / bare captured"] = round(share, 3)
        slow += [precision] if share < LEAST_SHARE else []
    if conditions.on_gpu and slow:
        raise Failed(
            f"the Trainer has less than {LEAST_SHARE:.0%} of the bare captured loop: {', '.join(slow)}", numbers
        )
    return numbers


def _run_all(actions: Sequence[Callable[[], object]]) -> None:
    for action in actions:
        action()


def _replays(loop: BareLoop) -> list[Callable[[], None]]:
    """Runs a loop until its steps are replayed; returns the replays of one cycle, in their order."""
    step, found = loop.adversarial_step, []
    assert isinstance(step, CapturedStep)
    loop.run(5 * loop.gan.cycle)
    before = {key: graph.replay for key, graph in step.graphs.items()}

    def watched(replay: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            found.append(replay)
            replay()

        return run

    for key, graph in step.graphs.items():
        graph.replay = watched(before[key])
    loop.run(loop.gan.cycle)
    for key, graph in step.graphs.items():
        graph.replay = before[key]
    if len(found) != loop.gan.cycle:
        raise Failed(f"{len(found)} of {loop.gan.cycle} steps are replayed")
    return found


def profiled(conditions: Conditions) -> Numbers:
    """Profiles 20 replays of the default recipe in bf16: number of kernels, their time, and the slowest ones."""
    loop = conditions.loop(conditions.setting.gan(), "bf16-mixed")
    replays = _replays(loop)
    kind = ProfilerActivity.CUDA if conditions.on_gpu else ProfilerActivity.CPU
    with profile(activities=[kind]) as profiler:
        for number in range(_REPLAYS):
            replays[number % len(replays)]()
        if conditions.on_gpu:
            torch.cuda.synchronize()
    times: Counter[str] = Counter()
    count = 0
    for event in profiler.key_averages():
        own = event.self_device_time_total if conditions.on_gpu else event.self_cpu_time_total
        times[event.key] += own
        count += event.count if own else 0
    total = sum(times.values())
    numbers: Numbers = {"kernels in a replay": count / _REPLAYS, "ms of kernels in a replay": total / 1000 / _REPLAYS}
    numbers |= {f"share of {key[:60]}": round(time / total, 3) for key, time in times.most_common(_SHOWN)}
    if not total:
        raise Failed("the profiler saw no kernel", numbers)
    return numbers


def memory(conditions: Conditions) -> Numbers:
    """Measures the peak GPU memory of captured and of eager training, in MB."""
    if not conditions.on_gpu:
        raise Skipped("counts GPU memory; `python -m benchmarks memory` measures main memory")
    numbers: Numbers = {}
    for precision in conditions.setting.precisions:
        for name, eager in (("eager", True), ("captured", False)):
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            loop = conditions.loop(conditions.setting.gan(), precision, eager)
            loop.run(6 * loop.gan.cycle)
            numbers[f"{precision}, {name}, allocated"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
            numbers[f"{precision}, {name}, reserved"] = round(torch.cuda.max_memory_reserved() / 1e6, 1)
            del loop
    return numbers
