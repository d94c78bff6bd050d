"""Sections: the figures, tables, maps, effects and alarms that a part of the analysis returns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL.Image import Image

if TYPE_CHECKING:  # compare needs sections and no torch
    from fmcgan.analysis.effect import Effect

Format = Literal["text", "whole", "number", "percent"]


@dataclass(frozen=True)
class Picture:
    """A figure.

    Args:
        name: of its file without suffix, unique in the section: lower case, digits and underscores.
        content: a figure, or the bytes of a GIF.
        caption: how to read it, one to three sentences.
        alternative: text for screen readers.
        vector: also write it as SVG; for figures of few lines and points.
        lead: whether it is shown first; the page may collapse other pictures.
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
        format: of the values on the page; ``percent`` takes shares in 0..1. The CSV is not rounded.
        digits: after the decimal point, of ``number`` and ``percent``.
    """

    name: str
    title: str
    format: Format = "text"
    digits: int = 2


def interval_columns(
    name: str, title: str, format: Format = "number", digits: int = 2, ends: str | None = None
) -> tuple[Column, Column, Column]:
    """Returns the columns of a value and of its 95 % interval, named ``{ends}low`` and ``{ends}high``."""
    ends = f"{name}_" if ends is None else ends
    low = Column(f"{ends}low", "95 % from", format, digits)
    return Column(name, title, format, digits), low, Column(f"{ends}high", "to", format, digits)


@dataclass(frozen=True)
class Table:
    """A table: a CSV file, and sortable on the page.

    Args:
        name: of its file without suffix, unique in the section.
        caption: what it holds.
        columns: names, titles and formats.
        rows: one value per column: str, int, float, None (unknown) or a `fmcgan.report.html.Cell`.
        open: whether the page shows it expanded.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    open: bool = False


@dataclass(frozen=True)
class Map:
    """Images as points of a plane, for the interactive map.

    Args:
        name: unique in the section.
        title: such as ``UMAP``.
        caption: how it was made and how to read it.
        positions: [N, 2].
        images: [N, 28, 28].
        labels: [N] in 0..9.
        generated: [N]; the others are real.
        notes: text shown when hovering over each point, N of them, or empty.
        vectors: [N, F] from which the positions were computed, for TensorBoard's projector; needed for one map.
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
    """A warning such as ``mode collapse``: the measurement with its numbers, and the threshold in words."""

    name: str
    statement: str
    rule: str


@dataclass
class Section:
    """One part of the page.

    Args:
        title: its heading.
        introduction: one to four sentences: the measurement, the number of images, and what it can and cannot show.
        pictures: in the order shown.
        tables: in the order shown.
        maps: shown as tabs.
        effects: all measured ones; findings are selected over all sections.
        alarms: shown at the head of the page.
        values: further numbers for ``findings.json``, as plain JSON types, by name.
    """

    title: str
    introduction: str
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    effects: list["Effect"] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)
