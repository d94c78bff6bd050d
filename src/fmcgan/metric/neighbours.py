"""Exact nearest neighbours, block by block: the whole matrix of distances is never in memory.

Sets are floating point or uint8 [N, F] and computed in float64, moved so that the mean of the second set is the origin.
Grey levels (uint8) are moved by 128 and multiplied in float32, which is twice as fast and exact: every product and
every partial sum of 784 of them is a whole number below 2²⁴, whatever the order in which they are added up.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError

BLOCK = (512, 1024)
"""Rows and columns at once: 4 MB of float64, which stays in the processor's cache."""

ROUNDING = 1e-12
"""Share of the squared norms by which ``|a|² + |b|² - 2 a·b`` may be wrong in float64, with room to spare."""


def nearest(a: Tensor, b: Tensor, block: tuple[int, int] = BLOCK) -> tuple[Tensor, Tensor]:
    """The nearest ``b`` of each ``a``.

    Found by its product, measured by its difference: a copy is at a distance of exactly 0. Of several that are equally
    near it is the first. Features whose squared distances differ by less than `ROUNDING` count as equally near, and
    which of them is named may then depend on the block; grey levels are exact, unless the nearest is more than 146
    levels away (root mean square), where squared distances that differ by 1 count as equal.

    Args:
        a: [N, F] floating point, or uint8 with F of at most 784.
        b: [M, F] of the same type, M at least 1.
        block: rows and columns at once.

    Returns:
        The index of each nearest, int64 [N], and the Euclidean distance to it, float64 [N].
    """
    highest = torch.full((len(a),), -torch.inf, dtype=torch.float64)
    index = torch.zeros(len(a), dtype=torch.int64)
    for rows, columns, some_a, some_b in _blocks(a, b, block):
        closeness = _closeness(some_a, some_b)
        found = closeness.amax(dim=1).double()
        better = found > highest[rows]  # not >=: the first of equals stays
        highest[rows] = torch.where(better, found, highest[rows])
        index[rows][better] = columns.start + closeness[better].argmax(dim=1)
    return index, _distance(a, b, index)


def distances_to_others(features: Tensor, k: int, block: tuple[int, int] = BLOCK) -> Tensor:
    """The distances of each point to the ``k`` nearest other points of its set.

    Args:
        features: floating point [N, F], N more than ``k``.
        k: how many, at least 1.
        block: rows and columns at once.

    Returns:
        float64 [N, k], rising along k: the last is the radius of the ball that holds k others. Copies of a point are
        others, at a distance of exactly 0.

    Raises:
        InvalidValueError: there are not k others.
    """
    if len(features) <= k:
        raise InvalidValueError(f"a point has {k} neighbours among at least {k + 1} images, got {len(features)}")
    highest = torch.full((len(features), k), -torch.inf, dtype=torch.float64)
    index = torch.zeros(len(features), k, dtype=torch.int64)
    for rows, columns, some_a, some_b in _blocks(features, features, block):
        closeness = _closeness(some_a, some_b)
        own = torch.arange(rows.start, rows.stop)
        own = own[(own >= columns.start) & (own < columns.stop)]
        closeness[own - rows.start, own - columns.start] = -torch.inf
        found, places = closeness.topk(min(k, len(some_b)), dim=1)
        highest[rows], kept = torch.cat([highest[rows], found], dim=1).topk(k, dim=1)
        index[rows] = torch.cat([index[rows], places + columns.start], dim=1).gather(1, kept)
    return torch.stack([_distance(features, features, each) for each in index.T], dim=1).sort(dim=1).values


def squared_distances(a: Tensor, b: Tensor, block: tuple[int, int] = BLOCK) -> Iterator[tuple[slice, slice, Tensor]]:
    """All squared distances of two sets, in blocks, less what rounding may have added.

    A distance that is compared with a radius computed by another way, and equals it, must not lie outside by rounding:
    each is smaller than it is by up to 2 `ROUNDING` of the squared norms, and so may be just below 0. Two points whose
    distance is a millionth of their norms count as one.

    Args:
        a: floating point [N, F].
        b: floating point [M, F].
        block: rows and columns at once.

    Yields:
        The rows and columns of a block, and its squared distances, float64 [rows, columns].
    """
    for rows, columns, some_a, some_b in _blocks(a, b, block):
        norms = some_a.square().sum(dim=1)[:, None] + some_b.square().sum(dim=1)
        yield rows, columns, norms.mul_(1 - ROUNDING).addmm_(some_a, some_b.T, alpha=-2)


def _closeness(a: Tensor, b: Tensor) -> Tensor:
    """``a·b - |b|²/2``, which is ``(|a|² - |a - b|²) / 2``: the nearer, the higher along each row."""
    # The product by itself, because only then is it exact for grey levels.
    return (a @ b.T).sub_(b.square().sum(dim=1) / 2)


def _blocks(a: Tensor, b: Tensor, block: tuple[int, int]) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Every block of rows of ``a`` with every block of rows of ``b``, moved and in the type to compute with."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.dtype != b.dtype:
        raise ValueError(f"needs two sets of one width and type, got {list(a.shape)} and {list(b.shape)}")
    height, width = block
    grey = b.dtype == torch.uint8
    centre = torch.tensor(128.0) if grey else b.mean(dim=0, dtype=torch.float64)
    for top in range(0, len(a), height):
        rows = slice(top, min(top + height, len(a)))
        some_a = a[rows].to(centre.dtype) - centre
        for left in range(0, len(b), width):
            columns = slice(left, min(left + width, len(b)))
            yield rows, columns, some_a, b[columns].to(centre.dtype) - centre


def _distance(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    """The Euclidean distance of each ``a`` to the ``b`` of that index, from their difference: float64 [N]."""
    height = BLOCK[1]
    pairs = zip(a.split(height), index.split(height), strict=True)
    return torch.cat([(some.double() - b[chosen].double()).square().sum(dim=1).sqrt() for some, chosen in pairs])
