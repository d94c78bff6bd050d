"""What a part of the analysis hands over: figures, tables and maps with what to read off them, effects and alarms."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL.Image import Image

from fmcgan.analysis.effect import Effect

Format = Literal["text", "whole", "number", "percent"]


@dataclass(frozen=True)
class Picture:
    """A figure.

    Args:
        name: of its file without suffix, unique in the section: lower case, digits and underscores.
        content: drawn by matplotlib, a picture, or the bytes of a GIF.
        caption: how to read it, one to three sentences.
        alternative: what it shows, for who cannot see it.
        vector: also write it as SVG (lines and points only, no thousands of them).
        lead: one of the few pictures that stand at the head of the section; the page folds others away.
    """

    name: str
    content: Figure | Image | bytes
    caption: str
    alternative: str
    vector: bool = False
    lead: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        name: in the CSV: lower case, digits and underscores.
        title: on the page.
        format: how the page shows its values; ``percent`` takes shares in 0..1. The CSV has them unrounded.
        digits: after the decimal point, of ``number`` and ``percent``.
    """

    name: str
    title: str
    format: Format = "text"
    digits: int = 2


@dataclass(frozen=True)
class Table:
    """A table: a CSV beside the page, and sortable on it.

    Args:
        name: of its file without suffix, unique in the section.
        caption: what it holds.
        columns: what stands in it.
        rows: one value a column each: str, int, float or None (not known).
        open: whether the page shows it at once, or folded away.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    open: bool = False


@dataclass(frozen=True)
class Map:
    """Images as points of a plane, to be looked at one by one.

    Args:
        name: unique in the section.
        title: such as ``UMAP``.
        caption: how it was made and how to read it.
        positions: float [N, 2].
        images: uint8 [N, 28, 28].
        labels: the class of each, int [N] in 0..9.
        generated: bool [N]; the others are real.
        notes: a few words on each point for its hover, N of them, or none.
        vectors: float [N, F], of which the positions were made, for TensorBoard's projector; one map of them suffices.
    """

    name: str
    title: str
    caption: str
    positions: NDArray[np.float64]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    generated: NDArray[np.bool_]
    notes: Sequence[str] = ()
    vectors: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Alarm:
    """Something that should not be, with the rule by which it was noticed.

    Args:
        name: such as ``the discriminator wins``.
        statement: what was seen, with its numbers.
        rule: the threshold, in words.
    """

    name: str
    statement: str
    rule: str


@dataclass
class Section:
    """One part of the page.

    Args:
        title: its heading.
        introduction: one to four sentences: what was done, on how many images, what can be seen by it and what not.
        pictures: in the order in which they are shown.
        tables: likewise.
        maps: likewise; shown as tabs.
        effects: all that were measured, large or small; which of them are findings is decided over all sections.
        alarms: what the page warns of at its head.
        values: numbers worth keeping that stand in no table, as plain JSON types, by name.
    """

    title: str
    introduction: str
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
