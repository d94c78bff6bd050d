"""Samples as PNGs in one sub-folder a class."""

import io
import re
import stat
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.app import memory
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import printable
from fmcgan.data.classes import CLASS_NAMES, parse_classes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LOSSY = {".jpg", ".jpeg", ".webp"}
_LARGEST = 1 << 20  # bytes of a file: 28 x 28 pixels take a few kilobytes, whatever else a PNG holds


def read_folder(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Reads a folder like that of ``python -m fmcgan.generate output=FOLDER``.

    Each sub-folder is named by a class (any name or label that `parse_classes` knows) and holds PNGs of 28 x 28, grey,
    or in colour with the three channels equal and nothing transparent. Names that begin with a dot are passed over;
    anything else that is not expected is refused.

    Args:
        path: of the folder.

    Returns:
        Images uint8 [N, 28, 28] and labels int64 [N]: by label, and within a class by the names of the files, whose
        numbers count as numbers (``2.png`` before ``10.png``).

    Raises:
        UserError: names the file or folder within ``path`` that cannot be used, and why.
        OSError: a file cannot be opened.
    """
    files = [(label, file) for label, folder in sorted(_class_folders(path).items()) for file in _pngs(folder)]
    if not files:
        raise UserError("no images in this folder; expected PNGs in sub-folders named by class, such as bag/000000.png")
    memory.require(2 * 784 * len(files), f"a folder of {len(files):,} images", "put fewer into it")
    images = np.empty((len(files), 28, 28), dtype=np.uint8)
    for image, (_, file) in zip(images, files, strict=True):
        try:
            image[:] = _read_png(_content(file))
        except UserError as error:
            raise UserError(f"{printable(file.relative_to(path))} {error}") from error
    return images, np.array([label for label, _ in files], dtype=np.int64)


def _class_folders(path: Path) -> dict[int, Path]:
    folders: dict[int, Path] = {}
    for folder in _visible(path):
        if not folder.is_dir():
            raise UserError(
                f"{printable(folder.name)} lies beside the class folders; "
                "move images into the sub-folder of their class, such as bag, and anything else away"
            )
        try:
            label = parse_classes([folder.name])[0]
        except UserError as error:
            raise UserError(f"each sub-folder must be named by a class: {error}") from error
        if label in folders:
            both = f"{printable(folders[label].name)} and {printable(folder.name)}"
            raise UserError(
                f"the sub-folders {both} both mean {CLASS_NAMES[label]}; put the images of a class into one"
            )
        folders[label] = folder
    return folders


def _pngs(folder: Path) -> list[Path]:
    files = _visible(folder)
    for file in files:
        if file.suffix.lower() in _LOSSY:
            raise UserError(f"{_shown(file)}: {file.suffix} may have changed the grey levels; save PNGs")
        if file.suffix.lower() != ".png" or file.is_dir():
            raise UserError(f"{_shown(file)} is not a PNG; only PNGs may be in a class folder, move it away")
    return files


def _shown(file: Path) -> str:
    return printable(f"{file.parent.name}/{file.name}")


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, numbers in names counted as numbers."""
    return sorted((each for each in folder.iterdir() if not each.name.startswith(".")), key=_natural_order)


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    # Splitting at a group alternates text and digits, so that only like is compared with like.
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _content(file: Path) -> bytes:
    """The bytes of a file; of nothing that could be read without end."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise UserError("is no file (a pipe, a device or the like); move it away")
    with file.open("rb") as opened:
        content = opened.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise UserError(f"has more than {memory.format_bytes(_LARGEST)}, too much for 28 x 28 pixels; save it again")
    return content


def _read_png(content: bytes) -> NDArray[np.uint8]:
    """The grey levels of a PNG, uint8 [28, 28].

    Raises:
        UserError: continues a sentence that begins with the name of the file.
    """
    if not content.startswith(_SIGNATURE):
        raise UserError("is empty; save it again" if not content else "is not a PNG, whatever its name; save PNGs")
    if len(content) < 26 or content[12:16] != b"IHDR":
        raise UserError("is damaged or cut short; save it again")
    width, height, depth = struct.unpack(">IIB", content[16:25])
    if (width, height) != (28, 28):
        raise UserError(f"is {width} x {height} pixels, expected 28 x 28; resize it in the program that made it")
    if depth == 16:  # Pillow would drop the low bits of colour without a word
        raise UserError("has 16 bits a pixel, expected 8; convert to uint8 0..255 before saving")
    try:
        Image.open(io.BytesIO(content), formats=["PNG"]).verify()  # reading alone passes over some damage of the pixels
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.mode == "L" and "transparency" not in picture.info:
                return np.asarray(picture)
            return _only_grey(np.asarray(picture.convert("RGBA")))
    except UserError:
        raise
    except Exception as error:  # of a damaged file: a dozen types, which Pillow does not document
        raise UserError("is damaged or cut short; save it again") from error


def _only_grey(channels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The one channel that [28, 28, 4] of red, green, blue and opacity amount to."""
    red, green, blue, opacity = np.moveaxis(channels, -1, 0)
    if (opacity != 255).any():
        raise UserError("is transparent in places; save it without an alpha channel")
    if (red != green).any() or (green != blue).any():
        raise UserError("is in colour (its channels differ); expected grey, black 0 and white 255: save mode L")
    return red
