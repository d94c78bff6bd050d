import io
import logging
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from fmcgan.app.errors import UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.data.images import to_float
from fmcgan.inference.sample_writers import write_npz
from fmcgan.metric.samples_file import FLOAT_RULE, read_samples

LEVELS = np.arange(10 * 784, dtype=np.uint32).reshape(10, 28, 28).astype(np.uint8)  # all 256 of them, many times
LABELS = np.arange(10)


@pytest.fixture
def saved(tmp_path: Path):
    """Writes arrays as another program would; ten images with all grey levels and their labels unless told."""

    def saved(images=LEVELS, labels=LABELS, **more) -> Path:
        path = tmp_path / "samples.npz"
        np.savez(path, images=images, labels=labels, **more)
        return path

    return saved


def refusal(path: Path) -> str:
    """What is said instead of reading; the beginning, the length and the way of saying it are the same everywhere."""
    with pytest.raises(UserError) as refused:
        read_samples(path, GARMENTS)
    message = str(refused.value)
    assert message.startswith(f"samples={path}: ")
    assert len(message.splitlines()) <= 2
    return message.removeprefix(f"samples={path}: ")


def garments(low: float, high: float, between: float) -> np.ndarray:
    """Two images with these darkest, brightest and other values."""
    images = np.full((2, 28, 28), between, dtype=np.float64)
    images[0, 0, 0], images[1, 5, 5] = low, high
    return images


def test_what_generate_writes_is_read_bit_for_bit(tmp_path):
    path = tmp_path / "generated.npz"
    write_npz([LEVELS], LABELS[::-1].tolist(), 1, path, GARMENTS)
    images, labels = read_samples(path, GARMENTS)
    assert images.dtype == torch.uint8
    assert images.shape == (10, 1, 28, 28)
    assert labels.dtype == torch.int64
    assert np.array_equal(images[:, 0].numpy(), LEVELS)
    assert np.array_equal(labels.numpy(), LABELS[::-1])


