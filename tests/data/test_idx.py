import gzip

import numpy as np
import pytest

from fmcgan.app.errors import UserError
from fmcgan.data.idx import IdxData
from tests.data.published import idx, noise

FILES = {
    "train-images-idx3-ubyte": noise(30, 20, 20),
    "train-labels-idx1-ubyte": np.arange(30) % 3,
    "t10k-images-idx3-ubyte": noise(6, 20, 20, seed=1),
    "t10k-labels-idx1-ubyte": np.arange(6) % 3,
}


def write(folder, gzipped=False, **changes):
    for name, values in FILES.items():
        content = idx(changes.get(name, values))
        (folder / f"{name}{'.gz' if gzipped else ''}").write_bytes(gzip.compress(content) if gzipped else content)


def loaded(folder, **options):
    data = IdxData(folder, batch_size=2, seed=0, **options)
    data.setup()
    return data


@pytest.mark.parametrize("gzipped", [True, False])
def test_reads_four_files(gzipped, tmp_path) -> None:
    write(tmp_path, gzipped)
    data = loaded(tmp_path, class_names=["a", "b", "c"])
    assert np.array_equal(data.images.train_images[:, 0], FILES["train-images-idx3-ubyte"])
    assert data.images.test_labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.info.class_names == ("a", "b", "c")
    assert data.info.shape == (1, 20, 20)
    assert loaded(tmp_path, size=28).info.shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train-images-idx3-ubyte": noise(29, 20, 20)}, "29 training images, but 30 labels"),
        ({"t10k-images-idx3-ubyte": noise(6, 24, 24)}, "differ in shape"),
        ({"t10k-labels-idx1-ubyte": np.arange(6)}, "test labels up to 5, but 3 class names"),
        ({"train-images-idx3-ubyte": noise(30, 400)}, r"images must be \[N, H, W\]"),
    ],
    ids=str,
)
def test_files_that_do_not_fit(changes, message, tmp_path) -> None:
    write(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        loaded(tmp_path)


def test_a_missing_and_a_damaged_file(tmp_path) -> None:
    write(tmp_path, gzipped=True)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(b"x")
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte\.gz cannot be read"):
        loaded(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(UserError, match="has no file t10k-images-idx3-ubyte"):
        loaded(tmp_path)
