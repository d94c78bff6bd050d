"""Linked maps: their data for ``map.js``, which draws the points and shows the images of a chosen one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fmcgan.analysis.section import Map
from fmcgan.app.escaping import visible
from fmcgan.figure.classes import short_names
from fmcgan.figure.map import OTHER_CLASSES, colours_by_label
from fmcgan.report.encoding import image_uri, lossy_uri

SPAN = 10_000  # longer side of a map in the units of its data; as many in x as in y
SPRITE = 1_600_000  # largest sprite of a map as a data URI, in bytes, if its images allow it
THUMBNAIL = 64  # largest side of a thumbnail in pixels
SHRINKS = (1, 2, 4, 8, 16, 32)  # thumbnails are smaller than images by one of these factors


@dataclass(frozen=True)
class Plane:
    """Positions of points on one map in whole numbers, y downwards, with one scale for both axes."""

    x: list[int]  # in 0..width
    y: list[int]  # in 0..height
    width: int
    height: int


@dataclass(frozen=True)
class ConfusionCell:
    """A cell of the confusion matrix of the samples on a map."""

    label: int  # conditioned class
    predicted: int
    count: int
    share: float  # of the samples of the conditioned class


@dataclass(frozen=True)
class LinkedMap:
    """The maps of a section.

    ``ratios`` are width / height by the name of a map; ``legend`` lists label, name and colour of each class, those
    without a colour in one entry; ``matrix`` holds name and cells of each class, ``heads`` the short names of its
    columns, both empty without predicted classes.
    """

    data: dict[str, object]
    ratios: dict[str, float]
    legend: list[tuple[str, str, str]]
    matrix: list[tuple[str, list[ConfusionCell]]]
    heads: list[str]


def link_maps(maps: Sequence[Map]) -> LinkedMap:
    """Makes the data of the maps of a section, plain JSON types.

    Raises:
        ValueError: the maps have different images.
    """
    first = maps[0]
    for each in maps[1:]:
        same = [np.array_equal(getattr(each, name), getattr(first, name)) for name in ("images", "labels", "generated")]
        if not all(same):
            raise ValueError(f"the maps of a section must have the same images, got others in {each.name}")
    planes, colours = {each.name: _plane(each.positions) for each in maps}, colours_of(first)
    data: dict[str, object] = {
        "names": [visible(name) for name in first.names],
        "labels": first.labels.tolist(),
        "colours": [colours.get(label, OTHER_CLASSES) for label in first.labels.tolist()],
        "generated": first.generated.tolist(),
        "planes": {name: asdict(plane) for name, plane in planes.items()},
        "images": _sprite(first.images),
    }
    if first.predicted is not None:
        data["predicted"] = first.predicted.tolist()
    if first.confidence is not None:
        data["confidence"] = np.round(first.confidence, 3).tolist()
    if (nearest := first.nearest) is not None:
        data["nearest"] = {
            "images": _sprite(nearest.images),
            "labels": nearest.labels.tolist(),
            "index": nearest.index.tolist(),
            "distance": np.round(nearest.distance, 2).tolist(),
            "unit": nearest.unit,
        }
    ratios = {name: max(plane.width, 1) / max(plane.height, 1) for name, plane in planes.items()}
    labels = sorted(set(first.labels.tolist()) & colours.keys())
    matrix = _matrix(first, labels)
    return LinkedMap(data, ratios, _legend(first, colours), matrix, short_names([first.names[k] for k in labels]))


def colours_of(points: Map) -> dict[int, str]:
    """Returns the colours of the classes with a colour, by label."""
    labels = range(len(points.names)) if points.coloured is None else points.coloured
    return colours_by_label(labels, points.labels.tolist())


def _plane(positions: NDArray[np.float64]) -> Plane:
    """Scales positions, [N, 2], so that the longer side of the map is `SPAN`."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scale = SPAN / max(*(high - low), 1e-9)
    x, y = np.rint((positions - low) * scale).astype(int).T
    width, height = np.rint((high - low) * scale).astype(int).tolist()
    return Plane(x.tolist(), (height - y).tolist(), width, height)


def _sprite(images: NDArray[np.uint8]) -> dict[str, object]:
    """Packs thumbnails into one picture, row by row.

    It has losses only if it would have more than `SPRITE` bytes without; if that does not help, the thumbnails shrink.
    """
    columns = math.ceil(math.sqrt(len(images)))
    found: dict[str, object] = {}
    for shrink in SHRINKS:
        tiles = _shrunk(images, shrink)
        height, width = tiles.shape[1:3]
        if found and min(height, width) < 4:  # nothing left to see
            break
        if max(height, width) > THUMBNAIL:
            continue
        sheet = Image.fromarray(_sheet(tiles, columns))
        for encode in (image_uri, lossy_uri):
            uri = encode(sheet)
            found = {"uri": uri, "columns": columns, "width": width, "height": height}
            if len(uri) <= SPRITE:
                return found
    return found


def _shrunk(images: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Averages squares of ``factor`` x ``factor`` pixels; incomplete ones at the right and lower edge are left out."""
    n, height, width, *channels = images.shape
    rows, columns = max(height // factor, 1), max(width // factor, 1)
    whole = images[:, : rows * factor, : columns * factor]
    squares = whole.reshape(n, rows, min(factor, height), columns, min(factor, width), *channels)
    return np.rint(squares.mean(axis=(2, 4))).astype(np.uint8)


def _sheet(tiles: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Arranges tiles, [N, H, W] or [N, H, W, 3], in rows of ``columns``; places without a tile are black."""
    n, height, width, *channels = tiles.shape
    rows = -(-n // columns)
    filled = np.zeros((rows * columns, height, width, *channels), np.uint8)
    filled[:n] = tiles
    sheet = filled.reshape(rows, columns, height, width, *channels).swapaxes(1, 2)
    return sheet.reshape(rows * height, columns * width, *channels)


def _matrix(points: Map, labels: Sequence[int]) -> list[tuple[str, list[ConfusionCell]]]:
    """Counts the samples of each conditioned class by predicted class; empty without predicted classes."""
    if points.predicted is None:
        return []
    rows = []
    for label in labels:
        found = points.predicted[points.generated & (points.labels == label)].tolist()
        counts = [(predicted, found.count(predicted)) for predicted in labels]
        cells = [ConfusionCell(label, predicted, n, n / max(len(found), 1)) for predicted, n in counts]
        rows.append((points.names[label], cells))
    return rows


def _legend(points: Map, colours: Mapping[int, str]) -> list[tuple[str, str, str]]:
    drawn = sorted(set(points.labels.tolist()))
    own = [(str(label), points.names[label], colours[label]) for label in drawn if label in colours]
    others = " ".join(str(label) for label in drawn if label not in colours)
    return [*own, (others, "other classes", OTHER_CLASSES)] if others else own
