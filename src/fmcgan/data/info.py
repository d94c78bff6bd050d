"""Facts about a data set that networks, metrics, figures, commands and files need."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fmcgan.app.errors import InvalidValueError

SMALLEST, LARGEST = 16, 64  # height and width of images
_MOST_CLASSES = 1000
_SHOWN = 12  # classes listed in a message
_LONGEST_NAME = 60


@dataclass(frozen=True)
class DatasetInfo:
    """Describes labelled images. The data set makes it; configurations, checkpoints and exported generators carry it.

    Args:
        name: of the data set, such as ``fashion_mnist``.
        class_names: name of each label, in order; 2 to 1000, all different.
        channels: 1 (grey) or 3 (colour).
        size: height and width in pixels, a multiple of 4 from 16 to 64.
        flips: whether a mirrored image is as plausible as the original, and of the same class.
        aliases: further names of classes for the command line, in lower case, and their labels; not stored.

    Raises:
        InvalidValueError: a value is out of range, or two classes have the same name.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int = 1
    size: int = 28
    flips: bool = True
    aliases: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise InvalidValueError(
                f"images of data set {self.name} must have 1 channel (grey) or 3 (colour), got {self.channels}"
            )
        if self.size % 4 or not SMALLEST <= self.size <= LARGEST:
            raise InvalidValueError(
                f"images of data set {self.name} must have a height and width of {SMALLEST} to {LARGEST} pixels, a "
                f"multiple of 4, got {self.size}"
            )
        if not 2 <= self.num_classes <= _MOST_CLASSES:
            raise InvalidValueError(
                f"data set {self.name} must have 2 to {_MOST_CLASSES} classes, got {self.num_classes}"
            )
        for name in self.class_names:
            if not name.isprintable() or not name.strip() or len(name) > _LONGEST_NAME or "${" in name:
                raise InvalidValueError(
                    f"a class name must be 1 to {_LONGEST_NAME} printable characters without ${{, "
                    f"got {name[:_LONGEST_NAME]!r}"
                )
        lower = [name.lower() for name in self.class_names]
        if twice := sorted({name for name in lower if lower.count(name) > 1}) if len(set(lower)) < len(lower) else []:
            raise InvalidValueError(
                f"class names of data set {self.name} must differ (upper and lower case are the same), "
                f"got {', '.join(twice[:_SHOWN])} more than once"
            )

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def labels(self) -> range:
        """All labels."""
        return range(self.num_classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an image: channels, height, width."""
        return self.channels, self.size, self.size

    @property
    def pixels(self) -> int:
        """Numbers in an image: channels times height times width."""
        return self.channels * self.size**2

    def parse_classes(self, classes: Iterable[str | int] | str | int | None) -> list[int]:
        """Returns the labels of classes, in the order given, each once.

        Args:
            classes: names (any case) or labels (``8`` or ``"8"``), one or several; ``None`` and ``"all"``: all. A name
                precedes a label.

        Raises:
            InvalidValueError: a name or label does not exist; the message lists those that do.
        """
        if classes is None or classes == "all":
            return list(self.labels)
        if isinstance(classes, Mapping):
            example = f"[{','.join(self.class_names[:2])}]"
            raise InvalidValueError(f"classes must be names or labels, such as {example} or all, got {classes!r}")
        wanted = list(classes) if isinstance(classes, Iterable) and not isinstance(classes, str) else [classes]
        if not wanted:
            raise InvalidValueError(f"classes is empty; choose from {self.choices()}")
        return list(dict.fromkeys(self._label(each) for each in wanted))

    def plural(self, label: int) -> str:
        """Returns the plural of a class name: ``t-shirts``, ``dresses``."""
        name = self.class_names[label]
        return f"{name}es" if name.endswith("s") else f"{name}s"

    def column(self, label: int) -> str:
        """Returns a name of letters, digits and underscores for keys and columns, different for each class."""
        names = [re.sub(r"\W", "_", name) for name in self.class_names]
        return names[label] if len(set(names)) == len(names) else f"{names[label]}_{label}"

    def choices(self) -> str:
        """Lists labels and names for a message; the first ones if there are many."""
        listed = [f"{label} {name}" for label, name in enumerate(self.class_names[:_SHOWN])]
        return ", ".join([*listed, *([f"... {self.num_classes - 1}"] if self.num_classes > _SHOWN else [])])

    def as_config(self) -> dict[str, Any]:
        """Returns plain values for configurations and files, the inverse of `from_config`."""
        return {
            "name": self.name,
            "class_names": list(self.class_names),
            "num_classes": self.num_classes,
            "channels": self.channels,
            "size": self.size,
            "flips": self.flips,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "DatasetInfo":
        """Reads the values of `as_config`. Raises `InvalidValueError` if one is missing or of the wrong type."""
        if not isinstance(config, Mapping):
            raise InvalidValueError(f"dataset must be a mapping, got {config!r}")
        types = {"name": str, "class_names": list, "channels": int, "size": int, "flips": bool}
        for key, kind in types.items():
            if type(config.get(key)) is not kind:
                raise InvalidValueError(f"dataset.{key} must be a {kind.__name__}, got {config.get(key)!r}")
        if wrong := [name for name in config["class_names"] if not isinstance(name, str)]:
            raise InvalidValueError(f"dataset.class_names must be texts, got {wrong[0]!r}")
        return cls(**{key: config[key] for key in types} | {"class_names": tuple(config["class_names"])})

    def differences(self, other: "DatasetInfo") -> str:
        """Says in what two data sets differ as far as images and labels are concerned; empty if in nothing."""
        shapes = [f"{each.name}: {each.channels} x {each.size} x {each.size}" for each in (self, other)]
        if self.shape != other.shape:
            return f"images differ in shape ({', '.join(shapes)})"
        if self.class_names != other.class_names:
            return f"classes differ ({self.name}: {self.choices()}; {other.name}: {other.choices()})"
        return ""

    def _label(self, wanted: str | int) -> int:
        text = str(wanted).strip().lower()
        names = {name.lower(): label for label, name in enumerate(self.class_names)}
        if (label := names.get(text, self.aliases.get(text))) is not None:
            return label
        if text.isdecimal() and len(text) < 10 and int(text) < self.num_classes:
            return int(text)
        raise InvalidValueError(f"unknown class {wanted!r}; choose from {self.choices()}")
