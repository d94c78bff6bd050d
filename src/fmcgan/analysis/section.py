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
    """A figure."""

    name: str  # of its file without suffix, unique in the section: lower case, digits and underscores
    content: Figure | Image | bytes  # bytes are those of a GIF
    caption: str  # how to read it, in one to three sentences
    alternative: str  # text for screen readers
    lead: bool = False  # whether it is shown; the page collapses other pictures

    @property
    def title(self) -> str:
        """Short title: its name in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Column:
    """A column of a table; the CSV is not rounded."""

    name: str  # in the CSV: lower case, digits and underscores
    title: str  # on the page
    format: Format = "text"  # on the page; ``percent`` takes shares in 0..1
    digits: int = 2  # after the decimal point on the page, for ``number`` and ``percent``


def interval_columns(
    name: str, title: str, format: Format = "number", digits: int = 2, ends: str | None = None
) -> tuple[Column, Column, Column]:
    """Makes the columns of a value and of both ends of its 95 % interval, ``{ends}low`` and ``{ends}high``.

    ``ends`` is ``{name}_`` by default; the other arguments are those of `Column`.
    """
    ends = f"{name}_" if ends is None else ends
    low = Column(f"{ends}low", "95 % from", format, digits)
    return Column(name, title, format, digits), low, Column(f"{ends}high", "to", format, digits)


@dataclass(frozen=True)
class Table:
    """A table: a CSV file, and sortable on the page."""

    name: str  # of its file without suffix, unique in the section
    caption: str  # what it holds
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    """One value per column: str, int, float, None (unknown) or a `fmcgan.report.html.Cell`."""
    open: bool = False  # whether the page shows it expanded

    @property
    def title(self) -> str:
        """Short title: its name in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class NearestImages:
    """The k nearest training images of each of N images."""

    images: NDArray[np.uint8]  # [M, H, W] or [M, H, W, 3]: all that occur, each once
    labels: NDArray[np.int64]  # [M]
    index: NDArray[np.int64]  # [N, k]: places in ``images``, the nearest first
    distance: NDArray[np.float64]  # [N, k]
    unit: str  # of the distances, such as ``grey levels``


@dataclass(frozen=True)
class Map:
    """N images as points of a plane, for the linked map; the maps of a section differ in their positions only."""

    name: str  # unique in the section
    title: str  # such as ``UMAP``
    caption: str  # how it was made and how to read it
    positions: NDArray[np.float64]  # [N, 2]
    images: NDArray[np.uint8]  # [N, H, W] or [N, H, W, 3]
    labels: NDArray[np.int64]  # [N] in 0..K - 1
    generated: NDArray[np.bool_]  # [N]; the others are real
    names: Sequence[str]  # of all K classes
    predicted: NDArray[np.int64] | None = None  # [N]: the class that a classifier predicts
    confidence: NDArray[np.float64] | None = None  # [N]: its probability
    nearest: NearestImages | None = None  # shown beside each image
    vectors: NDArray[np.float32] | None = None
    """[N, F] from which the positions were computed, for TensorBoard's projector; needed for one map."""
    coloured: Sequence[int] | None = None  # labels of the classes with a colour; the others are grey. None: all


@dataclass(frozen=True)
class Alarm:
    """A warning, with the rule that raised it."""

    name: str  # such as ``mode collapse``
    statement: str  # the measurement, with its numbers
    rule: str  # the threshold, in words


@dataclass(frozen=True)
class NearMiss:
    """The rule that came nearest to an alarm among those that raised none."""

    share: float  # of its threshold that was reached, in 0..1
    statement: str  # the measurement and the threshold


@dataclass
class Section:
    """One part of the page."""

    title: str
    introduction: str
    """One to four sentences: what was measured, on how many images, and what it can and cannot show."""
    pictures: list[Picture] = field(default_factory=list)  # in the order shown
    tables: list[Table] = field(default_factory=list)  # in the order shown
    maps: list[Map] = field(default_factory=list)  # shown as tabs
    effects: list["Effect"] = field(default_factory=list)  # all measured ones; findings are selected over all sections
    alarms: list[Alarm] = field(default_factory=list)  # also shown at the head of the page
    near_miss: NearMiss | None = None  # shown there if no section has an alarm
    values: dict[str, object] = field(default_factory=dict)  # further numbers for ``findings.json``, plain JSON types
