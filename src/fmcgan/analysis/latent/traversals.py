"""Figures and tables of latent directions: traversals and attributes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from fmcgan.analysis.base import class_key
from fmcgan.analysis.latent.attribute_slopes import Slopes
from fmcgan.analysis.latent.space import set_coordinate
from fmcgan.analysis.section import Column, Picture, Table
from fmcgan.data.garments import GARMENTS
from fmcgan.data.images import to_pixels
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import some_classes
from fmcgan.figure.grid import class_grid, side_by_side
from fmcgan.figure.heatmap import DIVERGING, heatmap_figure
from fmcgan.training.sampling import render

SHOWN_CLASSES = {GARMENTS.class_names: [0, 3, 8, 9]}
"""Classes whose images differ most, by the names of all classes; of other data sets, four are chosen evenly."""
POSITIONS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Positions of the images of a traversal, in standard deviations along the direction."""


class Family(NamedTuple):
    """Directions found by one method."""

    name: str  # lower case
    source: str  # such as ``SeFa``
    explains: str  # phrase for the explained share
    directions: Tensor  # unit vectors, float32 [D, Z]
    shares: NDArray[np.float64]  # explained share of each, [D]
    slopes: Slopes  # changes of attributes along them
    changes: NDArray[np.float64]  # mean absolute change of an image from -2 to +2, in grey levels, [D]

    @property
    def titles(self) -> list[str]:
        """``SeFa 1``, ``SeFa 2``, ..."""
        return [f"{self.source} {number}" for number in range(1, len(self.directions) + 1)]


def traversed_classes(info: DatasetInfo) -> list[int]:
    """Returns the classes of the figures, at most four."""
    return SHOWN_CLASSES.get(info.class_names) or some_classes(info.labels, most=4)[0]


def traversals(
    generator: nn.Module,
    info: DatasetInfo,
    latents: Tensor,
    directions: Tensor,
    rows: Sequence[str],
    name: str,
    what: str,
) -> Picture:
    """Draws a grid for each of the `traversed_classes`: one direction per row, one position per column.

    Args:
        generator: as for `render`.
        info: of its images.
        latents: one for each of the classes, [L, Z].
        directions: unit vectors, [D, Z].
        rows: their names.
        name: of the picture.
        what: description of the directions, for the caption.
    """
    grids: list[tuple[str, Image]] = []
    for latent, label in zip(latents.split(1), traversed_classes(info), strict=True):
        ways = [set_coordinate(latent, direction, at) for direction in directions for at in POSITIONS]
        images = render(generator, torch.cat(ways), torch.full((len(ways),), label))
        shown = to_pixels(images.unflatten(0, (len(rows), len(POSITIONS))))
        grids.append((info.class_names[label], class_grid(shown, rows)))
    caption = (
        f"{what}, one per row: from {POSITIONS[0]:g} (left) to +{POSITIONS[-1]:g} (right) standard deviations along "
        "the direction; all other coordinates are fixed. Only 3 in 1,000 samples lie beyond the ends."
    )
    text = f"{len(grids)} grids, one per class, of {len(rows)} rows of {len(POSITIONS)} generated images."
    return Picture(name, side_by_side(grids, columns=2), caption, text)


def attribute_map(families: Sequence[Family], note: str) -> Picture:
    """Draws the slopes of all attributes along all directions; ``note`` ends the caption."""
    slopes = [each.slopes for each in families]
    mean, half = (np.concatenate([getattr(each, name) for each in slopes]) for name in ("mean", "half"))
    figure = heatmap_figure(
        mean,
        [title for family in families for title in family.titles],
        slopes[0].names,
        formats="+.1f",
        title="Change of attributes along each direction",
        label="standard deviations of the class",
        colours=DIVERGING,
        faint=~(np.abs(mean) > half),
    )
    caption = (
        "Change of each attribute for one standard deviation along the direction, in standard deviations of the real "
        "test images of the class, mean over all classes. Pale: the 95 % interval over latent vectors contains 0. Each "
        f"direction is oriented so that its strongest attribute rises. {note}"
    ).rstrip()
    return Picture("attributes", figure, caption, "A table of directions and attributes, coloured by slope.")


def summary(families: Sequence[Family]) -> Table:
    """Makes a table of directions: explained share, change of an image, and changed attributes in words."""
    columns = [
        Column("direction", "direction"),
        Column("share", "explained share", "percent", 1),
        Column("change", "change of an image, grey levels", "number", 1),
        Column("likeness", "largest cosine with the other method", "number", 2),
        Column("words", "images along it"),
    ]
    rows: list[list[object]] = []
    for family in families:
        others = [each.directions for each in families if each is not family]
        alike = (family.directions @ torch.cat(others).T).abs().amax(dim=1).tolist() if others else None
        for at, title in enumerate(family.titles):
            share, change, likeness = float(family.shares[at]), float(family.changes[at]), alike[at] if alike else None
            rows.append([title, share, change, likeness, family.slopes.in_words(at)])
    explained = "; ".join(f"{family.source}: {family.explains}" for family in families)
    caption = (
        f"Explained share ({explained}), mean absolute change of an image from -2 to +2, largest absolute cosine with "
        "a direction of the other method, and attributes that change by at least 0.1 standard deviations of the class "
        "per standard deviation along the direction."
    )
    return Table("directions", caption, columns, rows, open=True)


def by_class(families: Sequence[Family], info: DatasetInfo, classes: Sequence[int], note: str) -> Table:
    """Makes a table of the slopes of each direction with intervals, for all classes and for each of some classes.

    ``note`` ends the caption.
    """
    columns = [Column("direction", "direction"), Column("class", "class")]
    for name in families[0].slopes.names:
        column = name.lower().replace(" ", "_")
        columns += [Column(column, name, "number", 2), Column(f"{column}_error", "±", "number", 2)]
    rows: list[list[object]] = []
    for family in families:
        slopes = family.slopes
        for at, title in enumerate(family.titles):
            rows.append([title, "all", *_with_error(slopes.mean[at], slopes.half[at])])
            for label in classes:
                slope = _with_error(slopes.by_class[at, label], slopes.half_by_class[at, label])
                rows.append([title, class_key(info, label), *slope])
    caption = (
        "Change of each attribute for one standard deviation along the direction, in standard deviations of the real "
        f"test images of the class, with half the width of its 95 % interval over latent vectors. {note}"
    ).rstrip()
    return Table("attributes_by_class", caption, columns, rows)


def _with_error(values: NDArray[np.float64], errors: NDArray[np.float64]) -> list[float | None]:
    """Alternates values and errors; None if one is not finite."""
    return [value if np.isfinite(value) else None for value in np.stack([values, errors], axis=1).ravel().tolist()]
