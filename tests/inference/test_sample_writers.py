import io
import os
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.figure.files import LARGEST, LONGEST, read_png
from fmcgan.figure.grid import class_grid
from fmcgan.inference.sample_writers import check_space, write_folder, write_grid, write_npz, writer_for
from fmcgan.metric.samples_file import read_samples

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)


def parts():
    """Twelve images as they may come: in arrays of any lengths."""
    yield from (IMAGES[:5], IMAGES[5:6], IMAGES[6:])


def broken():
    yield IMAGES[:5]
    raise SystemExit(130)  # as after Ctrl-C


def test_npz_is_byte_for_byte_the_one_that_numpy_writes(tmp_path):
    write_npz(parts(), [8, 3], 6, tmp_path / "two.npz", GARMENTS)
    expected = io.BytesIO()
    np.savez(expected, images=IMAGES, labels=np.array([8] * 6 + [3] * 6))
    assert (tmp_path / "two.npz").read_bytes() == expected.getvalue()
    assert zipfile.ZipFile(tmp_path / "two.npz").testzip() is None
    images, labels = read_samples(tmp_path / "two.npz", GARMENTS)  # as `evaluate` does
    assert np.array_equal(images[:, 0], IMAGES)
    assert labels.tolist() == [8] * 6 + [3] * 6


def test_folder(tmp_path):
    write_folder(parts(), [8, 3], 6, tmp_path / "folder", GARMENTS)
    names = {path.relative_to(tmp_path / "folder").as_posix() for path in (tmp_path / "folder").rglob("*.png")}
    assert names == {f"{name}/00000{i}.png" for name in ("bag", "dress") for i in range(6)}
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["bag", "dress"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "folder" / "dress" / "000002.png")), IMAGES[8])
    images, labels = read_samples(tmp_path / "folder", GARMENTS)
    assert np.array_equal(images[:, 0], np.concatenate([IMAGES[6:], IMAGES[:6]]))  # by label
    assert labels.tolist() == [3] * 6 + [8] * 6


def test_grid(tmp_path):
    write_grid(parts(), [8, 3], 6, tmp_path / "grid.png", GARMENTS)
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.height == 10 + 2 * (2 * 28) + 2 + 10
        right = np.asarray(grid)[10:66, -66:-10]  # the last bag, twice as large
    assert np.array_equal(right[::2, ::2], IMAGES[5])


@pytest.mark.parametrize(("write", "name"), [(write_npz, "two.npz"), (write_folder, "folder")])
def test_interrupted_nothing_is_left(tmp_path, write, name):
    with pytest.raises(SystemExit):
        write(broken(), [8, 3], 6, tmp_path / name, GARMENTS)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    write(parts(), [8, 3], 6, tmp_path / name, GARMENTS)  # and it can be made again
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    if write is write_npz:
        with pytest.raises(SystemExit):
            write(broken(), [8, 3], 6, tmp_path / name, GARMENTS)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_name_says_the_form(tmp_path):
    assert writer_for(tmp_path / "a.npz") is write_npz
    assert writer_for(tmp_path / "a.png") is write_grid
    assert writer_for(tmp_path / "v1.2") is write_folder
    assert writer_for(tmp_path) is write_folder  # there, but empty
    (tmp_path / "old").touch()
    with pytest.raises(UserError, match=r"^output="):
        writer_for(tmp_path)
    with pytest.raises(UserError, match=r"^output="):
        writer_for(tmp_path / "old")
    for name in ("a.jpg", "a.h5", ".npz"):
        with pytest.raises(UserError, match=rf"{name}: .*\.png.*\.npz"):
            writer_for(tmp_path / name)
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(UserError, match=r"d\.npz is a folder"):
        writer_for(tmp_path / "d.npz")


def left_by(process: int, parent, name: str):
    """What a process that was killed left of an output."""
    folder = parent / f"{name}.unfinished-{process}-abcd_123"
    (folder / "whole" / "bag").mkdir(parents=True)
    (folder / "whole" / "bag" / "000000.png").write_bytes(b"half")
    return folder


@pytest.fixture
def gone() -> int:
    """The number of a process that is not there."""
    return 2**22 + 1  # above the largest that Linux gives


@pytest.mark.parametrize("name", ["a.npz", "folder", "[odd] {name} * ?", "n" * 200])
def test_what_a_killed_process_left_beside_the_output_goes(tmp_path, gone, name):
    output = tmp_path / name
    left = left_by(gone, tmp_path, name[:50])
    others = [
        tmp_path / "another.unfinished-folder",
        left_by(gone, tmp_path, "another"),
        tmp_path / "mine.unfinished-x",
    ]
    others[0].mkdir()
    others[2].write_text("mine")
    write = writer_for(output)
    check_space(write, 2, 6, output, GARMENTS)
    assert not left.exists()
    assert all(other.exists() for other in others)
    write(parts(), [8, 3], 6, output, GARMENTS)
    assert len(read_samples(output, GARMENTS)[0]) == 12


