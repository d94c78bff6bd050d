"""The ten Fashion-MNIST classes and the names by which a person may ask for them. Any room may import this file."""

from collections.abc import Iterable, Mapping

from fmcgan.app.errors import InvalidValueError

CLASS_NAMES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)
"""Name of label 0, 1, ..., 9. Fashion-MNIST's own names, shortened so that they can be typed on a command line."""

NUM_CLASSES = len(CLASS_NAMES)

_OTHER_SPELLINGS = {
    "t-shirt/top": 0,
    "tshirt": 0,
    "t_shirt": 0,
    "top": 0,
    "trousers": 1,
    "ankle boot": 9,
    "ankle-boot": 9,
    "ankle_boot": 9,
}


def parse_classes(classes: Iterable[str | int] | str | int | None) -> list[int]:
    """Turns what a person asked for into labels.

    Args:
        classes: names (``"bag"``, any case) or labels (``8`` or ``"8"``), one or several; ``None`` or ``"all"`` mean
            all ten.

    Returns:
        The labels, in the order given, each once.

    Raises:
        InvalidValueError: a name or label that does not exist; the message lists those that do.

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
    """What several garments of a class are called: ``t-shirts``, ``dresses``."""
    name = CLASS_NAMES[label]
    return f"{name}es" if name.endswith("s") else f"{name}s"


def _label(wanted: str | int) -> int:
    text = str(wanted).strip().lower()
    names = {name: label for label, name in enumerate(CLASS_NAMES)} | _OTHER_SPELLINGS
    if text in names:
        return names[text]
    if text.isdecimal() and len(text) < 10 and int(text) < NUM_CLASSES:
        return int(text)
    raise InvalidValueError(f"unknown class {wanted!r}; choose from {_choices()}")


def _choices() -> str:
    return ", ".join(f"{label} {name}" for label, name in enumerate(CLASS_NAMES))
