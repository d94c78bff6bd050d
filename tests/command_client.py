"""Starts commands as forks of the process of `tests.command_server`.

``python command_client.py ADDRESS -m fmcgan.train seed=1`` does what ``python -m fmcgan.train seed=1`` does.
"""

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO


def connect(address: Path) -> socket.socket:
    """Connects to the server. Raises `OSError` if there is none."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(address))
        if connection.recv(4, socket.MSG_WAITALL) == b"here":  # else it has just ended
            return connection
        raise ConnectionResetError(address)
    except OSError:
        connection.close()
        raise


def start_server(address: Path) -> None:
    """Starts a server in the place of one that has ended."""
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        file = listener.fileno()
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("command_server.py")), str(file)],
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=[file],
            start_new_session=True,
        )


class Fork:
    """A command that runs: what `subprocess.Popen` is of a fresh process.

    Args:
        server: what `connect` returned.
        name: of the command, or the path of a program.
        arguments: of the command.
        folder: where it runs.
        environment: all of its environment.
        streams: its standard input, output and error output; else files that `communicate` reads.
        limit: bytes beyond which none of its files can grow, as if the disk were full.
        terminal: whether the streams are a terminal that becomes its own.
    """

    def __init__(
        self,
        server: socket.socket,
        name: str,
        arguments: Sequence[str],
        *,
        folder: str,
        environment: dict[str, str],
        streams: Sequence[IO[str] | int] | None = None,
        limit: int | None = None,
        terminal: bool = False,
    ):
        if streams is None:
            streams = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(3)]  # noqa: SIM115
        self._answers, its_end = socket.socketpair()
        numbers = [each if isinstance(each, int) else each.fileno() for each in streams]
        with its_end:
            socket.send_fds(server, [b"fork"], [*numbers, its_end.fileno()])
        request = {"name": name, "arguments": list(arguments), "folder": folder, "environment": environment}
        self._answers.sendall(json.dumps(request | {"limit": limit, "terminal": terminal}).encode() + b"\n")
        self._streams = streams
        self.pid = self._answer()
        self.returncode: int | None = None

    def _answer(self) -> int:
        return struct.unpack("i", self._answers.recv(4, socket.MSG_WAITALL))[0]

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = self._answer()
            self._answers.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> list[str]:
        """Waits for its end; returns what it wrote as output and as error output."""
        self.wait(timeout)
        texts = []
        for stream in self._streams[1:]:
            with stream:
                stream.seek(0)
                texts.append(stream.read())
        return texts

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)


if __name__ == "__main__":
    address, _, module, *rest = sys.argv[1:]
    name = module.removeprefix("fmcgan.")
    fork = Fork(
        connect(Path(address)), name, rest, folder=str(Path.cwd()), environment=dict(os.environ), streams=(0, 1, 2)
    )
    sys.exit(fork.wait())
