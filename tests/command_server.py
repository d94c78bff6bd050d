"""Runs commands in forks of one process that has imported the large libraries, which saves seconds a command.

A request is a line of JSON on standard input; its answer, a line on standard output, is the exit code of the fork.
Pages that forks share with it are copied when they are written to, even by counting references: the collector leaves
out what was there before, and a fork ends without taking its modules apart. Together that takes longer than most
commands.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import sys
import threading

LIBRARIES = ("hydra.main", "lightning.pytorch", "matplotlib.figure", "scipy.stats", "torchmetrics", "torchvision")


def next_request() -> dict:
    """Forks for each request and waits for the fork's end.

    Returns:
        The request, in the fork; nothing, in the server, when there are no more.
    """
    for line in sys.stdin:
        if os.fork() == 0:
            return json.loads(line)
        _, status = os.wait()
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return {}


def become(name: str, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Makes this process the command ``python -m fmcgan.<name>`` with its output in files of a folder."""
    for number, path in enumerate((os.devnull, f"{folder}/stdout", f"{folder}/stderr")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(environment["PWD"])
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = environment["PWD"]
    sys.argv = [name, *arguments]
    runpy.run_module(f"fmcgan.{name}", run_name="__main__", alter_sys=True)


def end(code: object) -> None:
    """Ends this process as the interpreter would."""
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


for library in LIBRARIES:
    importlib.import_module(library)
gc.collect()
gc.freeze()
if request := next_request():
    try:
        become(**request)
    except SystemExit as stop:
        end(stop.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        end(1)
    end(None)
