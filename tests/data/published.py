"""Small files in the formats of published data sets."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np


def idx(values: np.ndarray) -> bytes:
    """Writes uint8 values in the IDX format."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def mnist_files(folder: Path, images: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Writes MNIST's four files; returns names and checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    known = []
    for split in images:
        for name, values in ((f"{split}-images-idx3-ubyte.gz", images), (f"{split}-labels-idx1-ubyte.gz", labels)):
            (folder / name).write_bytes(gzip.compress(idx(values[split])))
            known.append((name, md5(folder / name)))
    return known


def md5(path: Path) -> str:
    """Returns the checksum of a file."""
    return hashlib.md5(path.read_bytes()).hexdigest()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Draws uint8 values."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
