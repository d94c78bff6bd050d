"""Labelled images to the disk while they are made, so that memory does not limit their number (but for a grid).

Every writer takes the images of one class after the other, in arrays uint8 [B, 28, 28] of any lengths. What is not
whole stands under an unfinished name: an error or Ctrl-C removes it, and so does the next command with this output
after a kill.
"""

import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.app import memory
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import UNFINISHED
from fmcgan.data.classes import CLASS_NAMES

Images = Iterable[NDArray[np.uint8]]
Writer = Callable[[Images, Sequence[int], int, Path], None]

_PNG = 4096  # bytes that a PNG of 28 x 28 takes: it has about 700, but disks give whole blocks


def writer_for(output: Path) -> Writer:
    """The writer that an output's name asks for: ``.png`` a grid, ``.npz`` arrays, no ending a folder.

    Raises:
        UserError: another ending, a folder of a file's name, a device or the like, or a folder that is not empty.
    """
    as_file = output.suffix in (".png", ".npz") and output.name not in (".png", ".npz")
    if not as_file and (output.suffix[1:2].isalpha() or output.name in (".png", ".npz")):
        raise UserError(f"output={output}: its name must end in .png (a grid), .npz (arrays) or be that of a folder")
    if output.is_symlink() and not output.exists():
        raise UserError(f"output={output} is a link to nothing; choose another name")
    if output.exists() and not (output.is_file() or output.is_dir()):
        raise UserError(f"output={output} is neither a file nor a folder; choose another name")
    if as_file and output.is_dir():
        raise UserError(f"output={output} is a folder; choose another name for the file")
    if as_file:
        return write_grid if output.suffix == ".png" else write_npz
    if output.is_file() or (output.is_dir() and any(not _left_over(each, "") for each in output.iterdir())):
        raise UserError(
            f"output={output} is there already and not empty; old and new images must not mix, choose another"
        )
    return write_folder


def check_space(write: Writer, n_classes: int, n_per_class: int, output: Path) -> int:
    """Refuses what cannot fit, before anything is made.

    Args:
        write: that of `writer_for`.
        n_classes: rows of a grid.
        n_per_class: images of each class.
        output: its folder need not be there yet. What a killed process left of it is removed.

    Returns:
        Bytes on the disk; 0 for a grid, which is small.

    Raises:
        UserError: a grid of more columns than a picture holds, or too little free space: the need and what is there.
    """
    n = n_classes * n_per_class
    if write is write_grid:
        from fmcgan.figure.grid import check_columns

        check_columns(n_per_class=n_per_class)
        return 0
    need = n * (784 + 8) if write is write_npz else n * _PNG
    there = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.is_dir())
    _clear(output.parent, output.name)
    if output.is_dir():
        _clear(output)
    free = shutil.disk_usage(there).free
    if need > free:
        raise UserError(
            f"{n:,} images take about {memory.format_bytes(need)} on the disk, {memory.format_bytes(free)} are free at {there}; "
            "a smaller n_per_class, another disk" + (", or output=NAME.npz" if write is write_folder else "")
        )
    return need


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
    with _unfinished(output.parent, output.name) as folder:
        unfinished = folder / output.name
        with unfinished.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                _add_array(archive, "images", "|u1", (n, 28, 28), images)
                of_each_class = (np.full(n_per_class, label, "<i8") for label in labels)
                _add_array(archive, "labels", "<i8", (n,), of_each_class)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(output)


def write_folder(images: Images, labels: Sequence[int], n_per_class: int, output: Path) -> None:
    """Writes ``output/bag/000000.png``, ...: a sub-folder a class. The folder is there when all of it is whole.

    A folder that is there already, and empty, may not be replaceable (it may be a mounted disk): its sub-folders then
    come one after the other, when all are whole.
    """
    each = chain.from_iterable(images)
    there = output.is_dir()
    with _unfinished(*((output, "") if there else (output.parent, output.name))) as unfinished:
        whole = unfinished / "whole"
        whole.mkdir()
        for label in labels:
            folder = whole / CLASS_NAMES[label]
            folder.mkdir()
            for index, image in enumerate(islice(each, n_per_class)):
                Image.fromarray(image).save(folder / f"{index:06d}.png")
        if not there:
            whole.rename(output)
            return
        for folder in whole.iterdir():
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


@contextmanager
def _unfinished(parent: Path, name: str) -> Iterator[Path]:
    """A folder for what is not whole, gone at the end; its name says of which output and of which process it is."""
    with TemporaryDirectory(prefix=f"{_mark(name)}{os.getpid()}-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _clear(parent: Path, name: str = "") -> None:
    """Removes what killed processes left of an output."""
    if parent.is_dir():
        for each in parent.iterdir():
            if _left_over(each, name):
                shutil.rmtree(each, ignore_errors=True)


def _mark(name: str) -> str:
    return f"{name[:50]}{UNFINISHED}"  # a longer one might be too long for the disk


def _left_over(path: Path, name: str) -> bool:
    """Whether it is what a process that is gone left of an output of that name; without one, within its folder."""
    found = re.fullmatch(re.escape(_mark(name)) + r"(?:(\d{1,18})-)?\w{8}", path.name)
    if found is None or path.is_symlink() or not path.is_dir():
        return False
    if found[1] is None:  # version 1 named no process, and wrote folders within their output only
        return not name
    return int(found[1]) == os.getpid() or not _runs(int(found[1]))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