def test_a_folder_with_nothing_but_what_a_killed_process_left_counts_as_empty(tmp_path, gone):
    output = tmp_path / "folder"
    output.mkdir()
    left_by(gone, output, "")
    old = output / ".unfinished-abc12_de"  # as version 1 named them
    old.mkdir()
    write = writer_for(output)
    check_space(write, 2, 6, output, GARMENTS)
    write(parts(), [8, 3], 6, output, GARMENTS)
    assert sorted(path.name for path in output.iterdir()) == ["bag", "dress"]


def test_a_folder_that_another_process_writes_into_is_refused_and_kept(tmp_path):
    other = left_by(os.getppid(), tmp_path, "")
    with pytest.raises(UserError, match=r"^output="):
        writer_for(tmp_path)
    check_space(write_folder, 2, 6, tmp_path, GARMENTS)
    assert other.exists()


@pytest.mark.parametrize("name", [".unfinished-notes", ".unfinished-abc12_de", "unfinished", ".hidden"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_nothing_of_the_user_is_taken_for_left_over(tmp_path, name, kind):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output").mkdir()
    own = tmp_path / "output" / name
    own.write_text("mine") if kind == "file" else own.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"^output="):
        writer_for(tmp_path / "output")
    check_space(write_folder, 2, 6, tmp_path / "output", GARMENTS)
    assert own.exists()


def test_a_folder_appears_whole_and_stays_what_it_was_where_it_was_there(tmp_path):
    seen = []

    def watched():
        for part in parts():
            seen.append((tmp_path / "new").exists())
            yield part

    write_folder(watched(), [8, 3], 6, tmp_path / "new", GARMENTS)
    assert seen == [False] * 3
    (tmp_path / "mounted").mkdir(mode=0o750)
    inode = (tmp_path / "mounted").stat().st_ino
    (tmp_path / "link").symlink_to(tmp_path / "mounted")
    assert writer_for(tmp_path / "link") is write_folder
    write_folder(parts(), [8, 3], 6, tmp_path / "link", GARMENTS)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "mounted").stat().st_ino == inode  # it may be a mounted disk, which nothing can replace
    assert len(read_samples(tmp_path / "mounted", GARMENTS)[0]) == 12


def test_links_to_nothing_and_what_is_no_file_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.npz").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("pipe.npz", "pipe"):
        with pytest.raises(UserError, match=r"^output="):
            writer_for(tmp_path / name)
    for name in ("link.npz", "link"):
        with pytest.raises(UserError, match=r"^output="):
            writer_for(tmp_path / name)


def test_a_link_to_a_file_is_replaced_and_the_file_stays(tmp_path):
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "a.npz").symlink_to(tmp_path / "kept")
    writer_for(tmp_path / "a.npz")(parts(), [8, 3], 6, tmp_path / "a.npz", GARMENTS)
    assert (tmp_path / "kept").read_text() == "kept"
    assert not (tmp_path / "a.npz").is_symlink()


@pytest.mark.parametrize(
    ("write", "n", "need"),
    [(write_npz, 10**6, "792.0 MB"), (write_folder, 10**6, "4.1 GB"), (write_npz, 10**20, "79.2 ZB")],
)
def test_what_does_not_fit_on_the_disk_is_refused(tmp_path, monkeypatch, write, n, need):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=700e6))
    with pytest.raises(UserError, match=rf"{need} .*700\.0 MB .*{tmp_path}"):
        check_space(write, 1, n, tmp_path / "new" / "newer" / "output", GARMENTS)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=5e9))
    assert n > 10**6 or check_space(write, 1, n, tmp_path / "output", GARMENTS) > 0


def test_the_largest_grid_that_is_written_is_read_again(tmp_path):
    with pytest.raises(UserError, match=r"n_per_class must be at most [\d,]+") as refused:
        check_space(write_grid, 10, 10**20, tmp_path / "a.png", GARMENTS)
    most = int(re.search(r"at most ([\d,]+)", str(refused.value))[1].replace(",", ""))
    title = "epoch 1,000, 100,000,000 images seen"
    grid = class_grid(np.zeros((10, most, 28, 28), np.uint8), GARMENTS.class_names, title)
    assert LONGEST - 200 < grid.width <= LONGEST
    assert 0.8 * LARGEST < grid.width * grid.height <= LARGEST
    assert check_space(write_grid, 10, most, tmp_path / "a.png", GARMENTS) == 0
    grid.save(tmp_path / "a.png", compress_level=1)
    assert read_png(tmp_path / "a.png").size == grid.size
