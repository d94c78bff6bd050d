"""Findings: effects that are significant after correction for multiple comparisons and exceed their floor.

Effects of one section that say the same of several classes are one finding.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from fmcgan.analysis.effect import Effect

LEVEL = 0.01  # false discovery rate (Benjamini and Yekutieli 2001)
LEAST = 0.1  # smallest size: half of Cohen's "small"; with many samples, tiny differences are significant
MOST_NAMED = 3  # classes that share the first place of a finding; of more, one is named as an example


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
    def is_finding(self) -> bool:
        """Whether it holds and is not tiny."""
        return self.holds and abs(self.effect.difference.size) >= LEAST

    @property
    def section(self) -> str:
        """Name of its section."""
        return self.effect.key.partition("/")[0]


@dataclass(frozen=True)
class Finding:
    """One or several effects that say the same of different classes.

    ``members`` are sorted, the largest first; ``of_classes`` is the number of classes that the section compares.
    """

    members: tuple[AdjustedEffect, ...]
    of_classes: int

    @property
    def adjusted(self) -> AdjustedEffect:
        """Its largest effect."""
        return self.members[0]

    @property
    def effect(self) -> Effect:
        """Its largest effect."""
        return self.adjusted.effect

    @property
    def section(self) -> str:
        """Name of its section."""
        return self.adjusted.section

    @property
    def classes(self) -> tuple[int, ...]:
        """Labels that it refers to, those of the largest effects first; empty for all classes together."""
        return tuple(dict.fromkeys(label for each in self.members for label in each.effect.classes))

    @property
    def cells(self) -> tuple[tuple[int, int | None], ...]:
        """Cells of the confusion matrix that it refers to: label and predicted class; ``None``: any."""
        effects = (each.effect for each in self.members)
        return tuple(
            dict.fromkeys(
                (label, effect.predicted)
                for effect in effects
                for label in (effect.classes if effect.predicted is None else effect.classes[:1])
            )
        )

    @property
    def count(self) -> int:
        """Number of classes that it holds for; 0 for all classes together."""
        return len({each.effect.classes[0] for each in self.members if each.effect.classes})

    @property
    def which(self) -> str:
        """The classes that it holds for in words: ``7 of 10 classes``."""
        some = f"{self.count} of {self.of_classes} classes"
        return f"all {self.count} classes" if self.count == self.of_classes else some

    @property
    def statement(self) -> str:
        """One sentence: that of its effect, or how many classes it holds for and which stand out.

        A class is said to stand out only if its interval lies above those of the other classes.
        """
        whole = [each.effect for each in self.members if not each.effect.classes]
        of_classes = [each.effect for each in self.members if each.effect.classes]
        if not of_classes or (len(of_classes) == 1 and not whole):
            return self.effect.statement
        words = of_classes[0].words
        if words is None:
            raise ValueError(f"{of_classes[0].key} has no words and is in a finding of several effects")
        if whole:
            first = whole[0].statement.removesuffix(".")
            outstanding = words.noun if self.count == 1 else f"{self.which}, {_outstanding(of_classes)}"
            return f"{first}. By class, it holds for {outstanding}: {words.numbers}."
        return f"In {self.which}, generated images {words.shared}, {_outstanding(of_classes)}: {words.numbers}."


def _outstanding(effects: Sequence[Effect]) -> str:
    """Names the classes of the largest effects, sorted, as far as the intervals support it."""
    first, *others = effects
    rivals = [first, *(each for each in others if each.difference.at_most >= first.difference.at_least)]
    nouns = list(dict.fromkeys(each.words.noun for each in rivals if each.words is not None))
    if len(rivals) == len(effects) > 1 or len(nouns) > MOST_NAMED:
        return f"for example {nouns[0]}"
    named = " or ".join(filter(None, [", ".join(nouns[:-1]), nouns[-1]]))
    return f"most of all {named}{f' (numbers for {nouns[0]})' if len(nouns) > 1 else ''}"


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


def select_findings(effects: Sequence[AdjustedEffect], most: int = 10, max_per_section: int = 3) -> list[Finding]:
    """Selects the findings to show from the sorted effects, at most ``most``, the largest first.

    At most ``max_per_section`` of a section come before those of all other sections; its others come last.
    """
    first: list[Finding] = []
    others: list[Finding] = []
    counts: Counter[str] = Counter()
    for each in _grouped(effects):
        (first if counts[each.section] < max_per_section else others).append(each)
        counts[each.section] += 1
    return [*first, *others][:most]


def _grouped(effects: Sequence[AdjustedEffect]) -> list[Finding]:
    """Groups the effects that are findings by section and shared words, in the order of their largest effect."""
    groups: dict[tuple[str, str], list[AdjustedEffect]] = {}
    compared: dict[str, set[int]] = {}
    for each in effects:
        compared.setdefault(each.section, set()).update(each.effect.classes[:1])
        if each.is_finding:
            shared = each.effect.key if each.effect.words is None else each.effect.words.shared
            groups.setdefault((each.section, shared), []).append(each)
    return [Finding(tuple(members), len(compared[section])) for (section, _), members in groups.items()]
