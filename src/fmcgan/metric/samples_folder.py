"""Reader of samples from a folder of PNGs with one sub-folder per class."""

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
from fmcgan.data.info import DatasetInfo

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LOSSY = {".jpg", ".jpeg", ".webp"}
_LARGEST = 1 << 20  # bytes of a file; 64 x 64 pixels take a few kilobytes


def read_folder(path: Path, info: DatasetInfo) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Reads a folder as ``python -m fmcgan.generate output=FOLDER`` writes it.

    Each sub-folder is named by a class (a name or label of `DatasetInfo.parse_classes`, or a name of
    `DatasetInfo.column`) and holds opaque PNGs of the data set's size. Those of a grey data set are grey or have three
    equal channels. Names that start with a dot are ignored; other files are errors.

    Returns images uint8 [N, H, W] if grey, else [N, H, W, 3], and labels int64 [N], by label and then by file name,
    ``2.png`` before ``10.png``.
    Raises `UserError` if a file or folder is not as described, or memory is too small; `OSError` if a file cannot be
    opened.
    """
    files = [
        (label, file) for label, folder in sorted(_class_folders(path, info).items()) for file in _pngs(folder, info)
    ]
    if not files:
        example = f"{info.column(0)}/000000.png"
        raise UserError(f"no images in this folder; expected PNGs in sub-folders named by class, such as {example}")
    memory.require(2 * info.pixels * len(files), f"a folder of {len(files):,} images", "put fewer into it")
    channels = (3,) if info.channels == 3 else ()
    images = np.empty((len(files), info.size, info.size, *channels), dtype=np.uint8)
    for image, (_, file) in zip(images, files, strict=True):
        try:
            image[:] = _read_png(_content(file, info), info)
        except UserError as error:
            raise UserError(f"{printable(file.relative_to(path))} {error}") from error
    return images, np.array([label for label, _ in files], dtype=np.int64)


def _class_folders(path: Path, info: DatasetInfo) -> dict[int, Path]:
    folders: dict[int, Path] = {}
    for folder in _visible(path):
        if not folder.is_dir():
            raise UserError(
                f"{printable(folder.name)} is not a folder of a class; "
                f"move images into the sub-folder of their class, such as {info.column(0)}, and other files away"
            )
        try:
            label = _label(folder.name, info)
        except UserError as error:
            raise UserError(f"each sub-folder must be named by a class: {error}") from error
        if label in folders:
            both = f"{printable(folders[label].name)} and {printable(folder.name)} both mean {info.class_names[label]}"
            raise UserError(f"the sub-folders {both}; put the images of a class into one")
        folders[label] = folder
    return folders


def _label(name: str, info: DatasetInfo) -> int:
    try:
        return info.parse_classes([name])[0]
    except UserError:
        for label in info.labels:  # a name with characters that folders cannot have
            if info.column(label) == name:
                return label
        raise


def _pngs(folder: Path, info: DatasetInfo) -> list[Path]:
    files, levels = _visible(folder), "grey levels" if info.channels == 1 else "colours"
    for file in files:
        shown = printable(f"{folder.name}/{file.name}")
        if file.suffix.lower() in _LOSSY:
            raise UserError(f"{shown}: {file.suffix} may have changed the {levels}; save PNGs")
        if file.suffix.lower() != ".png" or file.is_dir():
            raise UserError(f"{shown} is not a PNG; only PNGs may be in a class folder, move it away")
    return files


def _visible(folder: Path) -> list[Path]:
    """Lists a folder without hidden files, numbers in names in numerical order."""

    def natural_order(path: Path) -> tuple[list[str | int], str]:
        # re.split with a group alternates text and digits, so text is compared with text only.
        parts = re.split(r"(\d+)", path.name)
        return [int(part) if part.isdecimal() else part for part in parts], path.name

    return sorted((each for each in folder.iterdir() if not each.name.startswith(".")), key=natural_order)


def _content(file: Path, info: DatasetInfo) -> bytes:
    """Reads a regular file of limited size that begins like a PNG."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise UserError("is not a regular file (a pipe, a device or the like); move it away")
    with file.open("rb") as opened:
        content = opened.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        most, size = memory.format_bytes(_LARGEST), f"{info.size} x {info.size}"
        raise UserError(f"has more than {most}, too much for {size} pixels; save it again")
    if not content.startswith(_SIGNATURE):
        raise UserError("is empty; save it again" if not content else "is not a PNG despite its name; save PNGs")
    return content


def _read_png(content: bytes, info: DatasetInfo) -> NDArray[np.uint8]:
    """Decodes a PNG to uint8 [H, W] or [H, W, 3]. The caller puts the file's name before the message of an error."""
    if len(content) < 26 or content[12:16] != b"IHDR":
        raise UserError("is damaged or cut short; save it again")
    width, height, depth = struct.unpack(">IIB", content[16:25])
    if (width, height) != (info.size, info.size):
        expected = f"expected {info.size} x {info.size}"
        raise UserError(f"is {width} x {height} pixels, {expected}; resize it in the program that made it")
    if depth == 16:  # Pillow drops the low bits silently
        raise UserError("has 16 bits a pixel, expected 8; convert to uint8 0..255 before saving")
    try:
        Image.open(io.BytesIO(content), formats=["PNG"]).verify()  # reading alone ignores some damage
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if info.channels == 1 and picture.mode == "L" and "transparency" not in picture.info:
                return np.asarray(picture)
            pixels = np.asarray(picture.convert("RGBA"))
    except Exception as error:  # many types for damaged files, undocumented by Pillow
        raise UserError("is damaged or cut short; save it again") from error
    if (pixels[..., 3] != 255).any():
        raise UserError("is transparent in places; save it without an alpha channel")
    return pixels[..., :3] if info.channels == 3 else _grey(pixels)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if (pixels[..., :3] != pixels[..., :1]).any():
        raise UserError("is in colour (its channels differ); expected grey, black 0 and white 255: save mode L")
    return pixels[..., 0]
