"""Writes labelled images while they are drawn, so that memory does not limit their number (except for a grid).

Every writer takes the images class by class, in uint8 arrays [B, H, W] or [B, H, W, 3] of any lengths, and writes
atomically.
Unfinished files are removed after an error or Ctrl-C; those of a killed process, by the next command with this output.
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

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.app.memory import format_bytes
from fmcgan.app.run_dir import UNFINISHED
from fmcgan.data.info import DatasetInfo

Images = Iterable[NDArray[np.uint8]]
Writer = Callable[[Images, Sequence[int], int, Path, DatasetInfo], None]

_BLOCK = 4096  # bytes: disks allocate blocks, so a PNG of 28 x 28, about 700 bytes, takes one
_UNSAFE_NAME = re.compile(r'[/\\:*?"<>|=]|^[\s.~-]|[\s.]$')
"""Class names that are no folder names: separators, ``=``, characters that some file systems or shells refuse."""


def writer_for(output: Path) -> Writer:
    """Returns the writer for an output's name: ``.png`` a grid, ``.npz`` arrays, no suffix a folder.

    Raises `UserError` if the name has another suffix, or is that of a device or of a folder that is not empty.
    """
    suffixes = (".png", ".npz")
    as_file = output.suffix in suffixes and output.name not in suffixes
    if not as_file and (output.suffix[1:2].isalpha() or output.name in suffixes):
        raise UserError(f"output={output}: its name must end in .png (a grid), .npz (arrays) or be that of a folder")
    if output.is_symlink() and not output.exists():
        raise UserError(f"output={output} is a broken link; choose another name")
    if output.exists() and not (output.is_file() or output.is_dir()):
        raise UserError(f"output={output} is neither a file nor a folder; choose another name")
    if as_file and output.is_dir():
        raise UserError(f"output={output} is a folder; choose another name for the file")
    if as_file:
        return write_grid if output.suffix == ".png" else write_npz
    if output.is_file() or (output.is_dir() and any(not _is_leftover(each, "") for each in output.iterdir())):
        raise UserError(
            f"output={output} exists and is not empty; choose another name, so that old and new images do not mix"
        )
    return write_folder


def check_space(write: Writer, n_classes: int, n_per_class: int, output: Path, info: DatasetInfo) -> int:
    """Refuses an output that does not fit on the disk, and removes leftovers of killed processes.

    Returns the bytes on the disk; 0 for a grid, which is small. Raises `UserError` if there is too little space, or a
    grid has too many rows or columns. The output's folder need not exist.
    """
    n = n_classes * n_per_class
    if write is write_grid:
        _check_grid(n_classes, n_per_class, info)
        return 0
    need = n * (info.pixels + 8) if write is write_npz else n * _BLOCK * -(-info.pixels // _BLOCK)
    existing = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.is_dir())
    for parent, name in ((output.parent, output.name), (output, "")):
        for each in parent.iterdir() if parent.is_dir() else ():
            if _is_leftover(each, name):
                shutil.rmtree(each, ignore_errors=True)
    free = shutil.disk_usage(existing).free
    if need > free:
        raise UserError(
            f"{n:,} images take about {format_bytes(need)} on the disk, {format_bytes(free)} are free at {existing};"
            " use a smaller n_per_class, another disk" + (", or output=NAME.npz" if write is write_folder else "")
        )
    return need


def _check_grid(n_classes: int, n_per_class: int, info: DatasetInfo) -> None:
    """Refuses a grid with too many columns, rows or images for a PNG."""
    from fmcgan.figure.files import LARGEST, LONGEST
    from fmcgan.figure.grid import GAP, MARGIN, check_columns, magnification

    tile = magnification(info.size) * info.size
    check_columns(tile, n_per_class=n_per_class)
    rows, images = (LONGEST - 2 * MARGIN) // (tile + GAP), LARGEST // (tile + GAP) ** 2
    if n_classes > rows or n_classes * n_per_class > images:
        raise UserError(
            f"a grid has at most {rows:,} classes and {images:,} images, got {n_classes:,} and "
            f"{n_classes * n_per_class:,}; use a smaller n_per_class, some classes=, or output=NAME.npz"
        )


def write_grid(
    images: Images,
    labels: Sequence[int],
    n_per_class: int,
    output: Path,
    info: DatasetInfo,
    title: str | None = None,
) -> None:
    """Draws a grid with one row for each class, and a title if there is one."""
    from fmcgan.figure.files import write_png
    from fmcgan.figure.grid import class_grid

    pixels = np.concatenate(list(images))
    rows = pixels.reshape(len(labels), n_per_class, *pixels.shape[1:])
    write_png(class_grid(rows, [info.class_names[label] for label in labels], title), output)


def write_npz(images: Images, labels: Sequence[int], n_per_class: int, output: Path, info: DatasetInfo) -> None:
    """Writes ``images`` uint8 [N, H, W] or [N, H, W, 3] and ``labels`` int64 [N] like ``np.savez``, not compressed.

    Atomic. Compression saves less than 10 % of the space, since generated backgrounds are not exactly black.
    """
    n = len(labels) * n_per_class
    shape = (n, info.size, info.size) if info.channels == 1 else (n, info.size, info.size, info.channels)
    with _unfinished(output.parent, output.name) as folder:
        unfinished = folder / output.name
        with unfinished.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                _add_array(archive, "images", "|u1", shape, images)
                of_each_class = (np.full(n_per_class, label, "<i8") for label in labels)
                _add_array(archive, "labels", "<i8", (n,), of_each_class)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(output)


def write_folder(images: Images, labels: Sequence[int], n_per_class: int, output: Path, info: DatasetInfo) -> None:
    """Writes ``output/bag/000000.png``, ...: one sub-folder for each class (`folder_name`), atomically.

    An existing empty folder is not replaced, since it may be a mounted disk: its complete sub-folders are moved into it
    one by one.
    """
    each = chain.from_iterable(images)
    exists = output.is_dir()
    with _unfinished(*((output, "") if exists else (output.parent, output.name))) as unfinished:
        complete = unfinished / "complete"
        complete.mkdir()
        for label in labels:
            folder = complete / folder_name(info, label)
            folder.mkdir()
            for index, image in enumerate(islice(each, n_per_class)):
                Image.fromarray(image).save(folder / f"{index:06d}.png")
        if not exists:
            complete.rename(output)
            return
        for folder in complete.iterdir():
            folder.rename(output / folder.name)


def folder_name(info: DatasetInfo, label: int) -> str:
    """Returns a class name, or its label if the name is no safe folder name; `DatasetInfo.parse_classes` reads both."""
    if not _UNSAFE_NAME.search(info.class_names[label]):
        return info.class_names[label]
    name = str(label)
    while name in info.class_names:  # a name precedes a label; leading zeros do not change a label
        name = f"0{name}"
    return name


def _add_array(
    archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...], parts: Iterable[NDArray[np.generic]]
) -> None:
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:  # zip64: the size is unknown at the start
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(part.data)


@contextmanager
def _unfinished(parent: Path, name: str) -> Iterator[Path]:
    """Creates a temporary folder for an unfinished output, named after the output and the process."""
    prefix = f"{_unfinished_prefix(name)}{os.getpid()}-"
    with TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _unfinished_prefix(name: str) -> str:
    return f"{name[:50]}{UNFINISHED}"  # file systems limit the length of names


def _is_leftover(path: Path, name: str) -> bool:
    """Whether a path was left by an ended process: of the output of this name, or inside it if the name is empty."""
    found = re.fullmatch(re.escape(_unfinished_prefix(name)) + r"(?:(\d{1,18})-)?\w{8}", path.name)
    if found is None or path.is_symlink() or not path.is_dir():
        return False
    if found[1] is None:  # version 1 wrote no process id, and only inside the output
        return not name
    try:
        os.kill(int(found[1]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:  # another user's
        return False
    return int(found[1]) == os.getpid()
