import numpy as np
import pytest
from scipy.io import savemat
from torchvision.datasets import SVHN

from fmcgan.app.errors import UserError
from fmcgan.data.svhn import SVHNData
from tests.data.published import md5, noise


def mirror_of(folder, monkeypatch, side=32):
    folder.mkdir()
    known = {}
    for split, (address, name, _) in SVHN.split_list.items():
        images = noise(20, 3, side, side, seed=len(split))
        savemat(folder / name, {"X": images.transpose(2, 3, 1, 0), "y": 1 + np.arange(20)[:, None] % 10})
        known[split] = [address, name, md5(folder / name)]
    monkeypatch.setattr(SVHN, "split_list", known)
    return str(folder)


def test_reads_both_files(tmp_path, monkeypatch) -> None:
    data = SVHNData(tmp_path / "data", mirror_of(tmp_path / "mirror", monkeypatch), batch_size=5, seed=0)
    data.setup()
    assert np.array_equal(data.images.train_images, noise(20, 3, 32, 32, seed=5))
    assert np.array_equal(data.images.test_images, noise(20, 3, 32, 32, seed=4))
    assert data.images.train_labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2  # the file calls 0 ten
    assert sorted(path.name for path in (tmp_path / "data/SVHN").iterdir()) == ["test_32x32.mat", "train_32x32.mat"]


def test_other_shapes(tmp_path, monkeypatch) -> None:
    data = SVHNData(tmp_path / "data", mirror_of(tmp_path / "mirror", monkeypatch, side=16), batch_size=5, seed=0)
    with pytest.raises(UserError, match=r"train_32x32\.mat cannot be read: .*do not fit"):
        data.load()
