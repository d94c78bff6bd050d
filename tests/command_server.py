"""Runs commands in forks of one process that has imported the large libraries, which saves seconds a command.

All workers of a session share it; `tests.command_client` connects to it. A request is one message with three streams
and a socket: on the socket comes a line of JSON, the arguments of `become`; back go the number of the fork's process
and, when it has ended, its exit code. The server ends with its last connection.

Pages that forks share with it are copied when they are written to, even by counting references: the collector leaves
out what was there before, and a fork ends without taking its modules apart. Together that takes longer than most
commands.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import struct
import sys
import threading

LIBRARIES = ("hydra.main", "lightning.pytorch", "matplotlib.figure", "scipy.stats", "torchmetrics", "torchvision")


def draw_garments() -> None:
    """Draws the garments of most commands now; a fork draws only others."""
    from drawn import SyntheticData, remembering

    SyntheticData.load = remembering(SyntheticData.load)
    SyntheticData(batch_size=1, seed=0).load()


def next_request(listener: socket.socket) -> dict:
    """Forks for each request; returns the request in the fork. In the server, it never returns."""
    connections: list[socket.socket] = []
    while True:
        for each in select.select([listener, *connections], [], [])[0]:
            if each is listener:
                connections.append(listener.accept()[0])
                connections[-1].sendall(b"here")
                continue
            message, files, *_ = socket.recv_fds(each, 4, 4)
            if not message:
                connections.remove(each)
            elif os.fork() == 0 and (request := request_in_fork(*files)):
                return request
            for file in files:
                os.close(file)
        forget_ended()
        if not connections:
            os.killpg(0, signal.SIGKILL)


def forget_ended() -> None:
    """Asks for the exit codes of forks, which would else remain as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def request_in_fork(*files: int) -> dict:
    """Forks once more: the process in between waits for the other's end and tells it."""
    *streams, number = files
    answers = socket.socket(fileno=number)
    with answers.makefile(encoding="utf-8") as lines:
        request = json.loads(lines.readline())
    if (fork := os.fork()) == 0:
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
        os.closerange(3, 256)
        return request
    for stream in streams:
        os.close(stream)
    answers.sendall(struct.pack("i", fork))
    answers.sendall(struct.pack("i", os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])))
    os._exit(0)


def become(
    name: str, arguments: list[str], folder: str, environment: dict[str, str], limit: int | None, terminal: bool
) -> None:
    """Makes this process the command ``python -m fmcgan.<name>``, or the program in a file ``<name>.py``.

    No file can grow beyond the limit in bytes. The terminal that it has as a stream becomes its own.
    """
    if terminal:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    added = [each for each in environment.get("PYTHONPATH", "").split(os.pathsep) if each and each not in sys.path]
    sys.path[:1] = [folder, *added]
    sys.argv = [name, *arguments]
    if name.endswith(".py"):
        runpy.run_path(name, run_name="__main__")
    else:
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


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    draw_garments()
    gc.collect()
    gc.freeze()
    try:
        become(**next_request(socket.socket(fileno=int(sys.argv[1]))))
    except SystemExit as stop:
        end(stop.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        end(1)
    end(None)
