"""The ranking: order, ties, and who stands outside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.metric.image_set import Interval, interval
from fmcgan.metric.results import value_key
from fmcgan.ranking.scoring import CopyLimits, Scored


@dataclass(frozen=True, eq=False)
class Place:
    """A submission in the ranking.

    Args:
        scored: what was measured.
        key: by which the ranking is sorted, rising.
        rank: from 1, the same for ties; ``None``: not ranked, because of copies.
        tied_with: names of the others with the same rank.
        copies: sentences about copies of real images, bit for bit.
        near_copies: whether it has more near copies of training images than test images are.
    """

    scored: Scored
    key: float
    rank: int | None
    tied_with: tuple[str, ...]
    copies: tuple[str, ...]
    near_copies: bool


def ranked(submissions: Sequence[Scored], name: str, floor: float | None, limits: CopyLimits, n: int) -> list[Place]:
    """Sorts submissions, the best first.

    Neighbours whose difference has 0 in its 95 % interval share a rank. Submissions with copies of real images have
    none.

    Args:
        submissions: to be sorted.
        name: of the value that ranks.
        floor: the value of real images, for a value that should be close to it.
        limits: of copies.
        n: samples of each submission.
    """
    keyed = [(_keys(each, name, floor), each) for each in submissions]
    keyed.sort(key=lambda pair: (pair[0][0].item(), pair[1].name))
    copies = [limits.exact(each, n) for _, each in keyed]
    fair = [index for index, found in enumerate(copies) if not found]
    groups: list[list[int]] = []
    for position, index in enumerate(fair):
        if position and _tie(keyed[fair[position - 1]][0], keyed[index][0]):
            groups[-1].append(index)
        else:
            groups.append([index])
    group_of = {index: group for group in groups for index in group}
    places = []
    for index, (keys, each) in enumerate(keyed):
        group = group_of.get(index, [])
        rank = fair.index(group[0]) + 1 if group else None
        tied_with = tuple(keyed[other][1].name for other in group if other != index)
        near = limits.has_near_copies(each, n)
        places.append(Place(each, keys[0].item(), rank, tied_with, tuple(copies[index]), near))
    return places


def difference(first: Tensor, second: Tensor) -> Interval:
    """Computes the 95 % interval of the difference of two keys, each [1 + B]: the value, then that of each resample."""
    differences = second - first
    found = interval(differences[0].item(), differences[1:])
    if found is None:
        raise ValueError("an interval needs at least two resamples")
    return found


def _tie(first: Tensor, second: Tensor) -> bool:
    low, high = difference(first, second)
    return low <= 0 <= high


def _keys(scored: Scored, name: str, floor: float | None) -> Tensor:
    """Returns the sort key of the value and of each resample, float64 [1 + B]; lower is better."""
    result = scored.results[name]
    values = torch.cat([torch.tensor([result["value"]], dtype=torch.float64), scored.resampled])
    return value_key(values, result["better"], floor)


def ties_in_words(places: Sequence[Place]) -> list[str]:
    """Says of each shared rank who shares it."""
    shared: dict[int, list[str]] = {}
    for place in places:
        if place.rank is not None:
            shared.setdefault(place.rank, []).append(place.scored.name)
    return [
        f"Rank {rank}, a tie of {len(names)}: {', '.join(names[:-1])} and {names[-1]}."
        for rank, names in shared.items()
        if len(names) > 1
    ]
