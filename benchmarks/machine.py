"""On what, with what and how a part was measured."""

import re
from pathlib import Path
from typing import Any

import torch

from benchmarks.setting import Setting, there_are_real_images
from fmcgan.callback.run_info import environment
from fmcgan.train import build

_MATTERS = re.compile(r"\b(avx2|avx512f|avx512_bf16|avx512_fp16|amx_bf16|asimd|sve|bf16)\b")


def record(setting: Setting) -> dict[str, Any]:
    """Date, command, commit, versions, machine and data, as JSON types."""
    known = environment(build(setting.config("callback=[]", "logger=[]"))[0])
    return {
        "date": known["date"],
        "command": known["command"].replace("benchmarks.__main__", "benchmarks"),
        "git": known["git"],
        "data": "Fashion-MNIST" if there_are_real_images() else "drawn images",
        "hardware": known["hardware"],
        "instructions": {"torch": torch.backends.cpu.get_cpu_capability(), "processor": _instructions()},
        "python": known["python"],
        "packages": known["packages"],
    }


def _instructions() -> list[str]:
    """Those of the processor's instruction sets that matter here; none where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    return sorted(set(_MATTERS.findall(cpuinfo.read_text(encoding="utf-8")))) if cpuinfo.exists() else []
