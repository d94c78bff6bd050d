"""The verdict of an analysis: one sentence whose clauses follow from effects, intervals and alarms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fmcgan.analysis.effect import Difference
from fmcgan.analysis.findings import AdjustedEffect, Finding
from fmcgan.analysis.section import NearMiss, Section

_SMALL, _MEDIUM, _LARGE = 0.2, 0.5, 0.8  # Cohen's conventions for effect sizes
_MOST_NAMED = 2  # confusions that are named
_MARKS = {"missing": "missing", "rare": "too rare"}  # marks of clusters that lack samples


@dataclass(frozen=True)
class Clause:
    """A part of the verdict."""

    text: str
    section: str = ""  # name of the section that supports it; empty: none


def sentence(clauses: Sequence[Clause]) -> str:
    """Joins clauses to one sentence; empty without any."""
    text = "; ".join(clause.text for clause in clauses)
    return f"{text[:1].upper()}{text[1:]}{'.' if text else ''}"


def verdict(
    sections: Mapping[str, Section],
    effects: Sequence[AdjustedEffect],
    findings: Sequence[Finding],
    noun_of: Callable[[int], str],
    control: str = "",
) -> list[Clause]:
    """Judges samples one by one, their variety, their classes, copies and memory, as far as these were measured.

    Nothing is called good for want of data: without a significant difference, a clause says that none was found, and an
    interval that does not exclude a medium effect leaves the question open.

    Args:
        sections: by name.
        effects: all, the largest first.
        findings: those of the page, the largest first.
        noun_of: plural of the name of a class, by its label.
        control: what the samples are if they are real images, such as ``real test images``; empty: generated.
    """
    alarms: dict[str, str] = {}
    for name, each in sections.items():
        for alarm in each.alarms:
            alarms.setdefault(alarm.name, name)  # two parts may raise the same one
    clauses = [Clause(f"alarm: {alarm}", name) for alarm, name in alarms.items()]
    if control:
        clauses.append(Clause(f"a control: these are {control}"))
    if not findings:
        return [*clauses, _nothing_found(effects)] if effects else clauses
    judged = [_realism(effects), _variety(sections, effects), _confusions(effects, noun_of), *_copies(effects)]
    about = [each for each in judged if each is not None]
    clauses += about
    largest = findings[0]
    if largest.section not in {each.section for each in about}:
        clauses.append(Clause(f"largest difference: {_short(largest)}", largest.section))
    return clauses


def nearest_to_an_alarm(sections: Mapping[str, Section]) -> tuple[str, NearMiss] | None:
    """Returns the rule that came nearest to an alarm and its section; ``None`` if no section knows one."""
    known = [(name, each.near_miss) for name, each in sections.items() if each.near_miss is not None]
    return max(known, key=lambda each: each[1].share, default=None)


def _nothing_found(effects: Sequence[AdjustedEffect]) -> Clause:
    return Clause(f"no difference from real images found in {len(effects):,} comparisons")


def _realism(effects: Sequence[AdjustedEffect]) -> Clause | None:
    """Judges by the largest of two differences between single images: a detector's AUC, and the share of outliers."""
    keys = ("two_sample/all/auc", "holes/all/outliers")
    known = [each for each in effects if each.effect.key in keys]
    if not known:
        return None
    worst = max(known, key=lambda each: each.effect.difference.at_most)
    if worst.section == "holes" and not worst.is_finding and len(known) == 1:  # a weaker statement than a detector's
        return Clause("no more outliers than among real images found", "holes")
    return Clause(_one_by_one(worst.effect.difference, worst.is_finding), worst.section)


def _one_by_one(difference: Difference, is_finding: bool) -> str:
    if not is_finding:
        known = difference.at_most < _MEDIUM
        return "no difference from real ones found one by one" if known else "too few samples to judge one by one"
    if difference.at_most < _SMALL:
        return "almost real one by one"
    if difference.at_most < _MEDIUM:
        return "nearly real one by one"
    return "unlike real images one by one" if difference.at_least > _LARGE else "not quite real one by one"


def _variety(sections: Mapping[str, Section], effects: Sequence[AdjustedEffect]) -> Clause | None:
    """Counts the clusters of which samples are missing or rare; without clusters, judges by the share of holes."""
    marks = sections["clusters"].values.get("marks") if "clusters" in sections else None
    lacking = {each.effect.key for each in effects if each.is_finding and each.effect.difference.size < 0}
    holes = next((each for each in effects if each.effect.key == "holes/all/holes"), None)
    if isinstance(marks, Mapping) and marks:
        counts = {word: sum(key in lacking for key in marks if marks[key] == mark) for mark, word in _MARKS.items()}
        told = " and ".join(f"{count} {word}" for word, count in counts.items() if count)
        if told:
            return Clause(f"of {len(marks)} kinds (clusters of real images) {told}", "clusters")
        if holes is None or not holes.is_finding:
            return Clause(f"none of {len(marks)} kinds (clusters of real images) found missing", "clusters")
    if holes is None:
        return None
    return Clause("some of the variety missing" if holes.is_finding else "no variety found missing", "holes")


def _confusions(effects: Sequence[AdjustedEffect], noun_of: Callable[[int], str]) -> Clause | None:
    """Names pairs of classes that are confused more often than among real images."""
    measured = [each for each in effects if each.section == "confusions"]
    if not measured:
        return None
    found = [each.effect for each in measured if each.is_finding]
    pairs = [each.classes for each in found if len(each.classes) == 2 and each.difference.size > 0]
    if pairs:
        named = [f"{noun_of(label)} taken for {noun_of(predicted)}" for label, predicted in pairs[:_MOST_NAMED]]
        others = len(pairs) - len(named)
        more = [f"{others} more {'confusions' if others > 1 else 'confusion'}"] if others else []
        return Clause(" and ".join([*named, *more]), "confusions")
    poor = [noun_of(each.classes[0]) for each in found if len(each.classes) == 1 and each.difference.size < 0]
    if poor:
        return Clause(f"{' and '.join(poor[:_MOST_NAMED])} recognised less often", "confusions")
    return Clause("no confusion of classes found beyond that of real images", "confusions")


def _copies(effects: Sequence[AdjustedEffect]) -> list[Clause]:
    """Judges copies among the samples, and whether training images can be told from others, as far as measured."""
    copies, told = (_found(effects, section) for section in ("neighbours", "membership"))
    clauses = []
    if copies is not None:
        clauses.append(Clause("more near copies than expected" if copies else "no sign of copying", "neighbours"))
    if told is not None:
        text = "training images can be told from held-out ones" if told else "no sign of memorised training images"
        clauses.append(Clause(text, "membership"))
    return clauses


def _found(effects: Sequence[AdjustedEffect], section: str) -> bool | None:
    """Whether an effect of a section is a finding; ``None`` if it has none."""
    measured = [each.is_finding for each in effects if each.section == section]
    return any(measured) if measured else None


def _short(finding: Finding) -> str:
    """Says what a finding is in a few words, without its numbers."""
    words = finding.effect.words
    if words is None:
        return finding.effect.statement.partition(":")[0].removesuffix(".")
    return f"{finding.which if finding.count > 1 else words.noun} {words.shared}"
