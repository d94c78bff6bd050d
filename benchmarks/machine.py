"""Records the machine, software and command of a measurement."""

import re
from pathlib import Path

import torch

from benchmarks.page import Measured
from benchmarks.setting import Setting, has_real_images
from fmcgan.callback.run_info import environment
from fmcgan.train import build

_RELEVANT = re.compile(r"\b(avx2|avx512f|avx512_bf16|avx512_fp16|amx_bf16|asimd|sve|bf16)\b")


def record(setting: Setting) -> Measured:
    """Returns date, command, commit, versions, machine and data, as JSON types."""
    cpuinfo = Path("/proc/cpuinfo")
    instructions = sorted(set(_RELEVANT.findall(cpuinfo.read_text(encoding="utf-8")))) if cpuinfo.exists() else []
    known = environment(build(setting.config("callback=[]", "logger=[]"))[0])
    return {
        "date": known["date"],
        "command": str(known["command"]).replace("benchmarks.__main__", "benchmarks"),
        "git": known["git"],
        "data": "Fashion-MNIST" if has_real_images() else "drawn images",
        "hardware": known["hardware"],
        "instructions": {"torch": torch.backends.cpu.get_cpu_capability(), "processor": instructions},
        "python": known["python"],
        "packages": known["packages"],
    }
