"""Statistics over the runs of groups: means, intervals, best groups, and paired differences."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import stdtrit

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.runs import Row, Run


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation and range of the finite values of one quantity over runs; nan if there is none."""

    mean: float
    std: float  # with n - 1 in the denominator; 0 for one value
    low: float  # smallest value
    high: float  # largest value
    n: int  # number of finite values
    of: int  # number of runs

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean by Student's t (1908): mean ± t_{0.975, n - 1} std / sqrt(n); nan for n < 2."""
        if self.n < 2:
            return math.nan, math.nan
        half = float(stdtrit(self.n - 1, 0.975)) * self.std / math.sqrt(self.n)
        return self.mean - half, self.mean + half


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

    def compared(self, value: float) -> float:
        """Returns the distance to real data if that is compared, else the value."""
        return abs(value - self.floor) if self.direction == "real" else value

    @property
    def in_words(self) -> str:
        """``better`` as a phrase; empty if it is unknown."""
        return {"real": "nearer to real data is better", "": ""}.get(self.better, f"{self.better} is better")


UNKNOWN = Protocol(better="", n=(), floors=())  # protocol of a metric that no `result.json` has


def protocols(runs: Iterable[Run]) -> dict[str, Protocol]:
    """Collects the protocols of the metrics in ``result.json`` of all runs, by name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for name, entry in (run.result["scores"] if run.result else {}).items():
            found.setdefault(name, []).append(entry)
    directions = {name: {str(entry["better"]) for entry in entries} for name, entries in found.items()}
    return {
        name: Protocol(
            better=directions[name].pop() if len(directions[name]) == 1 else "",
            n=tuple(sorted({int(entry["n"]) for entry in entries})),
            floors=tuple(sorted({float(entry["floor"]) for entry in entries if entry.get("floor") is not None})),
        )
        for name, entries in sorted(found.items())
    }


@dataclass(frozen=True)
class Table:
    """Values of all groups at one moment.

    Args:
        name: ``end``, ``equal_images`` or ``equal_time``.
        keys: quantities, in the order of the columns.
        groups: all groups.
        runs: values of each run, in the order of ``groups`` and `Group.runs`.
        protocols: of the metrics, by name.
    """

    name: str
    keys: tuple[str, ...]
    groups: Sequence[Group]
    runs: tuple[tuple[Row, ...], ...]
    protocols: Mapping[str, Protocol]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics among the keys."""
        return [key.removeprefix("score/") for key in self.keys if key.startswith("score/")]

    def protocol(self, metric: str) -> Protocol:
        """Returns the protocol of a metric, `UNKNOWN` if no result has it."""
        return self.protocols.get(metric, UNKNOWN)

    def spreads(self, key: str) -> list[Spread]:
        """Computes one spread per group."""
        return [spread(row.get(key, math.nan) for row in rows) for rows in self.runs]

    def ranking(self, metric: str) -> list[int]:
        """Sorts the groups by a metric, as `ranking` does."""
        return ranking(self.spreads(f"score/{metric}"), self.protocol(metric))


def ranking(spreads: Sequence[Spread], protocol: Protocol) -> list[int]:
    """Returns the indices of the groups that have a value, the best mean first; none if the direction is unknown."""
    means = {index: each.mean for index, each in enumerate(spreads) if each.n and protocol.direction}
    if protocol.direction == "real":
        means = {index: abs(mean - protocol.floor) for index, mean in means.items()}
    return sorted(means, key=lambda index: means[index], reverse=protocol.direction == "higher")


@dataclass(frozen=True)
class Pairing:
    """One metric of groups A and B, whose indices are ``first`` and ``second``, paired by seed.

    Runs of equal seed see the same order of images and the same latent vectors, so effects of the seed that both groups
    share cancel in the difference.

    Args:
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
        differences = [self.protocol.compared(a) - self.protocol.compared(b) for a, b in self.values]
        return replace(spread(differences), of=self.common)

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
        low, high = self.difference.interval
        return low > 0 or high < 0

    @property
    def ahead(self) -> int | None:
        """Index of the group that is better on average; None if both are equal or the direction is unknown."""
        mean = self.difference.mean
        if not self.protocol.direction or math.isnan(mean) or mean == 0:
            return None
        return self.first if (mean > 0) == (self.protocol.direction == "higher") else self.second

    def verdict(self, name_of: Callable[[int], str]) -> str:
        """Describes the result of the test; ``name_of`` names a group by its index."""
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
            return f"{name_of(self.ahead)} is significantly {better[self.protocol.direction]}"
        lower = self.first if self.difference.mean < 0 else self.second
        return f"{name_of(lower)} is significantly lower (unknown which is better)"


def pair(table: Table, metric: str, first: int, second: int) -> Pairing:
    """Pairs one metric of two groups by seed; ``first`` and ``second`` are the indices of the groups."""
    a, b = (_by_seed(table.groups[index], table.runs[index], f"score/{metric}") for index in (first, second))
    common = sorted(a.keys() & b.keys())
    seeds = tuple(seed for seed in common if math.isfinite(a[seed] - b[seed]))
    values = tuple((a[seed], b[seed]) for seed in seeds)
    return Pairing(first, second, metric, table.protocol(metric), seeds, values, len(common))


def every_pair(table: Table) -> list[Pairing]:
    """Pairs each group with each later one, for each metric."""
    pairs = list(combinations(range(len(table.groups)), 2))
    return [pair(table, metric, *both) for metric in table.metrics for both in pairs]


def best_with_others(table: Table) -> list[Pairing]:
    """Pairs the group of the best mean with each other one, for each metric.

    Without values or a direction, the first group counts as the best.
    """
    best = {metric: (table.ranking(metric) or [0])[0] for metric in table.metrics}
    others = range(len(table.groups))
    return [pair(table, metric, first, other) for metric, first in best.items() for other in others if other != first]


def best_two(table: Table, metric: str) -> Pairing | None:
    """Pairs the two groups of the best means; None if fewer than two have a value or the direction is unknown."""
    ranked = table.ranking(metric)
    return pair(table, metric, *ranked[:2]) if len(ranked) > 1 else None


def winner(best: Pairing | None) -> int | None:
    """Returns the group of the best mean if it is significantly better than the next one (`best_two`), else None.

    It does not win if it is worse on the common seeds.
    """
    return best.first if best is not None and best.is_significant and best.ahead == best.first else None


@dataclass(frozen=True)
class Outcome:
    """Who is best by one metric.

    Args:
        kind: ``win``; ``tie``: the difference of the best two is not significant; ``untested``: they have fewer than
            two common seeds; ``unknown``: fewer than two groups have a value, or the direction is unknown.
        groups: index of the winner, or of the best two, the best mean first; empty if unknown.
    """

    kind: str
    groups: tuple[int, ...] = ()


def outcome(table: Table, metric: str) -> Outcome:
    """Returns who is best by a metric, as `winner` decides."""
    best = best_two(table, metric)
    if best is None:
        return Outcome("unknown")
    won = winner(best)
    if won is not None:
        return Outcome("win", (won,))
    return Outcome("tie" if best.difference.n > 1 else "untested", (best.first, best.second))


def _by_seed(group: Group, rows: Sequence[Row], key: str) -> dict[int, float]:
    """Averages the finite values of each seed, nan if there is none; runs of unknown seed are left out."""
    values: dict[int, list[float]] = {}
    for run, row in zip(group.runs, rows, strict=True):
        if run.seed is not None:
            values.setdefault(run.seed, []).append(row.get(key, math.nan))
    return {seed: spread(found).mean for seed, found in values.items()}
