"""Describes the command and the machine of this process. Every module may import this one."""

import platform
import shlex
import sys
from pathlib import Path

from fmcgan.app.escaping import decodable

_command: str | None = None


def set_command_line(command: str) -> None:
    """Sets the command of a process that works for another one."""
    global _command
    _command = command


def command_line() -> str:
    """Returns the command of this process, or that of the process it works for, as typed in a shell."""
    if _command is not None:
        return _command
    module = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"python -m {module.name}" if module else Path(sys.argv[0]).name
    return decodable(f"{program} {shlex.join(sys.argv[1:])}".strip())  # JSON cannot hold half a surrogate pair


def processor() -> str:
    """Returns the processor's name, such as ``AMD EPYC``."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
