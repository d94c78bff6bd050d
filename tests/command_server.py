"""Runs commands in forks of one process that has imported the large libraries, which saves seconds a command.

A request is a line of JSON on standard input; its answer, a line on standard output, is the exit code of the fork.
"""

import importlib
import json
import os
import runpy
import sys

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


for library in LIBRARIES:
    importlib.import_module(library)
if request := next_request():
    become(**request)
