"""C++ files of this package, compiled where they run."""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

from fmcgan.app.user_dirs import cache_dir, private_temp_dir

log = logging.getLogger(__name__)

_FLAGS = ("-O3", "-std=c++17", "-fopenmp", "-fPIC", "-shared")
_LEVELS = {"AVX2": ("-march=x86-64-v3",), "AVX512": ("-march=x86-64-v4", "-mprefer-vector-width=512")}
_SECONDS = 120  # that a compiler may take


class CompilationError(Exception):
    """There is no C++ compiler, or it failed. The message is one line."""


@cache
def compiled(source: Path) -> ctypes.CDLL:
    """Compiles a C++ file and loads it as a shared library.

    The library is kept in the user's cache. Its name is a hash of all that it depends on, and it uses only the vector
    instructions that torch has found, so that machines may share a home folder. OpenMP is torch's own, which is
    already loaded, with torch's threads.

    Raises:
        CompilationError: there is no compiler, it failed, or the library cannot be loaded.
    """
    compiler = os.environ.get("CXX") or next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        raise CompilationError("there is no C++ compiler; install g++ or clang++, or set CXX")
    command = [*compiler.split(), *_FLAGS, *_LEVELS.get(torch.backends.cpu.get_cpu_capability(), ())]
    known = (source.read_text(encoding="utf-8"), *command, platform.system(), platform.machine())
    name = f"{source.stem}-{hashlib.sha256(repr(known).encode()).hexdigest()[:16]}.so"
    for folder in (cache_dir() / "compiled", private_temp_dir()):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / name).exists():
                _compile([*command, str(source)], folder / name)
            return ctypes.CDLL(str(folder / name))
        except OSError as error:  # a folder that cannot be written, or whose files cannot be run
            reason = str(error)
    raise CompilationError(reason)


def _compile(command: list[str], library: Path) -> None:
    """Runs the compiler; the library appears when it is whole."""
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        draft = Path(folder) / library.name
        try:
            subprocess.run([*command, "-o", str(draft)], check=True, capture_output=True, text=True, timeout=_SECONDS)
        except (subprocess.SubprocessError, FileNotFoundError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip()
            raise CompilationError(f"{command[0]} failed: {said.splitlines()[0] if said else error}") from error
        draft.replace(library)
