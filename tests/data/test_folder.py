import logging

import numpy as np
import pytest
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.data.folder import FolderData
from fmcgan.data.subset import Subset
from tests.data.published import noise

COUNTS = {"cat": 10, "dog 2": 6, "dog 10": 4}


def draw(folder, counts=COUNTS, colour=True, seed=0, side=40, suffix=".png"):
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shape = (side, side + 8, 3) if colour else (side, side + 8)
            image = noise(*shape, seed=seed + 100 * label + number)
            Image.fromarray(image).save(folder / name / f"{number}{suffix}")
    return folder


def loaded(folder, **options):
    data = FolderData(folder, batch_size=2, seed=0, **options)
    data.setup()
    return data


def test_draws_test_images_of_each_class(tmp_path) -> None:
    data = loaded(draw(tmp_path / "pets"), test_share=0.25)
    assert data.info.name == "pets"
    assert data.info.class_names == ("cat", "dog 2", "dog 10")  # 2 before 10
    assert data.info.shape == (3, 32, 32) == tuple(data.images.train_images.shape[1:])
    assert data.images.train_labels.bincount().tolist() == [8, 4, 3]
    assert data.images.test_labels.bincount().tolist() == [2, 2, 1]


def test_pixels_are_those_of_the_files(tmp_path) -> None:
    data = loaded(draw(tmp_path / "a", colour=False, side=16), size=16, aspect="crop")
    assert data.info.channels == 1
    found = {image.tobytes() for image in (*data.images.train_images.numpy(), *data.images.test_images.numpy())}
    assert found == {
        np.asarray(Image.open(path))[:, 4:20].tobytes() for path in (tmp_path / "a").rglob("*.png")
    }  # the middle of 16 x 24


def test_own_train_and_test_folders(tmp_path, caplog) -> None:
    draw(tmp_path / "train")
    draw(tmp_path / "test", {"cat": 3, "dog 2": 2}, seed=5000)
    copy = noise(40, 48, 3, seed=0)  # the first training image
    Image.fromarray(copy).save(tmp_path / "test/cat/copy.png")
    data = loaded(tmp_path)
    assert data.images.train_labels.bincount().tolist() == [10, 6, 4]
    assert data.images.test_labels.tolist() == [0, 0, 0, 0, 1, 1]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert any("1 of the 6 test images are also training images" in each for each in warnings)
    assert any("no test images of 1 classes: dog 10" in each for each in warnings)


def test_hidden_and_other_files_are_left_out(tmp_path, caplog) -> None:
    folder = draw(tmp_path / "a")
    for name in (".DS_Store", "._0.png"):
        (folder / "cat" / name).write_bytes(b"x")
    (folder / ".cache").mkdir()
    (folder / "__MACOSX").mkdir()
    (folder / "cat" / "notes.txt").write_text("x")
    (folder / "readme.md").write_text("x")
    data = loaded(folder)
    assert data.info.num_classes == 3
    assert len(data.images.train_images) + len(data.images.test_images) == 20
    assert "1 files in" in caplog.text
    assert "notes.txt" in caplog.text


def test_grey_on_request_and_jpeg(tmp_path) -> None:
    folder = draw(tmp_path / "a", suffix=".JPG")
    assert loaded(folder, channels=1, size=16).images.train_images.shape[1:] == (1, 16, 16)
    assert loaded(folder, channels=3).info.channels == 3


def test_a_subset_of_unequal_classes(tmp_path) -> None:
    data = loaded(draw(tmp_path / "a"), subset=Subset(per_class=2))
    assert data.images.train_labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "cat/0.png").write_bytes(b"not an image"), r"cat/0\.png cannot be read"),
        (lambda folder: (folder / "cat/0.png").write_bytes(b""), r"cat/0\.png cannot be read"),
        (lambda folder: cut(folder / "cat/0.png"), r"cat/0\.png cannot be read"),
        (lambda folder: (folder / "empty").mkdir(), r"empty holds 0 PNG or JPEG files, expected at least 2"),
        (lambda folder: single(folder / "single"), r"single holds 1 PNG or JPEG files, expected at least 2"),
        (lambda folder: (folder / "CAT").mkdir() or single(folder / "CAT", 2), "class names .* must differ"),
    ],
)
def test_a_fault_is_named_in_one_line(damage, message, tmp_path) -> None:
    folder = draw(tmp_path / "a")
    damage(folder)
    with pytest.raises((UserError, ValueError), match=message) as refused:
        loaded(folder)
    assert len(str(refused.value).splitlines()) == 1


def cut(path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def single(folder, count=1) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(noise(8, 8)).save(folder / f"{number}.png")


@pytest.mark.parametrize("kind", ["missing", "file", "no classes", "one class", "foreign test class"])
def test_no_such_folder(kind, tmp_path) -> None:
    if kind == "file":
        (tmp_path / "a").write_text("x")
    elif kind == "no classes":
        (tmp_path / "a").mkdir()
    elif kind == "one class":
        draw(tmp_path / "a", {"cat": 3})
    elif kind == "foreign test class":
        draw(tmp_path / "a/train")
        draw(tmp_path / "a/test", {"cow": 1})
    with pytest.raises(UserError):
        loaded(tmp_path / "a")


@pytest.mark.parametrize("wrong", [{"size": 30}, {"channels": 2}, {"test_share": 1.0}, {"split_seed": -1}], ids=repr)
def test_wrong_values(wrong, tmp_path) -> None:
    draw(tmp_path / "a")
    with pytest.raises(ValueError, match=r"multiple of 4|channels|test_share|split_seed"):
        loaded(tmp_path / "a", **wrong)
