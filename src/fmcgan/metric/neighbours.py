"""Exact nearest neighbours, computed in blocks of the distance matrix.

Sets are floating point or uint8 [N, F] and computed in float64, with the mean of the second set as the origin. Grey
levels (uint8) have 128 as the origin. Up to 1024 of them are multiplied in float32, which is twice as fast and exact:
every product, and every partial sum of 1024 of them, is a whole number of at most 2²⁴.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError

BLOCK = (512, 1024)  # rows and columns computed at once: 4 MB of float64, which fit into the processor's cache
_EXACT_IN_FLOAT32 = 1024  # grey levels of an image: 2²⁴ / 128²
ROUNDING = 1e-12  # bound of the error of ``|a|² + |b|² - 2 a·b`` in float64, as a share of the squared norms


def nearest(a: Tensor, b: Tensor, block: tuple[int, int] = BLOCK) -> tuple[Tensor, Tensor]:
    """Finds the nearest ``b`` [M, F] of each ``a`` [N, F]: floating point, or uint8.

    The search uses products, the distances use differences: a copy has a distance of exactly 0. Ties give the first
    index. Features whose squared distances differ by less than `ROUNDING` are ties, whose order may depend on the
    block. Up to 1024 grey levels are exact up to a distance of 4096 (a root mean square of 146 levels for 28×28),
    beyond which squared distances that differ by 1 are ties; more of them are always exact. Returns indices, int64 [N],
    and Euclidean distances, float64 [N].
    """
    highest = torch.full((len(a),), -torch.inf, dtype=torch.float64)
    index = torch.zeros(len(a), dtype=torch.int64)
    for rows, columns, some_a, some_b in _blocks(a, b, block):
        nearness = _nearness(some_a, some_b)
        found = nearness.amax(dim=1).double()
        better = found > highest[rows]  # not >=: the first of equals is chosen
        highest[rows] = torch.where(better, found, highest[rows])
        index[rows][better] = columns.start + nearness[better].argmax(dim=1)
    return index, _distance(a, b, index)


def distances_to_others(
    features: Tensor, k: int, block: tuple[int, int] = BLOCK, points: Tensor | None = None
) -> Tensor:
    """Computes the distances of points of [N, F], N above k, to the k nearest others: float64 [P, k], rising.

    ``points`` are indices, int64 [P]; ``None``: all. Copies of a point are other points, at a distance of exactly 0.
    Raises `InvalidValueError` for N of at most k.
    """
    if len(features) <= k:
        raise InvalidValueError(f"{k} neighbours need at least {k + 1} images, got {len(features)}")
    some = features if points is None else features[points]
    points = torch.arange(len(features)) if points is None else points
    highest = torch.full((len(some), k), -torch.inf, dtype=torch.float64)
    index = torch.zeros(len(some), k, dtype=torch.int64)
    for rows, columns, some_a, some_b in _blocks(some, features, block):
        nearness = _nearness(some_a, some_b)
        own = points[rows]
        inside = ((own >= columns.start) & (own < columns.stop)).nonzero().squeeze(1)
        nearness[inside, own[inside] - columns.start] = -torch.inf
        found, columns_found = nearness.topk(min(k, len(some_b)), dim=1)
        highest[rows], chosen = torch.cat([highest[rows], found], dim=1).topk(k, dim=1)
        index[rows] = torch.cat([index[rows], columns_found + columns.start], dim=1).gather(1, chosen)
    return torch.stack([_distance(some, features, each) for each in index.T], dim=1).sort(dim=1).values


def squared_distances(a: Tensor, b: Tensor, block: tuple[int, int] = BLOCK) -> Iterator[tuple[slice, slice, Tensor]]:
    """Computes all squared distances of two sets, [N, F] and [M, F], in blocks, rounded down.

    Rounding must not move a point on the edge of a ball outside. Each squared distance is therefore reduced by up to 2
    `ROUNDING` of the squared norms, and may be slightly below 0. Yields the rows and columns of each block, and its
    squared distances, float64 [rows, columns].
    """
    for rows, columns, some_a, some_b in _blocks(a, b, block):
        norms = some_a.square().sum(dim=1)[:, None] + some_b.square().sum(dim=1)
        yield rows, columns, norms.mul_(1 - ROUNDING).addmm_(some_a, some_b.T, alpha=-2)


def _nearness(a: Tensor, b: Tensor) -> Tensor:
    """Computes ``a·b - |b|²/2 = (|a|² - |a - b|²) / 2``, which rises along each row as the distance falls."""
    # The product is computed by itself, because only then is it exact for grey levels.
    return (a @ b.T).sub_(b.square().sum(dim=1) / 2)


def _blocks(a: Tensor, b: Tensor, block: tuple[int, int]) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Yields all pairs of blocks of rows of ``a`` and ``b``, shifted to the origin and in the type to compute with."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.dtype != b.dtype:
        raise ValueError(
            f"both sets must have one width and dtype, got {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}"
        )
    height, width = block
    if b.dtype == torch.uint8:
        centre = torch.tensor(128.0, dtype=torch.float32 if b.shape[1] <= _EXACT_IN_FLOAT32 else torch.float64)
    else:
        centre = b.mean(dim=0, dtype=torch.float64)
    for top in range(0, len(a), height):
        rows = slice(top, min(top + height, len(a)))
        some_a = a[rows].to(centre.dtype) - centre
        for left in range(0, len(b), width):
            columns = slice(left, min(left + width, len(b)))
            yield rows, columns, some_a, b[columns].to(centre.dtype) - centre


def _distance(a: Tensor, b: Tensor, index: Tensor) -> Tensor:
    """Computes the Euclidean distance of each ``a`` to the ``b`` of its index, from their difference: float64 [N]."""
    height = BLOCK[1]
    pairs = zip(a.split(height), index.split(height), strict=True)
    return torch.cat([(some.double() - b[chosen].double()).square().sum(dim=1).sqrt() for some, chosen in pairs])
