"""The classes that figures and tables show, so that those of many classes stay legible."""

from collections.abc import Mapping, Sequence

import numpy as np

from fmcgan.figure.font import drawable

MOST_CLASSES = 20  # largest number of classes of a figure or table
_LONGEST_NAME = 20  # letters of a class name beside an axis


def most_telling(sizes: Mapping[int, float], why: str, most: int = MOST_CLASSES) -> tuple[list[int], str]:
    """Selects the classes with the largest sizes if there are more than ``most``.

    Args:
        sizes: by label; a size that is not finite counts as smallest.
        why: what the largest sizes mean, such as ``with the largest differences``.
        most: maximum number of classes.

    Returns:
        Labels, ascending, and a sentence that says which are shown; empty if all are.
    """
    if len(sizes) <= most:
        return sorted(sizes), ""
    known = {label: size if np.isfinite(size) else -np.inf for label, size in sizes.items()}
    chosen = sorted(known, key=lambda label: known[label], reverse=True)[:most]
    return sorted(chosen), f"Only the {most} of {len(sizes)} classes {why} are shown."


def some_classes(labels: Sequence[int], most: int = MOST_CLASSES) -> tuple[list[int], str]:
    """Selects evenly spaced classes, with the first and the last, if there are more than ``most``.

    Returns labels, in their order, and a sentence that says so; empty if all are selected.
    """
    if len(labels) <= most:
        return list(labels), ""
    chosen = [labels[at] for at in np.linspace(0, len(labels) - 1, most).round().astype(int)]
    return chosen, f"These are {most} of {len(labels)} classes, chosen evenly."


def short_names(names: Sequence[str]) -> list[str]:
    """Cuts long class names for the axes of figures, after spelling letters that the font lacks."""
    names = [drawable(name) for name in names]
    return [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
