"""Findings: effects that are significant after correction for multiple comparisons and exceed their floor."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from fmcgan.analysis.effect import Effect

LEVEL = 0.01
"""False discovery rate (Benjamini and Yekutieli 2001)."""
MOST = 10
"""Default number of findings shown."""
MAX_PER_SECTION = 3
"""Findings of one section that precede those of other sections."""
LEAST = 0.1
"""Smallest effect size of a finding, half of Cohen's "small"; with many samples, tiny differences are significant."""


@dataclass(frozen=True)
class AdjustedEffect:
    """An effect and its corrected p-value.

    Args:
        effect: as measured.
        adjusted_p: p-value corrected for multiple, arbitrarily dependent comparisons.
    """

    effect: Effect
    adjusted_p: float

    @property
    def holds(self) -> bool:
        """Whether it is significant and larger than its floor."""
        return self.adjusted_p < LEVEL and self.effect.beyond_floor

    @property
    def section(self) -> str:
        """Name of its section."""
        return self.effect.key.partition("/")[0]


def adjust_effects(effects: Sequence[Effect]) -> list[AdjustedEffect]:
    """Corrects the p-values for multiple comparisons and sorts the effects, the largest first.

    Args:
        effects: of all sections.

    Raises:
        ValueError: two effects have the same key.
    """
    twice = [key for key, times in Counter(effect.key for effect in effects).items() if times > 1]
    if twice:
        raise ValueError(f"keys of effects must be unique, got several of {', '.join(twice)}")
    if not effects:
        return []
    adjusted = stats.false_discovery_control([effect.difference.p_value for effect in effects], method="by")
    found = [AdjustedEffect(effect, float(p)) for effect, p in zip(effects, adjusted, strict=True)]
    # By the lower end of the interval, so that a huge effect of ten images does not precede a large one of thousands.
    return sorted(found, key=lambda each: each.effect.difference.at_least, reverse=True)


def select_findings(
    effects: Sequence[AdjustedEffect], most: int = MOST, max_per_section: int = MAX_PER_SECTION
) -> list[AdjustedEffect]:
    """Selects the findings to show, the largest first.

    Args:
        effects: as `adjust_effects` sorts them.
        most: maximum number of findings.
        max_per_section: maximum for one section; exceeded if other sections have too few findings.
    """
    first: list[AdjustedEffect] = []
    others: list[AdjustedEffect] = []
    counts: Counter[str] = Counter()
    for each in effects:
        if each.holds and abs(each.effect.difference.size) >= LEAST:
            (first if counts[each.section] < max_per_section else others).append(each)
            counts[each.section] += 1
    chosen = {id(each) for each in [*first, *others][:most]}
    return [each for each in effects if id(each) in chosen]