@pytest.mark.parametrize("shape", [(10, 28, 28), (10, 1, 28, 28), (10, 28, 28, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_each_shape_means_the_same(saved, shape, order):
    images, _ = read_samples(saved(np.asarray(LEVELS.reshape(shape), order=order)), GARMENTS)
    assert np.array_equal(images[:, 0].numpy(), LEVELS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_every_grey_level_comes_back_from_both_float_ranges(saved, dtype):
    for floats in (to_float(torch.from_numpy(LEVELS)).double().numpy(), LEVELS / 255):
        images, _ = read_samples(saved(floats.astype(dtype)), GARMENTS)
        assert np.array_equal(images[:, 0].numpy(), LEVELS)


def test_real_images_come_back_from_both_float_ranges(saved, real_test):
    real = real_test.balanced(200)
    for floats in (to_float(real.images).numpy(), real.images.numpy() / 255):
        images, labels = read_samples(saved(floats, real.labels.numpy().astype(np.uint8)), GARMENTS)
        assert torch.equal(images, real.images)
        assert torch.equal(labels, real.labels)


@pytest.mark.parametrize(
    ("low", "high", "between", "expected"),
    [
        (-0.9, 0.5, 0.0, [12.75, 191.25, 127.5]),
        (-1, 1, 0.2, [0, 255, 153]),
        (0.1, 0.9, 0.2, [25.5, 229.5, 51]),
        (0, 1, 0.6, [0, 255, 153]),
    ],
)
def test_float_ranges_are_told_apart_at_their_bounds(saved, low, high, between, expected):
    images, _ = read_samples(saved(garments(low, high, between), [0, 1]), GARMENTS)
    read = [int(images[0, 0, 0, 0]), int(images[1, 0, 5, 5]), int(images[0, 0, 9, 9])]
    assert read == pytest.approx(expected, abs=0.5, rel=0)  # the nearest level


@pytest.mark.parametrize(
    ("what", "low", "high", "between"),
    [
        ("[-1, 1] without dark pixels", -0.899, 1, 0.5),
        ("[-1, 1] with bright pixels only", 0.2, 1, 0.5),
        ("[-1, 1] with hardly a darker pixel", 0.101, 1, 0.5),
        ("[-0.5, 0.5]", -0.5, 0.5, -0.1),
        ("standardised by the mean and deviation of the data set", -0.81, 0.9, 0),
        ("[-1, 1] with an overshoot", -1.002, 1, 0),
        ("[-1, 1] with an overshoot above", -1, 1.0001, 0),
        ("[0, 1] with a slight overshoot", -0.003, 1, 0.4),
        ("[0, 1] with a slight overshoot above", 0, 1.001, 0.4),
        ("a dark set in 0..255", 0, 0.899, 0.2),
        ("black and one in [0, 1], or almost black in 0..255", 0, 1, 0),
        ("all zero", 0, 0, 0),
        ("all one", 1, 1, 1),
        ("all grey", 0.5, 0.5, 0.5),
    ],
)
def test_floats_that_could_be_confused_are_refused(saved, what, low, high, between):
    message = refusal(saved(garments(low, high, between), [0, 1]))
    assert FLOAT_RULE in message, what
    assert "got float64 from " in message
    assert "or save uint8 0..255" in message


def test_floats_up_to_255_are_refused_with_their_remedy(saved):
    message = refusal(saved(LEVELS.astype(np.float32)))
    assert "got float32 from 0.0 to 255.0" in message
    assert "save images.round().clip(0, 255).astype('uint8')" in message


def test_an_overshoot_is_shown_with_all_its_digits(saved):
    assert "to 1.000000000001;" in refusal(saved(garments(-1, 1, 0) * (1 + 1e-12), [0, 1]))


def test_values_that_are_not_finite_are_counted(saved):
    images = LEVELS / 255
    images[0, 0, 0], images[3, 1, :2] = np.nan, -np.inf
    assert "3 of the 7,840 values of images are NaN or infinite" in refusal(saved(images))


@pytest.mark.parametrize(
    ("images", "levels"),
    [
        ((LEVELS / 255).astype(np.uint8), "0, 1"),
        ((LEVELS > 100).astype(np.uint8), "0, 1"),
        (np.rint(LEVELS / 127.5 - 1).astype(np.int64).astype(np.uint8), "0, 1, 255"),
        (np.zeros_like(LEVELS), "0"),
        (np.ones_like(LEVELS), "1"),
    ],
    ids=["from [0, 1]", "a mask", "from [-1, 1]", "all black", "all one"],
)
def test_floats_cut_down_to_uint8_are_refused(saved, images, levels):
    message = refusal(saved(images))
    assert f"only the grey levels {levels}, like floats" in message
    assert "(255 * images).round().astype('uint8')" in message


@pytest.mark.parametrize(
    "images",
    [np.full_like(LEVELS, 37), np.full_like(LEVELS, 255), np.where(LEVELS > 99, 255, 0).astype(np.uint8), LEVELS % 3],
    ids=["one grey", "white", "black and white", "very dark"],
)
def test_poor_uint8_images_are_read_as_they_are(saved, images):
    assert np.array_equal(read_samples(saved(images), GARMENTS)[0][:, 0].numpy(), images)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.uint16, np.bool_, np.complex64, np.longdouble, "U3"])
def test_other_types_of_images_are_refused(saved, dtype):
    message = refusal(saved((LEVELS % 100).astype(dtype)))
    assert f"got {np.dtype(dtype)}; convert to uint8 0..255" in message
    assert "must be uint8 in 0..255, or float16, float32 or float64" in message


@pytest.mark.parametrize(
    "shape", [(10, 784), (784,), (), (10, 3, 28, 28), (10, 28, 28, 3), (10, 32, 32), (1, 28, 28), (0, 28, 28), (28, 28)]
)
def test_other_shapes_and_too_few_images_are_refused(saved, shape):
    message = refusal(saved(np.full(shape, 7, np.uint8)))
    assert "[N, 28, 28], [N, 1, 28, 28] or [N, 28, 28, 1] with N of at least 2" in message
    assert f"got uint8 {list(shape)}" in message
    assert ("images.reshape(-1, 28, 28)" in message) == (shape == (10, 784))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, ">u2", np.uint64])
def test_labels_may_be_of_any_integer_type(saved, dtype):
    _, labels = read_samples(saved(labels=LABELS.astype(dtype)), GARMENTS)
    assert labels.dtype == torch.int64
    assert labels.tolist() == list(range(10))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (LABELS.astype(np.float32), "got float32 [10]; save labels.astype"),
        (LABELS > 4, "got bool [10]; save labels.astype"),
        (np.array(["bag"] * 10), "got <U3 [10]; save labels.astype"),
        (LABELS + 1, "got 1..10;\nthe classes are 0 t-shirt, 1 trouser"),
        (LABELS - 1, "got -1..8;"),
        (np.full(10, 2**64 - 1, np.uint64), "got 18446744073709551615..18446744073709551615"),
        (LABELS[:9], "got int64 [9]"),
        (np.tile(LABELS, 2), "got int64 [20]"),
        (np.int64(3), "got int64 []"),
        (LABELS[:, None], "got int64 [10, 1]; save labels.reshape(-1)"),
        (np.eye(10), "got float64 [10, 10]; for one-hot labels or scores, save labels.argmax(1)"),
        (np.eye(10, dtype=np.int64), "save labels.argmax(1)"),
    ],
)
def test_other_labels_are_refused(saved, labels, told):
    message = refusal(saved(labels=labels))
    assert "labels must be whole numbers 0..9, one for each of the 10 images" in message
    assert told in message


