"""Mirrors that send too much, too slowly, to somewhere else, or nothing."""

import gzip
import logging
import os
import pathlib
import socketserver
import struct
import threading
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock
from torchvision.datasets import FashionMNIST

from fmcgan.app import progress
from fmcgan.app.errors import UserError
from fmcgan.data import archive, download
from fmcgan.data.archive import read_idx
from fmcgan.data.fashion_mnist import FashionMNISTData
from tests.data.test_archive import ensure_archives

OK = b"HTTP/1.1 200 OK\r\n"
SIZE = 100_000


@pytest.fixture
def serving():
    """Serves what a function writes into the connection, until the other side has enough."""
    servers = []

    def serving(answer) -> str:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.recv(65536)
                with suppress(OSError):  # the other side may have closed
                    answer(self.request.sendall)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/file.gz"

    yield serving
    for server in servers:
        server.shutdown()
        server.server_close()


def without_end(send, chunked=False):
    block = b"x" * 65536
    send(OK + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
    while True:
        send(b"10000\r\n" + block + b"\r\n" if chunked else block)


def slowly(send, start=OK + b"\r\n"):
    send(start)
    for _ in range(1000):
        send(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_mirror_that_sends_without_end_is_left_at_the_known_size(serving, tmp_path, chunked):
    address = serving(lambda send: without_end(send, chunked))
    failure = download.download(address, tmp_path / "file", SIZE)
    assert failure == f"{address}: sends more than the 100,000 bytes of the file"
    assert (tmp_path / "file").stat().st_size <= SIZE


@pytest.mark.parametrize("announced", [SIZE + 1, 10**15, 10**18])
def test_a_length_beyond_it_is_refused_at_once(serving, tmp_path, announced):
    address = serving(lambda send: send(OK + f"Content-Length: {announced}\r\n\r\nxxx".encode()))
    assert f"sends {announced:,} bytes, the file has 100,000" in download.download(address, tmp_path / "file", SIZE)
    assert (tmp_path / "file").stat().st_size == 0


@pytest.mark.parametrize("where", ["body", "headers", "status line", "nowhere"])
def test_a_mirror_that_is_too_slow_is_left_after_a_time_limit_and_not_in_silence(
    serving, tmp_path, monkeypatch, caplog, where
):
    starts = {"body": OK + b"\r\n", "headers": OK + b"X-Long: ", "status line": b"HTTP/1.1 2", "nowhere": b""}
    address = serving(lambda send: time.sleep(5) if where == "nowhere" else slowly(send, starts[where]))
    monkeypatch.setattr(download, "time_limit", lambda size: 0.5)
    monkeypatch.setattr(progress, "FIRST_SEC", 0.1)
    start = time.monotonic()
    with caplog.at_level(logging.INFO):
        failure = download.download(address, tmp_path / "file.gz", SIZE)
    assert time.monotonic() - start < 2
    assert failure == f"{address}: took longer than 0 s"
    assert any("file.gz" in line and "of 100,000 bytes, about" in line for line in caplog.messages)


def test_the_time_limit_lets_a_slow_line_pass():
    """20 kB a second: the images come within 23 minutes, the labels within about one."""
    assert 60 < download.time_limit(5_148) < 61
    assert 20 * 60 < download.time_limit(26_421_880) < 25 * 60


@pytest.mark.parametrize("target", ["file:///etc/passwd", "file://localhost/etc/passwd", "data:,x", "gopher://x/"])
def test_a_redirection_to_another_kind_of_address_is_refused(serving, tmp_path, target):
    address = serving(lambda send: send(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode()))
    assert "302" in download.download(address, tmp_path / "file", SIZE)
    assert (tmp_path / "file").stat().st_size == 0


def test_a_circle_of_redirections_ends(serving, tmp_path):
    address = serving(lambda send: send(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"))
    assert "302" in download.download(address, tmp_path / "file", SIZE)


@pytest.mark.parametrize(
    "answer", [b"", b"\0" * 100, b"HTTP/1.1\r\n\r\n", OK + b"Content-Length: 10\r\n\r\nabc", OK * 200]
)
def test_nonsense_is_one_line_or_a_file_that_the_checksum_refuses(serving, tmp_path, answer):
    failure = download.download(serving(lambda send: send(answer)), tmp_path / "file", SIZE)
    assert failure is None or len(failure.splitlines()) == 1


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_folder_as_mirror_gives_files_only(tmp_path, kind):
    place = tmp_path / "file.gz"
    os.mkfifo(place) if kind == "pipe" else place.symlink_to("/dev/zero")
    assert download.download(place.as_uri(), tmp_path / "copy", SIZE).endswith("is not a file")


def test_a_full_disk_is_no_fault_of_the_mirror(serving, tmp_path):
    full = "/dev/full"
    if not pathlib.Path(full).exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "copy").symlink_to(full)
    with pytest.raises(OSError, match="No space left"):
        download.download(serving(without_end), tmp_path / "copy", SIZE)


def test_the_sizes_are_those_of_the_real_files(mirror):
    folder = Path(mirror)
    if not folder.is_dir():
        pytest.skip("the mirror is no folder")
    assert tuple((folder / name).stat().st_size for name, _ in FashionMNIST.resources) == FashionMNISTData.sizes


def test_a_lock_that_another_process_holds_is_waited_for_with_a_word(mini_mirror, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(archive, "LOCK_SEC", 0.1)
    held = FileLock(tmp_path / "FashionMNIST.lock", thread_local=False, is_singleton=False)
    held.acquire()
    threading.Timer(0.5, held.release).start()
    with caplog.at_level(logging.INFO):
        ensure_archives(tmp_path, str(mini_mirror))
    assert "another process" in caplog.text


def test_a_lock_that_is_never_released_ends_in_one_line(mini_mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LOCK_SEC", 0.1)
    monkeypatch.setattr(archive, "time_limit", lambda size: 0.01)
    held = FileLock(tmp_path / "FashionMNIST.lock", is_singleton=False)
    with held, pytest.raises(UserError, match=r"another process has held .*FashionMNIST\.lock for 0 s"):
        ensure_archives(tmp_path, str(mini_mirror))


def test_a_lock_file_left_behind_is_no_lock(mini_mirror, tmp_path):
    (tmp_path / "FashionMNIST.lock").write_text("left behind")
    ensure_archives(tmp_path, str(mini_mirror))


def test_a_lock_that_cannot_be_a_file_is_one_line(mini_mirror, tmp_path):
    (tmp_path / "FashionMNIST.lock").mkdir()
    with pytest.raises(UserError, match=r"cannot be used.*data\.root="):
        ensure_archives(tmp_path, str(mini_mirror))


@pytest.mark.parametrize(
    "mirror", ["http://[::1", "http://", "https://\0/", "http://host:port/", "http://a b/", "file://"]
)
def test_addresses_that_are_none_are_one_line(mirror, mini_mirror, tmp_path):
    data = FashionMNISTData(tmp_path, mirror, batch_size=1, seed=0)
    with pytest.raises(UserError, match=r"data\.mirror=") as refused:
        data.prepare_data()
    assert len(str(refused.value).splitlines()) <= 2


def test_a_file_that_unpacks_to_more_than_it_says_is_read_no_further(tmp_path):
    header = b"\0\0\x08\x03" + struct.pack(">3I", 10, 28, 28)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(header + bytes(100_000_000), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(UserError, match="is not an IDX file of"):
        read_idx(tmp_path / "bomb.gz")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5e6


@pytest.mark.parametrize("sizes", [(2**32 - 1,) * 3, (0, 28, 28), (60_000, 2**20, 28)])
def test_sizes_that_cannot_be_are_refused(tmp_path, sizes):
    (tmp_path / "file.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", *sizes)))
    with pytest.raises(UserError, match="is not an IDX file of"):
        read_idx(tmp_path / "file.gz")
