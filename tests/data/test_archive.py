import gzip
import json
import logging
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision.datasets import FashionMNIST
from torchvision.datasets.utils import check_integrity

from fmcgan.app.errors import UserError
from fmcgan.data import archive
from fmcgan.data.archive import read_idx
from fmcgan.data.fashion_mnist import FashionMNISTData

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"


def ensure_archives(root: Path, mirror: str | None = None) -> Path:
    return archive.ensure_archives(FashionMNISTData(batch_size=1, seed=0).archives, root, mirror)


class Server(ThreadingHTTPServer):
    """Serves a folder on a free port of this machine, slowly, and remembers what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        time.sleep(0.1)
        super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(mini_mirror: Path) -> Iterator[Server]:
    with Server(mini_mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["path", "file address", "file address with a slash"])
def test_fetches_from_a_folder_into_torchvisions_place(form: str, mini_mirror: Path, tmp_path: Path) -> None:
    address = str(mini_mirror) if form == "path" else mini_mirror.as_uri() + "/" * ("slash" in form)
    folder = ensure_archives(tmp_path / "data", address)
    assert folder == tmp_path / "data" / "FashionMNIST" / "raw"
    assert contents(folder) == contents(mini_mirror)


def test_fetches_over_http_quietly(server: Server, mini_mirror: Path, tmp_path: Path, capfd, caplog) -> None:
    with caplog.at_level(logging.INFO):
        folder = ensure_archives(tmp_path, server.address)
    assert contents(folder) == contents(mini_mirror)
    assert len(server.requests) == 4
    assert [record.message for record in caplog.records if record.name.startswith("fmcgan")] == [
        f"downloading {name} from {server.address}/" for name, _ in FashionMNIST.resources
    ]
    assert capfd.readouterr() == ("", "")


def test_without_a_mirror_torchvisions_are_tried_in_turn(server, tmp_path, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(FashionMNIST, "mirrors", [(tmp_path / "empty").as_uri() + "/", server.address + "/"])
    folder = ensure_archives(tmp_path)
    assert len(server.requests) == 4
    assert all(check_integrity(folder / name, md5) for name, md5 in FashionMNIST.resources)


def test_complete_files_need_neither_mirror_nor_lock(mini_mirror: Path, tmp_path: Path) -> None:
    ensure_archives(tmp_path, str(mini_mirror))
    (tmp_path / "FashionMNIST.lock").unlink(missing_ok=True)
    ensure_archives(tmp_path, str(tmp_path / "missing"))
    assert not (tmp_path / "FashionMNIST.lock").exists()


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: b"x" + content[1:]])
def test_damaged_file_is_named_and_fetched_again(damage, mini_mirror: Path, tmp_path: Path, caplog) -> None:
    folder = ensure_archives(tmp_path, str(mini_mirror))
    intact = contents(folder)
    (folder / TRAIN_IMAGES).write_bytes(damage(intact[TRAIN_IMAGES]))
    ensure_archives(tmp_path, str(mini_mirror))
    assert contents(folder) == intact
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert str(folder / TRAIN_IMAGES) in warnings[0]


def test_damaged_file_and_damaged_mirror(mini_mirror: Path, tmp_path: Path) -> None:
    folder = ensure_archives(tmp_path, str(mini_mirror))
    right_md5 = dict(FashionMNIST.resources)[TRAIN_IMAGES]
    (folder / TRAIN_IMAGES).write_bytes(b"here")
    (mini_mirror / TRAIN_IMAGES).write_bytes(b"")
    with pytest.raises(UserError) as caught:
        ensure_archives(tmp_path, str(mini_mirror))
    text, help_line = str(caught.value).splitlines()
    # what `md5sum` says of the word "here" and of an empty file
    assert f"{folder / TRAIN_IMAGES}: MD5 is 6c92285fa6d3e827b198d120ea3ac674, should be {right_md5}" in text
    empty_md5 = "d41d8cd98f00b204e9800998ecf8427e"
    assert f"{mini_mirror.as_uri()}/{TRAIN_IMAGES}: MD5 is {empty_md5}, should be {right_md5}" in text
    assert "data.mirror=" in help_line
    assert "FMCGAN_DATA_MIRROR" in help_line
    assert contents(folder)[TRAIN_IMAGES] == b"here"  # an unverified file never gets the final name


def test_mirror_that_nobody_answers_at(mini_mirror: Path, tmp_path: Path) -> None:
    with Server(mini_mirror) as closed:
        address = closed.address
    with pytest.raises(UserError, match=rf"(?s)^[^\n]*{address}/{TRAIN_IMAGES}: [^\n]*refused.*\n.*data\.mirror="):
        ensure_archives(tmp_path, address)


def test_file_that_the_mirror_lacks(server: Server, mini_mirror: Path, tmp_path: Path) -> None:
    (mini_mirror / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte\.gz: HTTP Error 404"):
        ensure_archives(tmp_path, server.address)


def test_mirror_folder_that_does_not_exist(mini_mirror: Path, tmp_path: Path) -> None:
    for mirror in (str(tmp_path / "missing"), (tmp_path / "missing").as_uri()):
        with pytest.raises(UserError, match=rf"mirror {mirror} is not a folder.*data\.mirror="):
            ensure_archives(tmp_path, mirror)


def test_data_folder_that_cannot_be_made(mini_mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file cannot be used: .*data\.root="):
        ensure_archives(tmp_path / "file", str(mini_mirror))


OTHER_PROCESS = """
import json, sys
from pathlib import Path
from torchvision.datasets import FashionMNIST
from fmcgan.data.archive import ensure_archives
from fmcgan.data.fashion_mnist import FashionMNISTData
FashionMNIST.resources, root, mirror = json.loads(sys.argv[1])
print("ready", flush=True)
ensure_archives(FashionMNISTData(batch_size=1, seed=0).archives, Path(root), mirror)
"""


@pytest.mark.process
def test_two_processes_at_once_fetch_each_file_once(server: Server, mini_mirror: Path, tmp_path: Path) -> None:
    arguments = json.dumps([FashionMNIST.resources, str(tmp_path), server.address])
    command = [sys.executable, "-c", OTHER_PROCESS, arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        folder = ensure_archives(tmp_path, server.address)
        assert process.wait(timeout=60) == 0
    assert sorted(server.requests) == sorted(f"/{name}" for name, _ in FashionMNIST.resources)
    assert contents(folder) == contents(mini_mirror)


def test_reads_shape_and_values_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255])))
    assert torch.equal(read_idx(path), torch.tensor([[1, 2, 3], [4, 5, 255]], dtype=torch.uint8))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not gzip", id="no gzip"),
        pytest.param(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 3) + b"ab"), id="one byte short"),
        pytest.param(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 3) + b"abcd"), id="one byte too many"),
        pytest.param(gzip.compress(b"\0\0\x0d\x01" + struct.pack(">I", 3) + b"abc"), id="floats"),
        pytest.param(gzip.compress(b"\0\0\x08\x03" + struct.pack(">I", 3)), id="ends within the header"),
        pytest.param(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 3) + b"abc")[:-4], id="gzip cut short"),
    ],
)
def test_refuses_what_is_not_idx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=str(path)):
        read_idx(path)
