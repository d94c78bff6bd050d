"""Statistics over the runs of groups: means, intervals, best groups, and paired differences."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtrit

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.runs import Row, Run

LEVEL = 0.95
"""Coverage of every interval."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of one quantity over runs.

    Args:
        mean: of the finite values; nan if there is none.
        std: of the finite values, with n - 1 in the denominator; 0 for one value.
        low: smallest finite value.
        high: largest finite value.
        n: number of finite values.
        of: number of runs.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean by Student's t (1908): mean ± t_{0.975, n - 1} std / sqrt(n); nan for n < 2."""
        if self.n < 2:
            return math.nan, math.nan
        half = float(stdtrit(self.n - 1, (1 + LEVEL) / 2)) * self.std / math.sqrt(self.n)
        return self.mean - half, self.mean + half

    @property
    def is_complete(self) -> bool:
        """Whether there are at least two runs and every run has a value."""
        return self.n == self.of >= 2


def spread(values: Iterable[float]) -> Spread:
    """Computes mean and standard deviation; a value that is not finite counts in ``of`` only."""
    given = np.array(list(values), dtype=np.float64)
    finite = given[np.isfinite(given)]
    if len(finite) == 0:
        return Spread(math.nan, math.nan, math.nan, math.nan, 0, len(given))
    std = float(finite.std(ddof=1)) if len(finite) > 1 else 0.0
    return Spread(float(finite.mean()), std, float(finite.min()), float(finite.max()), len(finite), len(given))


@dataclass(frozen=True)
class Protocol:
    """Protocol of a metric, from all runs that have it.

    Args:
        better: ``lower``, ``higher`` or ``real`` (the nearer to real data, the better); empty if the runs disagree.
        n: number of images; several if the runs disagree.
        floors: value of real data; several if the runs disagree, none if unknown.
    """

    better: str
    n: tuple[int, ...]
    floors: tuple[float, ...]

    @property
    def floor(self) -> float:
        """The mean of the floors, nan if there is none."""
        return sum(self.floors) / len(self.floors) if self.floors else math.nan

    @property
    def direction(self) -> str:
        """``better``; empty if groups cannot be ranked, because it is ``real`` and no floor is known."""
        return "" if self.better == "real" and not self.floors else self.better

    @property
    def in_words(self) -> str:
        """``better`` as a phrase; empty if it is unknown."""
        return {"real": "nearer to real data is better", "": ""}.get(self.better, f"{self.better} is better")


UNKNOWN = Protocol(better="", n=(), floors=())
"""Protocol of a metric that no ``result.json`` has."""


def protocols(runs: Iterable[Run]) -> dict[str, Protocol]:
    """Collects the protocols of the metrics in ``result.json`` of all runs, by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for name, entry in (run.result or {"scores": {}})["scores"].items():
            found.setdefault(name, []).append(entry)
    return {name: _protocol(entries) for name, entries in sorted(found.items())}


def _protocol(entries: list[dict[str, Any]]) -> Protocol:
    directions = {str(entry["better"]) for entry in entries}
    return Protocol(
        better=directions.pop() if len(directions) == 1 else "",
        n=tuple(sorted({int(entry["n"]) for entry in entries})),
        floors=tuple(sorted({float(entry["floor"]) for entry in entries if entry.get("floor") is not None})),
    )


@dataclass(frozen=True)
class Table:
    """Values of all groups at one moment.

    Args:
        name: ``end``, ``equal_images`` or ``equal_time``.
        keys: quantities, in the order of the columns.
        runs: values of each run by group, in the order of `Group.runs`.
    """

    name: str
    keys: tuple[str, ...]
    runs: tuple[tuple[Row, ...], ...]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics among the keys."""
        return [key.removeprefix("score/") for key in self.keys if key.startswith("score/")]

    def spreads(self, key: str) -> list[Spread]:
        """Computes one spread per group."""
        return [spread(row.get(key, math.nan) for row in rows) for rows in self.runs]


def ranking(spreads: Sequence[Spread], better: str, floor: float = math.nan) -> list[int]:
    """Sorts the groups that have a value by their mean, the best first.

    Args:
        spreads: one per group.
        better: ``lower``, ``higher`` or ``real`` (the nearer to ``floor``, the better).
        floor: the value of real data; needed for ``real`` only.

    Returns:
        Indices of the groups.
    """
    means = {index: each.mean for index, each in enumerate(spreads) if each.n}
    if better == "real":
        means = {index: abs(mean - floor) for index, mean in means.items()}
    return sorted(means, key=lambda index: means[index], reverse=better == "higher")


def clear_winner(spreads: Sequence[Spread], better: str, floor: float = math.nan) -> int | None:
    """Finds the group whose mean leads by more than the sum of both standard deviations.

    Args:
        spreads: one per group.
        better: ``lower``, ``higher`` or ``real`` (the nearer to ``floor``, the better).
        floor: the value of real data; needed for ``real`` only.

    Returns:
        Its index; None if no group leads by that much, or if one of the best two has a single run or a missing value.
    """
    ranked = ranking(spreads, better, floor)
    if len(ranked) < 2:
        return None
    first, second = spreads[ranked[0]], spreads[ranked[1]]
    if not (first.is_complete and second.is_complete):
        return None
    lead = abs(abs(first.mean - floor) - abs(second.mean - floor) if better == "real" else first.mean - second.mean)
    return ranked[0] if lead > first.std + second.std else None


