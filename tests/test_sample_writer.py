import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from fmcgan.errors import UserError
from fmcgan.metric.samples_file import read_samples
from fmcgan.sample_writer import write_folder, write_grid, write_npz, writer_for

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)


def parts():
    """Twelve images as they may come: in arrays of any lengths."""
    yield from (IMAGES[:5], IMAGES[5:6], IMAGES[6:])


def broken():
    yield IMAGES[:5]
    raise SystemExit(130)  # as after Ctrl-C


def test_npz_is_byte_for_byte_the_one_that_numpy_writes(tmp_path):
    write_npz(parts(), [8, 3], 6, tmp_path / "two.npz")
    expected = io.BytesIO()
    np.savez(expected, images=IMAGES, labels=np.array([8] * 6 + [3] * 6))
    assert (tmp_path / "two.npz").read_bytes() == expected.getvalue()
    assert zipfile.ZipFile(tmp_path / "two.npz").testzip() is None
    images, labels = read_samples(tmp_path / "two.npz")  # as `evaluate` does
    assert np.array_equal(images[:, 0], IMAGES)
    assert labels.tolist() == [8] * 6 + [3] * 6


def test_folder(tmp_path):
    write_folder(parts(), [8, 3], 6, tmp_path / "folder")
    names = {path.relative_to(tmp_path / "folder").as_posix() for path in (tmp_path / "folder").rglob("*.png")}
    assert names == {f"{name}/00000{i}.png" for name in ("bag", "dress") for i in range(6)}
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["bag", "dress"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "folder" / "dress" / "000002.png")), IMAGES[8])
    images, labels = read_samples(tmp_path / "folder")
    assert np.array_equal(images[:, 0], np.concatenate([IMAGES[6:], IMAGES[:6]]))  # by label
    assert labels.tolist() == [3] * 6 + [8] * 6


def test_grid(tmp_path):
    write_grid(parts(), [8, 3], 6, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.height == 10 + 2 * (2 * 28) + 2 + 10
        right = np.asarray(grid)[10:66, -66:-10]  # the last bag, twice as large
    assert np.array_equal(right[::2, ::2], IMAGES[5])


@pytest.mark.parametrize(("write", "name"), [(write_npz, "two.npz"), (write_folder, "folder")])
def test_interrupted_nothing_is_left(tmp_path, write, name):
    with pytest.raises(SystemExit):
        write(broken(), [8, 3], 6, tmp_path / name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    write(parts(), [8, 3], 6, tmp_path / name)  # and it can be made again
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    if write is write_npz:
        with pytest.raises(SystemExit):
            write(broken(), [8, 3], 6, tmp_path / name)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_name_says_the_form(tmp_path):
    assert writer_for(tmp_path / "a.npz") is write_npz
    assert writer_for(tmp_path / "a.png") is write_grid
    assert writer_for(tmp_path / "v1.2") is write_folder
    assert writer_for(tmp_path) is write_folder  # there, but empty
    (tmp_path / "old").touch()
    with pytest.raises(UserError, match="is there already"):
        writer_for(tmp_path)
    with pytest.raises(UserError, match="is there already"):
        writer_for(tmp_path / "old")
    for name in ("a.jpg", "a.h5", ".npz"):
        with pytest.raises(UserError, match=f"{name}: its name must end in"):
            writer_for(tmp_path / name)
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(UserError, match=r"d\.npz is a folder; choose another name for the file"):
        writer_for(tmp_path / "d.npz")
