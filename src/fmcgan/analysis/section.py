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

    The name of its file without suffix is unique in the section: lower case, digits and underscores. The caption says
    in one to three sentences how to read it, the alternative is for screen readers. ``vector`` also writes it as SVG,
    for figures of few lines and points. ``lead`` pictures are shown first; the page may collapse others.
    """

    name: str
    content: Figure | Image | bytes  # of a GIF
    caption: str
    alternative: str
    vector: bool = False
    lead: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table, with its name in the CSV (lower case, digits and underscores) and its title on the page.

    Format and digits after the decimal point, of ``number`` and ``percent``, are those of the page; the CSV is not
    rounded. ``percent`` takes shares in 0..1.
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
    """A table: a CSV file of a name that is unique in the section, and sortable on the page, expanded if ``open``.

    Rows have one value per column: str, int, float, None (unknown) or a `fmcgan.report.html.Cell`.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    open: bool = False


@dataclass(frozen=True)
class Map:
    """N images as points of a plane, for the interactive map."""

    name: str  # unique in the section
    title: str  # such as ``UMAP``
    caption: str  # how it was made and how to read it
    positions: NDArray[np.float64]  # [N, 2]
    images: NDArray[np.uint8]  # [N, 28, 28]
    labels: NDArray[np.int64]  # [N] in 0..9
    generated: NDArray[np.bool_]  # [N]; the others are real
    notes: Sequence[str] = ()  # shown when hovering over each point; empty: none
    vectors: NDArray[np.float32] | None = None
    """[N, F] from which the positions were computed, for TensorBoard's projector; needed for one map."""


@dataclass(frozen=True)
class Alarm:
    """A warning such as ``mode collapse``: the measurement with its numbers, and the threshold in words."""

    name: str
    statement: str
    rule: str


@dataclass
class Section:
    """One part of the page.

    The introduction says in one to four sentences what was measured, on how many images, and what it can and cannot
    show. Pictures and tables have the order shown, maps are tabs. Effects are all measured ones; findings are selected
    over all sections. Values are further numbers for ``findings.json``, as plain JSON types.
    """

    title: str
    introduction: str
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    maps: list[Map] = field(default_factory=list)
    effects: list["Effect"] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)
