"""The package `medmnist` is not installed here: a module with its table stands for it."""

import sys
from types import ModuleType

import numpy as np
import pytest

from fmcgan.app.errors import UserError
from fmcgan.data import medmnist
from fmcgan.data.medmnist import MedMNISTData
from tests.data.published import md5, noise


@pytest.fixture
def file(tmp_path):
    """A file as medmnist.com offers it: three splits, labels [N, 1]."""
    (tmp_path / "MedMNIST").mkdir()
    path = tmp_path / "MedMNIST" / "bloodmnist.npz"
    labels = (np.arange(24) % 8)[:, None].astype(np.uint8)
    splits = {f"{split}_images": noise(24, 28, 28, 3, seed=seed) for seed, split in enumerate(("train", "val", "test"))}
    np.savez(path, **splits, **{f"{split}_labels": labels for split in ("train", "val", "test")})
    return path


@pytest.fixture
def package(file, monkeypatch):
    names = {str(label): f"cell {label}" for label in range(8)}
    about = {"task": "multi-class", "label": names, "n_channels": 3, "MD5": md5(file), "url": "https://host/blood?x=1"}
    module = ModuleType("medmnist.info")
    module.INFO = {"bloodmnist": about, "chestmnist": about | {"task": "multi-label, binary-class"}}
    monkeypatch.setitem(sys.modules, "medmnist", ModuleType("medmnist"))
    monkeypatch.setitem(sys.modules, "medmnist.info", module)
    monkeypatch.setattr(medmnist, "find_spec", lambda name: name)
    return about


def test_a_file_in_its_place_needs_no_package(file, tmp_path) -> None:
    data = MedMNISTData("bloodmnist", tmp_path, batch_size=2, seed=0)
    data.setup()
    assert data.info.shape == (3, 28, 28)
    assert data.info.class_names == tuple("01234567")
    assert np.array_equal(data.images.test_images.permute(0, 2, 3, 1), noise(24, 28, 28, 3, seed=2))


def test_the_package_knows_names_address_and_checksum(file, package, tmp_path) -> None:
    data = MedMNISTData("bloodmnist", tmp_path / "data", mirror=str(file.parent), batch_size=2, seed=0)
    assert data.info.class_names[7] == "cell 7"  # before anything is downloaded
    assert not (tmp_path / "data").exists()
    data.prepare_data()
    data.setup()
    assert len(data.images.train_images) == 24
    file.write_bytes(b"damaged")
    with pytest.raises(UserError, match="MD5 is"):
        MedMNISTData("bloodmnist", tmp_path / "other", mirror=str(file.parent), batch_size=2, seed=0).prepare_data()


def test_what_is_refused(package, tmp_path, monkeypatch) -> None:
    with pytest.raises(UserError, match="multi-label"):
        MedMNISTData("chestmnist", tmp_path, batch_size=2, seed=0)
    with pytest.raises(ValueError, match="flag must be one of bloodmnist, chestmnist"):
        MedMNISTData("bonemnist", tmp_path, batch_size=2, seed=0)
    monkeypatch.setattr(medmnist, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install medmnist"):
        MedMNISTData("bonemnist", tmp_path, batch_size=2, seed=0).prepare_data()