def test_missing_classes_are_named_in_a_warning(saved, caplog):
    path = saved(labels=np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1]))
    with caplog.at_level(logging.WARNING):
        _, labels = read_samples(path, GARMENTS)
    assert labels.tolist()[-2:] == [0, 1]
    assert caplog.messages == [f"samples={path}: no images of bag, boot"]
    caplog.clear()
    read_samples(saved(), GARMENTS)
    assert caplog.messages == []


def test_other_arrays_beside_them_are_ignored_even_objects(saved):
    images, _ = read_samples(saved(seed=np.array(3), extra=np.array([{}], dtype=object)), GARMENTS)
    assert len(images) == 10


def test_the_arrays_must_have_their_names(tmp_path):
    np.savez(tmp_path / "unnamed.npz", LEVELS, LABELS)
    assert "expected arrays images and labels, found arr_0, arr_1;" in refusal(tmp_path / "unnamed.npz")
    np.savez(tmp_path / "half.npz", images=LEVELS)
    assert "found images; np.savez(FILE, images=images, labels=labels)" in refusal(tmp_path / "half.npz")
    np.savez(tmp_path / "none.npz")
    assert "found none;" in refusal(tmp_path / "none.npz")
    np.savez(tmp_path / "many.npz", *LABELS)
    assert "found arr_0, arr_1, arr_2, arr_3, arr_4, ...;" in refusal(tmp_path / "many.npz")


class Explosive:
    """Unpickling it is told."""

    unpickled: list[int] = []  # noqa: RUF012

    def __reduce__(self):
        return self.unpickled.append, (1,)


def test_pickles_are_refused_and_never_run(saved, tmp_path):
    explosives = np.array([Explosive()] * 10, dtype=object)
    for path in (saved(images=explosives), saved(labels=explosives)):
        assert "contains pickled objects, which are never read; save plain numbers" in refusal(path)
    pickled = tmp_path / "samples.pkl"
    pickled.write_bytes(pickle.dumps(explosives))
    assert "not an .npz, expected" in refusal(pickled)
    assert Explosive.unpickled == []


def test_files_of_other_kinds_have_each_their_own_message(tmp_path):
    assert refusal(tmp_path / "nowhere.npz").startswith("no such file or folder; give an .npz")
    (tmp_path / "empty.npz").touch()
    assert refusal(tmp_path / "empty.npz").startswith("the file is empty; np.savez(")
    np.save(tmp_path / "one.npy", LEVELS)
    assert refusal(tmp_path / "one.npy").startswith("a single array (.npy)")
    (tmp_path / "notes.txt").write_text("hello")
    assert refusal(tmp_path / "notes.txt").startswith("not an .npz")
    with zipfile.ZipFile(tmp_path / "bytes.npz", "w") as archive:
        archive.writestr("images", "hello")
        archive.writestr("labels", "hello")
    assert refusal(tmp_path / "bytes.npz").startswith("images is not an array in numpy's format")


def test_a_file_that_may_not_be_read_is_said_to_be_so(saved, monkeypatch):
    path = saved()

    def open_file(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", open_file)
    assert refusal(path) == f"cannot be read: Permission denied ({path})"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_is_never_read_as_something_else(tmp_path, save):
    content = io.BytesIO()
    save(content, images=LEVELS[:2], labels=LABELS[:2])
    whole = content.getvalue()
    path = tmp_path / "damaged.npz"
    path.write_bytes(whole[: len(whole) // 2])
    assert re.match(r"the \.npz is damaged or cut short \(.+\); write it again", refusal(path))
    refused = 0
    for place in range(0, len(whole), 23):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        try:
            images, labels = read_samples(path, GARMENTS)
            assert np.array_equal(images[:, 0].numpy(), LEVELS[:2])  # the damage hit a date or the like
            assert labels.tolist() == [0, 1]
        except UserError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("shape", ["(99999999999999, 28, 28)", "(2, 28,", "(-1, 28, 28)"])
def test_a_header_that_lies_is_damage(tmp_path, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(tmp_path / "lying.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + bytes([118, 0]) + header.encode() + LEVELS.tobytes())
        archive.writestr("labels.npy", labels.getvalue())
    assert refusal(tmp_path / "lying.npz").startswith("the .npz is damaged or cut short (")
