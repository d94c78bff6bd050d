from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from fmcgan.app.errors import UserError
from fmcgan.data.fashion_mnist import FashionMNISTData

CONFIG = Path(__file__).parents[2] / "configs" / "data" / "fashion_mnist.yaml"


def test_real_data(mirror: str, tmp_path: Path) -> None:
    data = FashionMNISTData(tmp_path, mirror, batch_size=128, seed=0)
    data.prepare_data()
    data.setup()
    train_images, train_labels, test_images, test_labels = data.images
    assert train_images.shape == (60_000, 1, 28, 28)
    assert test_images.shape == (10_000, 1, 28, 28)
    assert train_images.dtype == test_images.dtype == torch.uint8
    assert train_labels.dtype == test_labels.dtype == torch.int64
    assert train_labels.bincount().tolist() == [6_000] * 10
    assert test_labels.bincount().tolist() == [1_000] * 10
    assert train_labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]  # as published
    # The mean and standard deviation of the training pixels that everyone normalises with: 0.2860 and 0.3530.
    assert train_images.double().mean().item() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert train_images.double().std().item() / 255 == pytest.approx(0.3530, abs=5e-5)


def test_reads_each_file_into_its_place(mini_mirror, splits, tmp_path: Path) -> None:
    images = FashionMNISTData(tmp_path, str(mini_mirror), batch_size=4, seed=0).load()
    for tensor, (split, part) in zip(images, (("train", 0), ("train", 1), ("t10k", 0), ("t10k", 1)), strict=True):
        assert np.array_equal(tensor.squeeze(1).numpy() if part == 0 else tensor.numpy(), splits[split][part])


def test_relative_root_is_in_the_current_folder(mini_mirror, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    FashionMNISTData("here", str(mini_mirror), batch_size=4, seed=0).prepare_data()
    assert (tmp_path / "here/FashionMNIST/raw/train-images-idx3-ubyte.gz").is_file()


def test_files_that_do_not_belong_together(mini_mirror, tmp_path: Path, monkeypatch) -> None:
    data = FashionMNISTData(tmp_path, str(mini_mirror), batch_size=4, seed=0)
    data.prepare_data()
    raw = tmp_path / "FashionMNIST" / "raw"
    monkeypatch.setattr("fmcgan.data.downloaded.ensure_archives", lambda archives, root, mirror: raw)
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes((raw / "train-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(UserError, match=r"t10k .* images \(10, 28, 28\) and labels \(20,\)"):
        data.load()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"root": 3}, "root must be the path of a folder, got 3"),
        ({"root": ""}, "root must be the path of a folder, got ''"),
        ({"mirror": 3}, "mirror must be a folder, .* got 3"),
        ({"mirror": "ftp://host/files"}, "scheme must be one of file, http, https, got 'ftp'"),
        ({"batch_size": "many"}, "batch_size must be a whole number of at least 1, got 'many'"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, got -1"),
    ],
)
def test_wrong_values(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FashionMNISTData(**{"batch_size": 4, "seed": 0, **wrong})


def test_empty_mirror_is_none() -> None:
    assert FashionMNISTData(mirror="", batch_size=4, seed=0).mirror is None


@pytest.mark.parametrize(
    ("environment", "root", "mirror"),
    [
        ({}, Path("data"), None),
        (
            {"FMCGAN_DATA_ROOT": "/elsewhere", "FMCGAN_DATA_MIRROR": "http://host/files"},
            "/elsewhere",
            "http://host/files",
        ),
        ({"FMCGAN_DATA_MIRROR": ""}, Path("data"), None),
    ],
)
def test_config(environment: dict, root: str, mirror: str | None, monkeypatch) -> None:
    for name in ("FMCGAN_DATA_ROOT", "FMCGAN_DATA_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = OmegaConf.create({"seed": 3, "data": OmegaConf.load(CONFIG)})
    data = instantiate(config.data)
    assert isinstance(data, FashionMNISTData)
    assert (data.root, data.mirror, data.batch_size, data.seed) == (Path(root), mirror, 64, 3)
