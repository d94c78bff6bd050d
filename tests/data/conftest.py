"""A miniature Fashion-MNIST: the same four files with 20 + 10 random images, known to torchvision's table."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

Split = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def splits() -> dict[str, Split]:
    random = np.random.default_rng(0)
    return {
        split: (random.integers(0, 256, (count, 28, 28), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 10)
        for split, count in (("train", 20), ("t10k", 10))
    }


@pytest.fixture
def mini_mirror(splits: dict[str, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a mirror"
    folder.mkdir()
    resources = []
    for split, (images, labels) in splits.items():
        for name, values in ((f"{split}-images-idx3-ubyte.gz", images), (f"{split}-labels-idx1-ubyte.gz", labels)):
            header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
            (folder / name).write_bytes(gzip.compress(header + values.tobytes()))
            resources.append((name, hashlib.md5((folder / name).read_bytes()).hexdigest()))
    monkeypatch.setattr(FashionMNIST, "resources", resources)
    return folder
