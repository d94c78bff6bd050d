"""Describes the command and the machine of this process. Every module may import this one."""

import platform
import shlex
import sys
from pathlib import Path

from fmcgan.app.escaping import decodable


def command_line() -> str:
    """Returns the command of this process as typed in a shell."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"python -m {module.name}" if module else Path(sys.argv[0]).name
    return decodable(f"{program} {shlex.join(sys.argv[1:])}".strip())  # JSON cannot hold half a surrogate pair


def processor() -> str:
    """Returns the processor's name, such as ``AMD EPYC``."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
