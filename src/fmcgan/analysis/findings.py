"""Which of all measured effects are findings: sure after so many comparisons, and larger than real images show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from fmcgan.analysis.effect import Effect

LEVEL = 0.01
"""Expected share of false ones among the effects that pass the test (Benjamini and Yekutieli 2001)."""

MOST = 10
"""How many findings are told."""

MOST_OF_A_SECTION = 3
"""How many of one section are told before those of all others: ten times the same teaches nothing."""

LEAST = 0.1
"""Size below which nothing is told: half of what Cohen calls small. Of many samples the smallest difference is sure."""


@dataclass(frozen=True)
class Judged:
    """An effect after all have been looked at together.

    Args:
        effect: as measured.
        adjusted_p: its p-value, corrected for the number of comparisons, which may depend on each other.
    """

    effect: Effect
    adjusted_p: float

    @property
    def holds(self) -> bool:
        """Whether it is a finding: surely there, and surely larger than between real test and training images."""
        return self.adjusted_p < LEVEL and self.effect.beyond_floor

    @property
    def section(self) -> str:
        """Which part of the analysis measured it."""
        return self.effect.key.partition("/")[0]


def judge(effects: Sequence[Effect]) -> list[Judged]:
    """Corrects for many comparisons and sorts, the largest first.

    Args:
        effects: of all sections.

    Raises:
        ValueError: two effects have one key.
    """
    twice = [key for key, times in Counter(effect.key for effect in effects).items() if times > 1]
    if twice:
        raise ValueError(f"keys of effects must be unique, got several of {', '.join(twice)}")
    if not effects:
        return []
    adjusted = stats.false_discovery_control([effect.difference.p_value for effect in effects], method="by")
    judged = [Judged(effect, float(p)) for effect, p in zip(effects, adjusted, strict=True)]
    # By what is sure of it: a huge size known from ten images must not stand above a large one of thousands.
    return sorted(judged, key=lambda each: each.effect.difference.at_least, reverse=True)


def choose(judged: Sequence[Judged], most: int = MOST, most_of_a_section: int = MOST_OF_A_SECTION) -> list[Judged]:
    """The findings to tell, the largest first.

    Args:
        judged: as `judge` sorts them.
        most: how many at most.
        most_of_a_section: how many of one section, unless too few are left of the others.
    """
    first: list[Judged] = []
    others: list[Judged] = []
    told: Counter[str] = Counter()
    for each in judged:
        if each.holds and abs(each.effect.difference.size) >= LEAST:
            (first if told[each.section] < most_of_a_section else others).append(each)
            told[each.section] += 1
    chosen = {id(each) for each in [*first, *others][:most]}
    return [each for each in judged if id(each) in chosen]
