"""PNGs that are read again: by their header first, and none can end a command."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmcgan.analysis.alarms import run_facts
from fmcgan.analysis.alarms.run_facts import read_frames
from fmcgan.app.errors import UserError
from fmcgan.figure.files import read_png


def content(width: int = 60, height: int = 40) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(width * height, dtype=np.uint32).reshape(height, width).astype(np.uint8)).save(
        file, "png"
    )
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A small file whose header says that it is large."""
    whole = content()
    header = b"IHDR" + struct.pack(">II", width, height) + whole[24:29]
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (8_000, 8_000), (70_000, 1)])
def test_a_large_picture_is_refused_by_its_header(tmp_path, size):
    (tmp_path / "a.png").write_bytes(claiming(*size))
    with pytest.raises(UserError, match=r"a\.png (has [\d,]+ x [\d,]+ pixels; at most|is not a readable PNG)"):
        read_png(tmp_path / "a.png")


def test_other_formats_are_not_opened_whatever_their_name(tmp_path):
    """To read an EPS, Pillow starts Ghostscript."""
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    with pytest.raises(UserError, match="not a readable PNG"):
        read_png(tmp_path / "a.png")


def test_changed_bytes_are_one_line_or_a_picture(tmp_path):
    draw, whole, refused = random.Random(0), content(), 0
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(draw.choice([1, 2, 20])):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        (tmp_path / "a.png").write_bytes(changed[: draw.choice([len(changed), draw.randrange(len(changed))])])
        try:
            assert read_png(tmp_path / "a.png").mode == "L"
        except UserError:
            refused += 1
    assert 100 < refused < 300


def test_frames_that_cannot_be_read_are_left_out_with_a_word(tmp_path, caplog):
    (tmp_path / "epoch_001.png").write_bytes(content())
    (tmp_path / "epoch_002.png").write_bytes(claiming(60_000, 60_000))
    (tmp_path / "epoch_003.png").write_bytes(b"")
    os.mkfifo(tmp_path / "epoch_004.png")
    (tmp_path / "epoch_005.png").symlink_to("/dev/zero")
    (tmp_path / "epoch_006.png").mkdir()
    (tmp_path / "epoch_007.png").write_bytes(content())
    assert [frame.size for frame in read_frames(tmp_path)] == [(60, 40)] * 2
    assert len(caplog.messages) == 5
    assert all(f"epoch_00{place}.png" in line for place, line in zip(range(2, 7), caplog.messages, strict=True))


def test_all_frames_together_are_bounded(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(run_facts, "MOST_PIXELS", 60 * 40 * 3)
    for epoch in range(10):
        (tmp_path / f"epoch_{epoch:03d}.png").write_bytes(content())
    assert len(read_frames(tmp_path)) == 3
    assert "epoch_003.png" in caplog.text
    assert Path(tmp_path / "epoch_003.png").name in caplog.text