@dataclass(frozen=True)
class Pairing:
    """One metric of two groups, paired by seed.

    Runs of equal seed see the same order of images and the same latent vectors, so effects of the seed that both groups
    share cancel in the difference.

    Args:
        first: index of group A.
        second: index of group B.
        metric: its name.
        protocol: its direction and the value of real data.
        seeds: seeds with finite values in both groups, ascending. A repeated seed counts once, with the mean of its
            runs, which are not independent.
        values: of A and of B, one pair per seed.
        common: number of common seeds, with or without values.
    """

    first: int
    second: int
    metric: str
    protocol: Protocol
    seeds: tuple[int, ...]
    values: tuple[tuple[float, float], ...]
    common: int

    @cached_property
    def difference(self) -> Spread:
        """Differences A - B of the values, or of the distances to real data if ``better`` is ``real``."""
        differences = [self._compared(a) - self._compared(b) for a, b in self.values]
        return replace(spread(differences), of=self.common)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean difference; nan for fewer than 2 pairs."""
        return self.difference.interval

    @property
    def ratio(self) -> float:
        """Absolute mean difference in standard deviations; nan for fewer than 2 pairs or if all differences are 0."""
        mean, std = abs(self.difference.mean), self.difference.std
        if self.difference.n < 2 or mean == std == 0:
            return math.nan
        return mean / std if std > 0 else math.inf

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes 0: the paired t-test at 5 %."""
        low, high = self.interval
        return low > 0 or high < 0

    @property
    def ahead(self) -> int | None:
        """Index of the group that is better on average; None if both are equal or the direction is unknown."""
        mean = self.difference.mean
        if not self.protocol.direction or math.isnan(mean) or mean == 0:
            return None
        return self.first if (mean > 0) == (self.protocol.direction == "higher") else self.second

    def verdict(self, names: Sequence[str]) -> str:
        """Describes the result of the test, with the names of all groups by index."""
        n = self.difference.n
        if n == 0:
            return "no common seed" if self.common == 0 else "no common seed has both values"
        if n == 1:
            return "one pair only: no test"
        if self.difference.mean == self.difference.std == 0:
            return f"equal in all {n} pairs"
        if not self.is_significant:
            return f"not significant with {n} pairs"
        if self.ahead is not None:
            better = {"lower": "lower (better)", "higher": "higher (better)", "real": "nearer to real data (better)"}
            return f"{names[self.ahead]} is significantly {better[self.protocol.direction]}"
        lower = self.first if self.difference.mean < 0 else self.second
        return f"{names[lower]} is significantly lower (unknown which is better)"

    def _compared(self, value: float) -> float:
        return abs(value - self.protocol.floor) if self.protocol.direction == "real" else value


def pair(groups: Sequence[Group], table: Table, metric: str, protocol: Protocol, first: int, second: int) -> Pairing:
    """Pairs one metric of two groups by seed.

    Args:
        groups: all groups.
        table: their values.
        metric: its name.
        protocol: its direction and floor.
        first: index of group A.
        second: index of group B.
    """
    a, b = (_by_seed(groups[index], table.runs[index], f"score/{metric}") for index in (first, second))
    common = sorted(a.keys() & b.keys())
    seeds = tuple(seed for seed in common if math.isfinite(a[seed] - b[seed]))
    return Pairing(first, second, metric, protocol, seeds, tuple((a[seed], b[seed]) for seed in seeds), len(common))


def every_pair(groups: Sequence[Group], table: Table, metric: str, protocol: Protocol) -> list[Pairing]:
    """Pairs each group with each later one; the arguments are those of `pair`."""
    return [pair(groups, table, metric, protocol, a, b) for a, b in combinations(range(len(groups)), 2)]


def best_with_others(groups: Sequence[Group], table: Table, metric: str, protocol: Protocol) -> list[Pairing]:
    """Pairs the group of the best mean with each other one; the arguments are those of `pair`.

    Without values or a direction, the first group counts as the best.
    """
    best = (_ranked(table, metric, protocol) or [0])[0]
    return [pair(groups, table, metric, protocol, best, other) for other in range(len(groups)) if other != best]


def best_two(groups: Sequence[Group], table: Table, metric: str, protocol: Protocol) -> Pairing | None:
    """Pairs the two groups of the best means; None if fewer than two have a value or the direction is unknown."""
    ranked = _ranked(table, metric, protocol)
    return pair(groups, table, metric, protocol, ranked[0], ranked[1]) if len(ranked) > 1 else None


def winner(best: Pairing | None) -> int | None:
    """Returns the index of the group of the best mean if it is significantly better than the next one, else None.

    It does not win if it is worse on the common seeds.

    Args:
        best: as `best_two` returns it.
    """
    return best.first if best is not None and best.is_significant and best.ahead == best.first else None


def _ranked(table: Table, metric: str, protocol: Protocol) -> list[int]:
    return ranking(table.spreads(f"score/{metric}"), protocol.direction, protocol.floor) if protocol.direction else []


def _by_seed(group: Group, rows: Sequence[Row], key: str) -> dict[int, float]:
    """Averages the finite values of each seed, nan if there is none; runs of unknown seed are left out."""
    values: dict[int, list[float]] = {}
    for run, row in zip(group.runs, rows, strict=True):
        if run.seed is not None:
            values.setdefault(run.seed, []).append(row.get(key, math.nan))
    return {seed: spread(found).mean for seed, found in values.items()}
