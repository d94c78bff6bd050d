"""Labelled images to the disk while they are made, so that memory does not limit their number (but for a grid).

Every writer takes the images of one class after the other, in arrays uint8 [B, 28, 28] of any lengths. What is not
whole stands under an unfinished name: an error or Ctrl-C removes it, after a kill it can be thrown away.
"""

import os
import zipfile
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.data.classes import CLASS_NAMES
from fmcgan.errors import UserError
from fmcgan.run_folder import UNFINISHED

Images = Iterable[NDArray[np.uint8]]
Writer = Callable[[Images, Sequence[int], int, Path], None]


def writer_for(output: Path) -> Writer:
    """The writer that an output's name asks for: ``.png`` a grid, ``.npz`` arrays, no ending a folder.

    Raises:
        UserError: another ending, a folder of a file's name, or a folder that is not empty.
    """
    if output.suffix in (".png", ".npz"):
        if output.is_dir():
            raise UserError(f"output={output} is a folder; choose another name for the file")
        return write_grid if output.suffix == ".png" else write_npz
    if output.suffix[1:2].isalpha() or output.name in (".png", ".npz"):
        raise UserError(f"output={output}: its name must end in .png (a grid), .npz (arrays) or be that of a folder")
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UserError(
            f"output={output} is there already and not empty; old and new images must not mix, choose another"
        )
    return write_folder


def write_grid(images: Images, labels: Sequence[int], n_per_class: int, output: Path) -> None:
    """Draws one class a row."""
    from fmcgan.figure.grid import class_grid
    from fmcgan.figure.png import write_png

    rows = np.concatenate(list(images)).reshape(len(labels), n_per_class, 28, 28)
    write_png(class_grid(rows, [CLASS_NAMES[label] for label in labels]), output)


def write_npz(images: Images, labels: Sequence[int], n_per_class: int, output: Path) -> None:
    """Writes ``images`` uint8 [N, 28, 28] and ``labels`` int64 [N] as ``np.savez`` does, not compressed.

    Compression would cost several hundredths of the time and save less than a tenth of the space: generated
    backgrounds are nearly, not exactly, black.

    Args:
        images: of the classes, in arrays of any lengths.
        labels: the classes, in that order.
        n_per_class: images of each.
        output: the file; it is there when it is whole.
    """
    n = len(labels) * n_per_class
    with TemporaryDirectory(prefix=f"{output.name}{UNFINISHED}", dir=output.parent) as folder:
        unfinished = Path(folder) / output.name
        with unfinished.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                _add_array(archive, "images", "|u1", (n, 28, 28), images)
                of_each_class = (np.full(n_per_class, label, "<i8") for label in labels)
                _add_array(archive, "labels", "<i8", (n,), of_each_class)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(output)


def write_folder(images: Images, labels: Sequence[int], n_per_class: int, output: Path) -> None:
    """Writes ``output/bag/000000.png``, ...: a sub-folder a class. The sub-folders are there when all are whole."""
    each = chain.from_iterable(images)
    output.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=output) as unfinished:
        for label in labels:
            folder = Path(unfinished) / CLASS_NAMES[label]
            folder.mkdir()
            for index, image in enumerate(islice(each, n_per_class)):
                Image.fromarray(image).save(folder / f"{index:06d}.png")
        for folder in Path(unfinished).iterdir():
            folder.rename(output / folder.name)


def _add_array(
    archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...], parts: Iterable[NDArray[Any]]
) -> None:
    """Adds an array to an ``.npz`` part by part."""
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:  # zip64: the size is not known at the start
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(part.data)
