import gzip
import zipfile

import numpy as np
import pytest
from torchvision.datasets import EMNIST

from fmcgan.app.errors import UserError
from fmcgan.data.emnist import EMNISTData
from tests.data.published import idx, md5, noise


def mirror_of(folder, split, first, classes, monkeypatch, last=0):
    folder.mkdir()
    with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
        for part, n in (("train", 3 * classes), ("test", classes)):
            labels = first + np.arange(n) % classes + last
            for content, values in (("images-idx3", noise(n, 28, 28, seed=n)), ("labels-idx1", labels)):
                archive.writestr(f"gzip/emnist-{split}-{part}-{content}-ubyte.gz", gzip.compress(idx(values)))
    monkeypatch.setattr(EMNIST, "md5", md5(folder / "gzip.zip"))
    return str(folder)


@pytest.mark.parametrize(("split", "first", "classes"), [("letters", 1, 26), ("balanced", 0, 47)])
def test_reads_a_split_upright(split, first, classes, tmp_path, monkeypatch) -> None:
    mirror = mirror_of(tmp_path / "mirror", split, first, classes, monkeypatch)
    data = EMNISTData(split, tmp_path / "data", mirror, batch_size=5, seed=0)
    data.setup()
    images = data.images
    assert np.array_equal(images.train_images[:, 0].transpose(1, 2), noise(3 * classes, 28, 28, seed=3 * classes))
    assert images.train_labels.bincount().tolist() == [3] * classes
    assert images.test_labels.tolist() == list(range(classes))
    assert data.info.num_classes == classes


def test_names_are_torchvisions() -> None:
    letters, balanced = (EMNISTData(split, batch_size=1, seed=0).info.class_names for split in ("letters", "balanced"))
    assert list(letters) == EMNIST.classes_split_dict["letters"][1:]
    assert [name.removeprefix("small ") for name in balanced] == EMNIST.classes_split_dict["balanced"]


def test_labels_out_of_range_and_a_missing_split(tmp_path, monkeypatch) -> None:
    mirror = mirror_of(tmp_path / "mirror", "letters", 1, 26, monkeypatch, last=1)
    with pytest.raises(UserError, match=r"gzip\.zip cannot be read: .*do not fit"):
        EMNISTData("letters", tmp_path / "data", mirror, batch_size=5, seed=0).load()
    with pytest.raises(UserError, match=r"gzip\.zip cannot be read: .*balanced"):
        EMNISTData("balanced", tmp_path / "data", mirror, batch_size=5, seed=0).load()
    with pytest.raises(ValueError, match="split must be one of letters, balanced"):
        EMNISTData("byclass", batch_size=5, seed=0)
