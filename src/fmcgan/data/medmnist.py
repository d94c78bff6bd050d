import importlib
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.user_dirs import expand_home
from fmcgan.data.archive import Archives, ensure_archives
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.info import DatasetInfo
from fmcgan.data.npz import NpzData

_SIZES = (28, 64)
_LARGEST = 4_000_000_000  # bytes; the checksum decides


class MedMNISTData(NpzData):
    """A data set of MedMNIST (Yang et al. 2023, https://medmnist.com) with one label for each image.

    Without the package ``medmnist`` the file must lie in the data folder, and classes have numbers for names.

    Args:
        flag: name of the data set, such as ``pathmnist`` or ``bloodmnist``.
        root: the data folder; the file is in its folder ``MedMNIST``.
        mirror: a folder or address with the file; ``None``: the address in the package.
        file_size: 28 or 64, the size of the images in the file. The other arguments are those of `NpzData`.
    """

    def __init__(
        self,
        flag: str,
        root: str | Path = "data",
        mirror: str | Path | None = None,
        file_size: int = 28,
        flips: bool = True,
        **options: Any,
    ) -> None:
        if not isinstance(flag, str) or not flag.isidentifier():
            raise InvalidValueError(f"flag must be the name of a data set, such as pathmnist, got {flag!r}", "flag")
        if file_size not in _SIZES:
            raise InvalidValueError(f"file_size must be 28 or 64, got {file_size!r}", "file_size")
        if not isinstance(root, str | Path) or not str(root):
            raise InvalidValueError(f"root must be the data folder, got {root!r}", "root")
        self.flag, self.file_size = flag, file_size
        self.root, self.mirror = expand_home(root), str(mirror) if mirror else None
        name = f"{flag}.npz" if file_size == 28 else f"{flag}_{file_size}.npz"
        super().__init__(self.root / "MedMNIST" / name, flips=flips, **options)
        if self.class_names is None:
            self.class_names = self._published_names()

    def prepare_data(self) -> None:
        """Downloads the file if the package knows its checksum, and verifies it."""
        if (known := _published(self.flag)) is None:
            if not self.path.is_file():
                remedy = "pip install medmnist, or put the file there"
                raise UserError(f"{self.path}: no such file, and the package medmnist is not installed; {remedy}")
            return
        suffix = "" if self.file_size == 28 else f"_{self.file_size}"
        address, md5 = str(known[f"url{suffix}"]).partition("?")[0], str(known[f"MD5{suffix}"])
        mirrors = [address.removesuffix(self.path.name)]
        files = Archives(
            f"MedMNIST {self.flag}", "MedMNIST", {self.path.name: md5}, mirrors, {self.path.name: _LARGEST}
        )
        ensure_archives(files, self.root, self.mirror)

    @cached_property
    def source(self) -> DatasetInfo:
        """Classes and shape, from the package if it is installed, else from the file."""
        known = _published(self.flag)
        if known is None or self.class_names is None:
            return self._source_of_arrays()
        size = self.resize.size or self.file_size
        return DatasetInfo(self.flag, self.class_names, channels=known["n_channels"], size=size, flips=self.flips)

    def load(self) -> ImageSplits:
        """Reads the file, after downloading it if the package knows it."""
        self.prepare_data()
        return super().load()

    def _published_names(self) -> tuple[str, ...] | None:
        known = _published(self.flag)
        if known is None:
            return None
        if "multi-label" in known["task"] or "regression" in known["task"]:
            raise UserError(f"{self.flag} has the task {known['task']}; images need one class each")
        names = sorted((int(label), str(name)) for label, name in known["label"].items())
        return tuple(name[:60] for _, name in names)


def _published(flag: str) -> dict[str, Any] | None:
    """Returns what the package ``medmnist`` knows of a data set; ``None`` without the package."""
    if find_spec("medmnist") is None:
        return None
    known: dict[str, dict[str, Any]] = importlib.import_module("medmnist.info").INFO
    if flag not in known:
        raise InvalidValueError(f"flag must be one of {', '.join(known)}, got {flag!r}", "flag")
    return known[flag]
