"""Samples of any program, damaged or hostile: the right arrays or one line, never another error, never a wait."""

import io
import os
import random
import socket
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from fmcgan.app import memory
from fmcgan.app.errors import UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.samples_file import read_samples

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
LABELS = np.arange(4)


def outcome(path: Path) -> str:
    """``read`` if samples of the right kind came, else the one line that says why not."""
    try:
        images, labels = read_samples(path, GARMENTS)
    except UserError as error:
        message = str(error)
        assert message.startswith("samples=")
        assert len(message.splitlines()) <= 2
        assert all(line.isprintable() for line in message.splitlines())
        return message
    assert images.dtype == torch.uint8
    assert images.shape == (len(labels), 1, 28, 28)
    assert labels.dtype == torch.int64
    assert 0 <= int(labels.min()) <= int(labels.max()) < 10
    return "read"


@contextmanager
def little_memory(most: float):
    """Fails if the enclosed code allocates more bytes in Python, where NumPy and zlib count too."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def npz(save=np.savez, **arrays) -> bytes:
    content = io.BytesIO()
    save(content, **({"images": IMAGES, "labels": LABELS} | arrays))
    return content.getvalue()


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def png(image: np.ndarray = IMAGES[0], **options) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "png", **options)
    return content.getvalue()


def mutated(content: bytes, draw: random.Random) -> bytes:
    """With bytes changed, taken out, put in, repeated or cut off."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 5, 40])):
        place = draw.randrange(len(changed)) if changed else 0
        match draw.randrange(6):
            case 0:
                changed[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                changed[place : place + 1] = bytes([changed[place] ^ 1 << draw.randrange(8)]) if changed else b""
            case 2:
                del changed[place : place + draw.choice([1, 4, 100])]
            case 3:
                changed[place:place] = draw.randbytes(draw.choice([1, 4, 100]))
            case 4:
                changed[place : place + 4] = draw.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
            case 5:
                del changed[draw.randrange(len(changed) + 1) :]
    return bytes(changed)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_changed_archives_are_read_or_refused(tmp_path, save):
    whole, path, draw = npz(save), tmp_path / "samples.npz", random.Random(0)
    # Changes of pixels meet the checksum; the places where something else can happen are the first and last.
    found = []
    for _ in range(150):
        path.write_bytes(mutated(whole, draw))
        found.append(outcome(path))
        if found[-1] == "read":
            assert np.array_equal(read_samples(path, GARMENTS)[0][:, 0].numpy(), IMAGES)
    assert len(set(found)) > 10  # many kinds of damage, each with its own words


def test_changed_pictures_are_read_or_refused(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "0.png").write_bytes(png())
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 100, zip=True)
    info.add_itxt("more", "b" * 100)
    palette = Image.fromarray(IMAGES[0]).convert("P")
    content = io.BytesIO()
    palette.save(content, "png", transparency=3)
    wholes = [png(), png(pnginfo=info, dpi=(100, 100), icc_profile=b"x" * 200), content.getvalue()]
    draw = random.Random(1)
    found = set()
    for case in range(200):
        (tmp_path / "bag" / "1.png").write_bytes(mutated(wholes[case % 3], draw))
        found.add(outcome(tmp_path))
    assert "read" in found
    assert len(found) > 5


NAMES = st.one_of(st.sampled_from(["images", "labels", "images.npy", "labels.npy", "../images.npy"]), st.text())
CONTENTS = {
    "images": npy(IMAGES),
    "labels": npy(LABELS),
    "floats": npy(IMAGES / 255),
    "objects": npy(np.array([{}])),
    "nothing": b"",
    "a header's start": b"\x93NUMPY\x02\x00",
}


@given(st.lists(st.tuples(NAMES, st.sampled_from(sorted(CONTENTS))), max_size=5))
@settings(max_examples=50, deadline=None, derandomize=True)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_any_name_and_content(tmp_path_factory, members):
    path = tmp_path_factory.getbasetemp() / "members.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            try:
                archive.writestr(name, CONTENTS[content])
            except (UnicodeEncodeError, IndexError):  # no archive can have that name
                continue
    outcome(path)


@given(
    descr=st.one_of(
        st.sampled_from(["|u1", "<f4", ">f8", "|O", "<U5", "<M8[s]", "V10", [("a", "<f4")], ("<f4", (2, 2))]), st.text()
    ),
    fortran=st.sampled_from([False, True, 3, None]),
    shape=st.one_of(
        st.tuples(st.integers(-2, 2**70), st.sampled_from([28, 0, -28]), st.sampled_from([28, 1])),
        st.sampled_from([(), 28, (4, 784), (4, "28", 28), (10**400, 28, 28)]),
    ),
    version=st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_headers_of_any_kind(tmp_path_factory, descr, fortran, shape, version):
    header = f"{{'descr': {descr!r}, 'fortran_order': {fortran!r}, 'shape': {shape!r}, }}\n".encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    path = tmp_path_factory.getbasetemp() / "header.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY" + bytes(version) + length + header + IMAGES.tobytes())
        archive.writestr("labels.npy", npy(LABELS))
    assert outcome(path) != "read" or (descr == "|u1" and shape == (4, 28, 28))


