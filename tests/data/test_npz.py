import numpy as np
import pytest

from fmcgan.app.errors import UserError
from fmcgan.data.npz import NpzData
from tests.data.published import noise

LABELS = np.arange(40) % 4


def loaded(path, **options):
    data = NpzData(path, batch_size=2, seed=0, **options)
    data.setup()
    return data


def test_images_and_labels_are_split(tmp_path) -> None:
    np.savez(tmp_path / "shapes.npz", images=noise(40, 20, 20), labels=LABELS)
    data = loaded(tmp_path / "shapes.npz")
    assert data.info.name == "shapes"
    assert data.info.class_names == ("0", "1", "2", "3")
    assert data.images.train_labels.bincount().tolist() == [8] * 4
    assert data.images.test_labels.bincount().tolist() == [2] * 4
    both = [
        image.tobytes() for images in (data.images.train_images, data.images.test_images) for image in images.numpy()
    ]
    assert sorted(both) == sorted(map(bytes, noise(40, 20, 20)))


@pytest.mark.parametrize("keys", ["train_images train_labels test_images test_labels", "x_train y_train x_test y_test"])
def test_own_test_images_in_colour_with_names(keys, tmp_path) -> None:
    arrays = [noise(40, 32, 32, 3), LABELS[:, None].astype(np.uint8), noise(8, 32, 32, 3, seed=1), LABELS[:8, None]]
    np.savez(tmp_path / "a.npz", class_names=["a", "b", "c", "d"], **dict(zip(keys.split(), arrays, strict=True)))
    data = loaded(tmp_path / "a.npz")
    assert data.info.class_names == ("a", "b", "c", "d")
    assert np.array_equal(data.images.train_images.permute(0, 2, 3, 1), arrays[0])
    assert np.array_equal(data.images.test_images.permute(0, 2, 3, 1), arrays[2])
    assert data.images.test_labels.tolist() == LABELS[:8].tolist()
    assert loaded(tmp_path / "a.npz", class_names=["e", "f", "g", "h"]).info.class_names == ("e", "f", "g", "h")


def test_odd_sizes_need_a_size(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", images=noise(40, 30, 50), labels=LABELS)
    with pytest.raises(UserError, match=r"30 x 50 pixels; give data\.size"):
        loaded(tmp_path / "a.npz")
    assert loaded(tmp_path / "a.npz", size=28).images.train_images.shape[1:] == (1, 28, 28)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": LABELS}, "holds pictures, expected arrays train_images"),
        ({"images": noise(40, 16, 16) / 255, "labels": LABELS}, "images must be uint8"),
        ({"images": noise(40, 16, 16, 4), "labels": LABELS}, "images must be uint8"),
        ({"images": noise(40, 16, 16), "labels": LABELS[:, None].repeat(2, 1)}, r"labels must be whole.*\[40, 2\]"),
        ({"images": noise(40, 16, 16), "labels": LABELS - 1}, "labels must be whole"),
        ({"images": noise(40, 16, 16), "labels": LABELS / 1}, "labels must be whole"),
        ({"images": noise(40, 16, 16), "labels": LABELS * 2}, "no training images of 1, 3, 5"),
        (
            {"images": noise(40, 16, 16), "labels": LABELS, "class_names": ["a", "b", "c"]},
            "labels up to 3, but 3 class",
        ),
        ({"images": noise(40, 16, 16), "labels": np.array([None] * 40)}, "labels cannot be read"),
    ],
    ids=str,
)
def test_other_arrays_are_refused(arrays, message, tmp_path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        loaded(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut", b"text"])
def test_no_such_file(content, tmp_path) -> None:
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz"):
        loaded(tmp_path / "a.npz")
