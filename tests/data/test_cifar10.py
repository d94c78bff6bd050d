import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from fmcgan.app.errors import UserError
from fmcgan.data.cifar10 import CIFAR10Data
from tests.data.published import md5, noise


class Code:
    """Would run a command when unpickled."""

    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    def make(pickled=None):
        folder = tmp_path / "mirror"
        folder.mkdir()
        with tarfile.open(folder / CIFAR10.filename, "w:gz") as archive:
            for number, (name, _) in enumerate([*CIFAR10.train_list, *CIFAR10.test_list]):
                batch = {b"data": noise(10, 3072, seed=number), b"labels": list(range(10)), b"batch_label": b"x"}
                content = pickle.dumps(batch if pickled is None else pickled, protocol=2)
                entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        monkeypatch.setattr(CIFAR10, "tgz_md5", md5(folder / CIFAR10.filename))
        return str(folder)

    return make


def test_reads_the_batches_in_order(mirror, tmp_path) -> None:
    data = CIFAR10Data(tmp_path / "data", mirror(), batch_size=5, seed=0)
    data.setup()
    train = np.concatenate([noise(10, 3072, seed=number) for number in range(5)]).reshape(50, 3, 32, 32)
    assert np.array_equal(data.images.train_images, train)
    assert np.array_equal(data.images.test_images, noise(10, 3, 32, 32, seed=5))
    assert data.images.train_labels.tolist() == [*range(10)] * 5
    assert data.info.shape == (3, 32, 32)


def test_runs_no_code_of_the_archive(mirror, tmp_path) -> None:
    with pytest.raises(UserError, match=r"cannot be read: it names \w+\.system"):
        CIFAR10Data(tmp_path / "data", mirror(Code()), batch_size=5, seed=0).load()


def test_other_content(mirror, tmp_path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        CIFAR10Data(tmp_path / "data", mirror({b"data": noise(10, 7), b"labels": [0]}), batch_size=5, seed=0).load()
