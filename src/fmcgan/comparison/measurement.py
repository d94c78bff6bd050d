"""What a run had reached at some moment, and the mean and spread of that over the runs of a group."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.run import Row, Run

TRAINING_KEYS = (
    "loss/generator",
    "loss/discriminator",
    "gradient_norm/generator",
    "gradient_norm/discriminator",
    "images_per_second",
)
"""What is measured of each run beside its scores, ``images_seen`` and ``minutes``."""

COVERAGE = 0.95
"""Of every interval."""

TOLERANCE = 0.05
"""By what share of a budget an evaluation may exceed it: runs that were stopped together end a batch or a few seconds
apart, and the evaluation before that can lie far back."""


@dataclass(frozen=True)
class Spread:
    """Mean and spread over runs.

    Args:
        mean: of the finite values; nan if there is none.
        std: their standard deviation with n - 1 in the denominator; 0 for one value.
        low: the smallest of them.
        high: the largest of them.
        n: how many values are finite.
        of: how many runs there are.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean, mean ± t_{0.975, n - 1} std / sqrt(n); nan with less than 2 values.

        Student (1908), "The probable error of a mean".
        """
        if self.n < 2:
            return math.nan, math.nan
        half = float(stdtrit(self.n - 1, (1 + COVERAGE) / 2)) * self.std / math.sqrt(self.n)
        return self.mean - half, self.mean + half

    @property
    def judgeable(self) -> bool:
        """Whether the spread says something: at least two runs and a value from each."""
        return self.n == self.of >= 2


def spread(values: Iterable[float]) -> Spread:
    """Mean and spread of one value a run; a value that is missing or not finite is counted, but not averaged."""
    given = np.array(list(values), dtype=np.float64)
    finite = given[np.isfinite(given)]
    if len(finite) == 0:
        return Spread(math.nan, math.nan, math.nan, math.nan, 0, len(given))
    std = float(finite.std(ddof=1)) if len(finite) > 1 else 0.0
    return Spread(float(finite.mean()), std, float(finite.min()), float(finite.max()), len(finite), len(given))


def at_end(run: Run) -> Row:
    """What a finished run's ``result.json`` says, by the keys of ``metrics.jsonl``."""
    result = run.result
    if result is None:
        raise ValueError(f"{run.folder} has no result")
    scores = {f"score/{name}": score["value"] for name, score in result["scores"].items()}
    named = {
        "images_seen": result["images_seen"],
        "minutes": result["training_seconds"] / 60,
        **scores,
        **result["final"],
        "images_per_second": result["images_per_second"],
    }
    return {key: math.nan if value is None else float(value) for key, value in named.items()}


def at_budget(run: Run, clock: str, budget: float) -> Row:
    """What a run had reached at its last evaluation within a budget.

    Args:
        run: the run.
        clock: what the budget counts, ``images_seen`` or ``seconds``.
        budget: so much, give or take `TOLERANCE`.

    Returns:
        The scores of that evaluation, when it was, and the last recorded training numbers up to then. If nothing was
        evaluated within the budget, the last row within it and no score. Empty if there is no row either.
    """
    limit = budget * (1 + TOLERANCE)
    evaluations = [row for row in run.evaluations if row[clock] <= limit]
    moments = evaluations or [row for row in run.rows if row[clock] <= limit]
    if not moments:
        return {}
    moment = moments[-1]
    measured = {"images_seen": moment["images_seen"], "minutes": moment["seconds"] / 60}
    measured |= {key: value for key, value in moment.items() if key.startswith("score/")}
    for row in run.rows:
        if row["images_seen"] <= moment["images_seen"]:
            measured |= {key: row[key] for key in TRAINING_KEYS if key in row}
    return measured


@dataclass(frozen=True)
class Table:
    """One measurement of all groups.

    Args:
        name: ``end``, ``equal_images`` or ``equal_time``.
        keys: the measured quantities, in the order of the columns.
        runs: what was measured of each run, by group; the runs in the order of `Group.runs`.
    """

    name: str
    keys: tuple[str, ...]
    runs: tuple[tuple[Row, ...], ...]

    @property
    def scores(self) -> list[str]:
        """Names of the scores among the keys."""
        return [key.removeprefix("score/") for key in self.keys if key.startswith("score/")]

    def spreads(self, key: str) -> list[Spread]:
        """One spread a group."""
        return [spread(row.get(key, math.nan) for row in rows) for rows in self.runs]


def measure(name: str, groups: Sequence[Group], moment: Callable[[Run], Row]) -> Table:
    """Measures all runs at their own ``moment``."""
    runs = tuple(tuple(moment(run) for run in group.runs) for group in groups)
    found = dict.fromkeys(key for rows in runs for row in rows for key in row)
    scores = sorted(key for key in found if key.startswith("score/"))
    return Table(name, ("images_seen", "minutes", *scores, *TRAINING_KEYS), runs)


def ranking(spreads: Sequence[Spread], better: str, floor: float = math.nan) -> list[int]:
    """The groups that have a value, the best mean first.

    Args:
        spreads: one a group.
        better: ``lower``, ``higher`` or ``real``: the nearer to ``floor``, the better.
        floor: what real data reach; needed for ``real`` only.

    Returns:
        Their places.
    """
    means = {place: each.mean for place, each in enumerate(spreads) if each.n}
    if better == "real":
        means = {place: abs(mean - floor) for place, mean in means.items()}
    return sorted(means, key=lambda place: means[place], reverse=better == "higher")


def clear_winner(spreads: Sequence[Spread], better: str, floor: float = math.nan) -> int | None:
    """The group whose mean is best by more than luck.

    Args:
        spreads: one a group.
        better: ``lower``, ``higher`` or ``real``: the nearer to ``floor``, the better.
        floor: what real data reach; needed for ``real`` only.

    Returns:
        Its place, if its mean is ahead of the runner-up's by more than both standard deviations summed. None otherwise,
        and if either of the two has no spread because it is one run or a run of it has no value.
    """
    ranked = ranking(spreads, better, floor)
    if len(ranked) < 2:
        return None
    first, second = spreads[ranked[0]], spreads[ranked[1]]
    if not (first.judgeable and second.judgeable):
        return None
    lead = abs(abs(first.mean - floor) - abs(second.mean - floor) if better == "real" else first.mean - second.mean)
    return ranked[0] if lead > first.std + second.std else None
