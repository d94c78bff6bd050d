"""MNIST and Kuzushiji-MNIST cannot be downloaded here: their format is that of Fashion-MNIST's real files."""

import numpy as np
import pytest
from torchvision.datasets import KMNIST, MNIST

from fmcgan.app.errors import UserError
from fmcgan.data.kmnist import KMNISTData
from fmcgan.data.mnist import MNISTData
from tests.data.published import mnist_files, noise

IMAGES = {"train": noise(30, 28, 28), "t10k": noise(20, 28, 28, seed=1)}
LABELS = {"train": np.arange(30) % 10, "t10k": np.arange(20) % 10}


@pytest.mark.parametrize(("made", "published"), [(MNISTData, MNIST), (KMNISTData, KMNIST)])
def test_reads_files_from_a_mirror(made, published, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(published, "resources", mnist_files(tmp_path / "mirror", IMAGES, LABELS))
    data = made(tmp_path / "data", str(tmp_path / "mirror"), batch_size=5, seed=0)
    data.prepare_data()
    data.setup()
    assert np.array_equal(data.images.train_images[:, 0], IMAGES["train"])
    assert np.array_equal(data.images.test_labels, LABELS["t10k"])
    assert data.info.shape == (1, 28, 28)
    assert not data.info.flips
    assert len(list((tmp_path / "data" / published.__name__ / "raw").iterdir())) == 4  # torchvision's folder


def test_names() -> None:
    assert list(KMNISTData(batch_size=1, seed=0).info.class_names) == KMNIST.classes
    assert [name[0] for name in MNIST.classes] == list(MNISTData(batch_size=1, seed=0).info.class_names)


def test_a_label_too_high_is_refused(tmp_path, monkeypatch) -> None:
    wrong = {"train": np.full(30, 10), "t10k": LABELS["t10k"]}
    monkeypatch.setattr(MNIST, "resources", mnist_files(tmp_path / "mirror", IMAGES, wrong))
    with pytest.raises(UserError, match="up to 10"):
        MNISTData(tmp_path, str(tmp_path / "mirror"), batch_size=5, seed=0).load()
