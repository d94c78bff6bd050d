"""The ten Fashion-MNIST classes and their names."""

from collections.abc import Iterable, Mapping

from fmcgan.app.errors import InvalidValueError

CLASS_NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
"""Names of labels 0 to 9: Fashion-MNIST's, shortened for the command line."""

NUM_CLASSES = len(CLASS_NAMES)
_LABELS = {name: label for label, name in enumerate(CLASS_NAMES)}
_LABELS |= dict.fromkeys(("t-shirt/top", "tshirt", "t_shirt", "top"), 0) | {"trousers": 1}
_LABELS |= dict.fromkeys(("ankle boot", "ankle-boot", "ankle_boot"), 9)


def parse_classes(classes: Iterable[str | int] | str | int | None) -> list[int]:
    """Returns the labels of classes, in the order given, each once.

    Args:
        classes: names (``"bag"``, any case) or labels (``8`` or ``"8"``), one or several; ``None`` and ``"all"``: all.

    Raises:
        InvalidValueError: a name or label does not exist; the message lists those that do.

    Example:
        >>> parse_classes(["bag", "3", 8])
        [8, 3]
    """
    if classes is None or classes == "all":
        return list(range(NUM_CLASSES))
    if isinstance(classes, Mapping):
        raise InvalidValueError(f"classes must be names or labels, such as [bag,dress] or all, got {classes!r}")
    wanted = list(classes) if isinstance(classes, Iterable) and not isinstance(classes, str) else [classes]
    if not wanted:
        raise InvalidValueError(f"classes is empty; choose from {_choices()}")
    return list(dict.fromkeys(_label(each) for each in wanted))


def plural(label: int) -> str:
    """Returns the plural of a class name: ``t-shirts``, ``dresses``."""
    name = CLASS_NAMES[label]
    return f"{name}es" if name.endswith("s") else f"{name}s"


def _label(wanted: str | int) -> int:
    text = str(wanted).strip().lower()
    if text in _LABELS:
        return _LABELS[text]
    if text.isdecimal() and len(text) < 10 and int(text) < NUM_CLASSES:
        return int(text)
    raise InvalidValueError(f"unknown class {wanted!r}; choose from {_choices()}")


def _choices() -> str:
    return ", ".join(f"{label} {name}" for label, name in enumerate(CLASS_NAMES))
