"""Compares two groups seed by seed: does a score differ by more than the spread of its differences?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.measurement import Spread, Table, ranking, spread
from fmcgan.comparison.protocol import Protocol
from fmcgan.comparison.run import Row


@dataclass(frozen=True)
class Pairing:
    """One score of two groups, paired by seed.

    Equal seeds give both groups the same order of images and the same latent vectors, so what a seed does to both falls
    out of the difference.

    Args:
        first: place of the group A among the groups.
        second: place of the group B.
        score: its name.
        protocol: which way it improves, and what real data reach.
        seeds: those of which both groups have a finite value, rising. A seed that a group holds several times counts
            once, with the mean of its runs: they are no independent evidence.
        values: of A and of B, one pair for each of the seeds.
        common: how many seeds both groups have, with or without values.
    """

    first: int
    second: int
    score: str
    protocol: Protocol
    seeds: tuple[int, ...]
    values: tuple[tuple[float, float], ...]
    common: int

    @cached_property
    def difference(self) -> Spread:
        """A - B: mean, standard deviation (n - 1) and number of the pairs.

        Of values; of a score that is better the nearer it is to real data, of the distances to what real data reach.
        """
        differences = [self._compared(a) - self._compared(b) for a, b in self.values]
        return replace(spread(differences), of=self.common)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean difference by Student's t; nan with less than 2 pairs."""
        return self.difference.interval

    @property
    def ratio(self) -> float:
        """How many standard deviations the mean is away from 0; inf if all differences are equal.

        nan with less than 2 pairs or where there is no difference at all.
        """
        mean, std = abs(self.difference.mean), self.difference.std
        if self.difference.n < 2 or mean == std == 0:
            return math.nan
        return mean / std if std > 0 else math.inf

    @property
    def larger_than_spread(self) -> bool:
        """Whether the interval excludes 0: a paired t test at 5 %."""
        low, high = self.interval
        return low > 0 or high < 0

    @property
    def ahead(self) -> int | None:
        """Place of the group that is better on average, however little.

        None if neither is, or if it is unknown what better is.
        """
        mean = self.difference.mean
        if not self.protocol.direction or math.isnan(mean) or mean == 0:
            return None
        return self.first if (mean > 0) == (self.protocol.direction == "higher") else self.second

    def verdict(self, names: Sequence[str]) -> str:
        """What the pairs say, in words.

        Args:
            names: of all groups, by place.
        """
        n = self.difference.n
        if n == 0:
            return "no common seed" if self.common == 0 else "no common seed has both values"
        if n == 1:
            return "one pair only: nothing can be said"
        if self.difference.mean == self.difference.std == 0:
            return f"equal in all {n} pairs"
        if not self.larger_than_spread:
            return f"no difference that {n} pairs could show"
        if self.ahead is not None:
            return f"{names[self.ahead]} is {_BETTER[self.protocol.direction]}: larger than the spread"
        lower = self.first if self.difference.mean < 0 else self.second
        return f"{names[lower]} is lower (which is better is unknown): larger than the spread"

    def _compared(self, value: float) -> float:
        return abs(value - self.protocol.floor) if self.protocol.direction == "real" else value


_BETTER = {"lower": "lower (better)", "higher": "higher (better)", "real": "nearer to real (better)"}


def pair(groups: Sequence[Group], table: Table, score: str, protocol: Protocol, first: int, second: int) -> Pairing:
    """Pairs a score of two groups.

    Args:
        groups: all groups.
        table: what was measured of them.
        score: its name.
        protocol: how it is judged.
        first: place of A.
        second: place of B.
    """
    a, b = (_by_seed(groups[place], table.runs[place], f"score/{score}") for place in (first, second))
    common = sorted(a.keys() & b.keys())
    seeds = tuple(seed for seed in common if math.isfinite(a[seed] - b[seed]))
    return Pairing(first, second, score, protocol, seeds, tuple((a[seed], b[seed]) for seed in seeds), len(common))


def every_pair(groups: Sequence[Group], table: Table, score: str, protocol: Protocol) -> list[Pairing]:
    """Pairs each group with each that follows it; the arguments are those of `pair`."""
    return [pair(groups, table, score, protocol, a, b) for a, b in combinations(range(len(groups)), 2)]


def best_with_others(groups: Sequence[Group], table: Table, score: str, protocol: Protocol) -> list[Pairing]:
    """Pairs the group of the best mean with each other one; the arguments are those of `pair`.

    Where no group has a value or it is unknown what better is, the first group stands for the best.
    """
    ranked = ranking(table.spreads(f"score/{score}"), protocol.direction, protocol.floor) if protocol.direction else []
    best = ranked[0] if ranked else 0
    return [pair(groups, table, score, protocol, best, other) for other in range(len(groups)) if other != best]


def _by_seed(group: Group, rows: Sequence[Row], key: str) -> dict[int, float]:
    """The mean of the finite values of each seed, nan if there is none; a run of unknown seed has no partner."""
    values: dict[int, list[float]] = {}
    for run, row in zip(group.runs, rows, strict=True):
        if run.seed is not None:
            values.setdefault(run.seed, []).append(row.get(key, math.nan))
    return {seed: spread(found).mean for seed, found in values.items()}
