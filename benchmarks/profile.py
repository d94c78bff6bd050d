"""Profiles a training step: its most costly operations."""

from torch.profiler import ProfilerActivity, profile

from benchmarks.bare import BareLoop
from benchmarks.clock import Row
from benchmarks.setting import Setting

SHOWN = 10
STEPS = 8


def measure(setting: Setting) -> list[Row]:
    """Returns the ten most costly operations of the bare loop with `dcgan` for each precision, without CUDA graphs."""
    return [row for precision in setting.precisions for row in _costly(setting, precision)]


def _costly(setting: Setting, precision: str) -> list[Row]:
    loop = BareLoop(setting.gan(), setting.images, setting.batch_size, precision, eager=True)
    loop.run(STEPS)
    on_gpu = setting.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, record_shapes=True) as profiler:
        loop.run(STEPS)
    by_shape = profiler.key_averages(group_by_input_shape=True)
    own = {id(each): each.self_device_time_total if on_gpu else each.self_cpu_time_total for each in by_shape}
    total = sum(own.values())
    costly = sorted(by_shape, key=lambda each: own[id(each)], reverse=True)[:SHOWN]
    return [
        {
            "precision": precision,
            "operation": each.key.removeprefix("aten::"),
            "shapes": ", ".join("x".join(map(str, shape)) for shape in each.input_shapes[:3] if shape),
            "calls per step": each.count / STEPS,
            "ms per step": own[id(each)] / 1000 / STEPS,
            "share %": 100 * own[id(each)] / total,
        }
        for each in costly
    ]
