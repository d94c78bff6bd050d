import bz2

import numpy as np
import pytest
from torchvision.datasets import USPS

from fmcgan.app.errors import UserError
from fmcgan.data.usps import USPSData
from tests.data.published import md5


def mirror_of(folder, monkeypatch, pixels=256):
    folder.mkdir()
    known = {}
    for split, (address, name, _) in USPS.split_list.items():
        lines = [
            f"{1 + row % 10} " + " ".join(f"{1 + pixel}:{-1 + 2 * ((row + pixel) % 2)}" for pixel in range(pixels))
            for row in range(20)
        ]
        (folder / name).write_bytes(bz2.compress("\n".join(lines).encode()))
        known[split] = [address, name, md5(folder / name)]
    monkeypatch.setattr(USPS, "split_list", known)
    return str(folder)


def test_reads_both_files(tmp_path, monkeypatch) -> None:
    data = USPSData(tmp_path / "data", mirror_of(tmp_path / "mirror", monkeypatch), batch_size=5, seed=0)
    data.setup()
    chequered = 255 * ((np.arange(20)[:, None] + np.arange(256)) % 2).reshape(20, 16, 16)
    assert np.array_equal(data.images.train_images[:, 0], chequered)
    assert data.images.test_labels.tolist() == [*range(10)] * 2
    assert data.info.shape == (1, 16, 16)


def test_other_shapes(tmp_path, monkeypatch) -> None:
    data = USPSData(tmp_path / "data", mirror_of(tmp_path / "mirror", monkeypatch, 100), batch_size=5, seed=0)
    with pytest.raises(UserError, match=r"usps\.bz2 cannot be read"):
        data.load()
