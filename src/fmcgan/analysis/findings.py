"""Findings: effects that are significant after correction for multiple comparisons and exceed their floor."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from fmcgan.analysis.effect import Effect

LEVEL = 0.01  # false discovery rate (Benjamini and Yekutieli 2001)
LEAST = 0.1  # smallest size: half of Cohen's "small"; with many samples, tiny differences are significant


@dataclass(frozen=True)
class AdjustedEffect:
    """An effect and its p-value, corrected for multiple, arbitrarily dependent comparisons."""

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
    """Corrects the p-values of all effects for multiple comparisons and sorts the effects, the largest first.

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
    effects: Sequence[AdjustedEffect], most: int = 10, max_per_section: int = 3
) -> list[AdjustedEffect]:
    """Selects the findings to show from the sorted effects, at most ``most``.

    More than ``max_per_section`` of one section are shown only if other sections have too few.
    """
    first: list[AdjustedEffect] = []
    others: list[AdjustedEffect] = []
    counts: Counter[str] = Counter()
    for each in effects:
        if each.holds and abs(each.effect.difference.size) >= LEAST:
            (first if counts[each.section] < max_per_section else others).append(each)
            counts[each.section] += 1
    chosen = [*first, *others][:most]
    return [each for each in effects if each in chosen]
