"""One's own images: a folder with a sub-folder of PNG or JPEG files for each class."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from fmcgan.app import memory
from fmcgan.app.checks import number, seed_number
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.escaping import printable
from fmcgan.app.progress import Progress
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.decode import decode, is_colour
from fmcgan.data.info import DatasetInfo
from fmcgan.data.split import split, warn_of_faults

log = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg")
_LAYOUT = "data.root needs a sub-folder of PNG or JPEG files for each class, or train/ and test/ with such sub-folders"


class _Image(NamedTuple):
    path: Path
    label: int


class FolderData(ImageDataModule):
    """Images in class sub-folders, whose names are the classes, in natural order (2 before 10).

    If there are folders ``train`` and ``test``, the classes are sub-folders of both; else test images are drawn from
    each class. Hidden files and folders are left out. Every kind of PNG and JPEG is read: see `decode`.

    Args:
        root: the folder.
        channels: 1 (grey) or 3 (colour); ``None``: 3 if any image has colours.
        flips: whether a mirrored image is as plausible as the original.
        test_share: share of the test images if there is no folder ``test``.
        split_seed: of that choice.
        size: height and width of the images. The other arguments are those of `ImageDataModule`.
    """

    def __init__(
        self,
        root: str | Path,
        channels: int | None = None,
        flips: bool = False,
        test_share: float = 0.2,
        split_seed: int = 0,
        size: int = 32,
        **options: Any,
    ) -> None:
        super().__init__(size=size, **options)
        if not isinstance(root, str | Path) or not str(root):
            raise InvalidValueError(f"root must be the folder of the images, got {root!r}", "root")
        if channels not in (None, 1, 3):
            raise InvalidValueError(f"channels must be 1 (grey), 3 (colour) or null, got {channels!r}", "channels")
        number(0.01, 0.9, test_share=test_share)
        seed_number(split_seed=split_seed)
        self.root = expand_home(root)
        self.channels, self.flips = channels, bool(flips)
        self.test_share, self.split_seed = test_share, split_seed

    @cached_property
    def source(self) -> DatasetInfo:
        """Classes by the names of the sub-folders. Raises `UserError` if the folder does not hold such files."""
        colour = self.channels == 3 or (self.channels is None and any(_is_colour(each.path) for each in self._all))
        channels, size = 3 if colour else 1, self.resize.size or 32
        name = printable(self.root.absolute().name) or "folder"
        return DatasetInfo(name, self._classes, channels=channels, size=size, flips=self.flips)

    def load(self) -> ImageSplits:
        """Reads and resizes all images."""
        train = self._read(self._train)
        if self._test is None:
            splits = split(*train, self.test_share, self.split_seed)
        else:
            splits = ImageSplits(*train, *self._read(self._test))
        warn_of_faults(splits, self.info)
        return splits

    @property
    def _all(self) -> list[_Image]:
        return [*self._train, *(self._test or [])]

    @cached_property
    def _folders(self) -> tuple[Path, Path | None]:
        """The folders of the training and of the test classes; the second is ``None`` if it is to be drawn."""
        if not self.root.is_dir():
            problem = "is not a folder" if self.root.exists() else "does not exist"
            raise UserError(f"data.root={self.root} {problem}; {_LAYOUT}")
        train, test = self.root / "train", self.root / "test"
        if train.is_dir() and test.is_dir():
            return train, test
        return (train, None) if [each.name for each in _folders_in(self.root)] == ["train"] else (self.root, None)

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        train, test = self._folders
        names = [folder.name for folder in _folders_in(train)]
        if len(names) < 2:
            raise UserError(f"{train} has {len(names)} sub-folders of classes, expected at least 2; {_LAYOUT}")
        if test and (foreign := sorted({folder.name for folder in _folders_in(test)} - set(names))):
            raise UserError(f"{test} has classes that {train} lacks: {', '.join(map(printable, foreign[:5]))}")
        return tuple(names)

    @cached_property
    def _train(self) -> list[_Image]:
        images = self._files(self._folders[0])
        least = 1 if self._folders[1] else 2  # one of them for the test
        for label, name in enumerate(self._classes):
            count = sum(image.label == label for image in images)
            if count < least:
                remedy = "add images or remove the folder"
                raise UserError(
                    f"{self._folders[0] / name} holds {count} PNG or JPEG files, expected at least {least}; {remedy}"
                )
        return images

    @cached_property
    def _test(self) -> list[_Image] | None:
        folder = self._folders[1]
        if folder is None:
            return None
        if not (images := self._files(folder)):
            raise UserError(f"{folder} holds no PNG or JPEG files; add some or remove the folder")
        return images

    def _files(self, folder: Path) -> list[_Image]:
        found: list[_Image] = []
        others: list[_Image] = []
        for label, name in enumerate(self._classes):
            for path in _visible(folder / name):
                known = path.is_file() and path.suffix.lower() in SUFFIXES
                (found if known else others).append(_Image(path, label))
        if others:
            log.warning(
                "%d files in %s are no PNG or JPEG and left out, such as %s", len(others), folder, others[0].path
            )
        return found

    def _read(self, images: list[_Image]) -> tuple[Tensor, Tensor]:
        info, size, mode = self.info, self.info.size, "RGB" if self.info.channels == 3 else "L"
        memory.require(2 * len(images) * info.pixels, f"reading {len(images):,} images", "give fewer or smaller ones")
        pixels = np.empty((len(images), size, size, info.channels), np.uint8)
        with Progress(len(images), "images", f"reading {self.root.name}") as progress:
            for row, image in zip(pixels, images, strict=True):
                with _opened(image.path) as opened:
                    square = self.resize.image(decode(opened, mode))
                row[:] = np.asarray(square).reshape(row.shape)
                progress.update(1)
        labels = torch.tensor([image.label for image in images])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), labels


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Opens an image; errors of opening and of what is done with it name the file."""
    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:  # Pillow raises many types for damaged files
        raise UserError(f"{path} cannot be read as an image: {_reason(error)}; repair or remove it") from error


def _is_colour(path: Path) -> bool:
    with _opened(path) as image:
        return is_colour(image)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is empty, damaged or of another format"
    return printable(str(error).splitlines()[0]) if str(error) else type(error).__name__


def _visible(folder: Path) -> list[Path]:
    """Returns files and folders in natural order, without hidden ones; empty if there is no such folder."""
    found = (each for each in folder.iterdir() if not each.name.startswith((".", "__"))) if folder.is_dir() else ()
    return sorted(found, key=lambda each: [int(part) if part.isdecimal() else part for part in _parts(each.name)])


def _folders_in(folder: Path) -> list[Path]:
    return [each for each in _visible(folder) if each.is_dir()] if folder.is_dir() else []


def _parts(name: str) -> list[str]:
    """Splits a name into texts and numbers in turn, beginning with a text, so that names can be compared."""
    return re.split(r"([0-9]+)", name.lower())