@pytest.mark.parametrize("place", ["its header", "the directory", "both"])
@pytest.mark.parametrize("flag", [0x1, 0x41, 0x2000])
def test_encrypted_members_are_refused(tmp_path, place, flag):
    content = bytearray(npz())
    if place != "the directory":
        content[6:8] = struct.pack("<H", flag)
    if place != "its header":
        start = content.index(b"PK\x01\x02")
        content[start + 8 : start + 10] = struct.pack("<H", flag)
    (tmp_path / "samples.npz").write_bytes(content)
    assert "images is encrypted; write it without a password" in outcome(tmp_path / "samples.npz")


def test_a_packer_that_numpy_does_not_write_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "samples.npz", "w", zipfile.ZIP_LZMA) as archive:  # its memory is set by the file
        archive.writestr("images.npy", npy(IMAGES))
        archive.writestr("labels.npy", npy(LABELS))
    assert "compression that numpy does not write" in outcome(tmp_path / "samples.npz")


def bomb(path: Path, n: int) -> None:
    """A small file of ``n`` black images but one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, dtype, size, shape in (("images", "|u1", 784, (n, 28, 28)), ("labels", "|u1", 1, (n,))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, {"descr": dtype, "fortran_order": False, "shape": shape})
                block = b"\0" * (size * 10_000)
                for _ in range(n // 10_000):
                    member.write(block)


def test_what_does_not_fit_into_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    bomb(path, 50_000)
    assert path.stat().st_size < 150_000
    monkeypatch.setattr(memory, "available", lambda: 50e6)
    with little_memory(5e6):
        message = outcome(path)
    assert "unpacking images uint8 [50000, 28, 28] needs 78.8 MB of memory, 50.0 MB are available" in message
    monkeypatch.setattr(memory, "available", lambda: 200e6)
    assert "only the grey levels 0" in outcome(path)


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_an_archive_is_unpacked_once(tmp_path):
    """Its arrays and little else: not the file, and no copy of them."""
    import subprocess
    import sys

    bomb(tmp_path / "bomb.npz", 200_000)
    script = (
        "import sys; from pathlib import Path; from fmcgan.metric.samples_file import read_samples; read_samples\n"
        "from fmcgan.data.garments import GARMENTS\n"
        "peak = lambda: int(Path('/proc/self/status').read_text(encoding='utf-8').split('VmHWM:')[1].split()[0])\n"
        "before = peak()\n"
        "try: read_samples(Path(sys.argv[1]), GARMENTS)\n"
        "except Exception as error: assert 'only the grey levels' in str(error)\n"
        "print(peak() - before)"
    )
    call = [sys.executable, "-c", script, str(tmp_path / "bomb.npz")]
    grown = int(subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout) * 1024
    assert 156e6 < grown < 1.4 * 156e6


def test_a_long_header_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "samples.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 100_000_000) + b" " * 100_000_000)
        archive.writestr("labels.npy", npy(LABELS))
    with little_memory(5e6):
        assert "damaged or cut short" in outcome(tmp_path / "samples.npz")


@pytest.fixture
def special(tmp_path):
    """Makes what is no file at a path."""
    sockets = []

    def special(kind: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            sockets.append(socket.socket(socket.AF_UNIX))
            folder = os.open(path.parent, os.O_RDONLY)  # the address of a socket must be short
            sockets[-1].bind(f"/proc/self/fd/{folder}/{path.name}")
            os.close(folder)
        elif kind == "endless":
            path.symlink_to("/dev/zero")
        elif kind == "terminal":
            path.symlink_to("/dev/tty")
        else:
            path.symlink_to(path)

    yield special
    for each in sockets:
        each.close()


KINDS = ["pipe", "socket", "endless", "terminal", "circle"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="made by way of /proc")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["samples.npz", "folder/bag/1.png", "folder/bag"])
def test_nothing_but_files_is_opened(tmp_path, special, kind, place):
    if place == "folder/bag/1.png":
        (tmp_path / "folder" / "bag").mkdir(parents=True)
        (tmp_path / "folder" / "bag" / "0.png").write_bytes(png())
    special(kind, tmp_path / place)
    message = outcome(tmp_path / place.partition("/")[0])
    assert message != "read"


def test_a_link_to_a_file_is_read(tmp_path):
    (tmp_path / "real.png").write_bytes(png())
    (tmp_path / "folder" / "bag").mkdir(parents=True)
    for name in ("0.png", "1.png"):
        (tmp_path / "folder" / "bag" / name).symlink_to(tmp_path / "real.png")
    assert outcome(tmp_path / "folder") == "read"


def test_a_picture_file_without_end_is_not_read_to_its_end(tmp_path):
    (tmp_path / "bag").mkdir()
    with (tmp_path / "bag" / "0.png").open("wb") as file:
        file.write(png())
        file.truncate(10**12)  # a terabyte of nothing, which takes no place on the disk
    assert "bag/0.png has more than 1.0 MB, too much for 28 x 28 pixels" in outcome(tmp_path)


def test_a_folder_that_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bag").mkdir()
    for name in range(10):
        (tmp_path / "bag" / f"{name}.png").write_bytes(png())
    monkeypatch.setattr(memory, "available", lambda: 15_000)
    assert "a folder of 10 images needs 15.7 kB of memory, 15.0 kB are available" in outcome(tmp_path)


def test_names_that_a_terminal_would_obey_are_spelled_out(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "a\n\x1b[31mb.png").write_bytes(b"")
    assert r"bag/a\n\x1b[31mb.png is empty" in outcome(tmp_path)
    np.savez(tmp_path / "a.npz", **{"x\x1b[2J\n": LABELS})
    assert r"found x\x1b[2J\n;" in outcome(tmp_path / "a.npz")
