"""Differences of arms to their base, paired by seed, of all images and of each class."""

from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.special import stdtrit

from fmcgan.app.escaping import markdown_code
from fmcgan.app.formatting import markdown_table
from fmcgan.comparison.tables import ARROWS, number
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.value import COVERAGE
from fmcgan.report.html import NO_VALUE
from study.arms import Table
from study.results_store import Entry

Pair = tuple[Entry, Entry]
"""Runs of an arm and of its base with the same seed."""

METHOD = """\
Differences to {base} are paired: the runs of a seed have the same order of images and latent vectors. Brackets are 95 %
intervals over seeds (Student's t); **bold** where they leave out 0. They are not corrected for their number."""

BY_CLASS = "By class, as assigned by the classifier of the metrics: {heading}, minus the base."


def blocks(entries: Sequence[Entry], table: Table) -> list[str]:
    """Returns a table of the differences of each arm and how to read it; none without pairs."""
    pairs = _pairs_by_arm(entries, table)
    if not pairs:
        return []
    better = {name: score["better"] for entry in entries for name, score in entry["scores"].items()}
    rows = []
    for heading, name in table.scores.items():
        cells = []
        for each in pairs.values():
            known = [[run["scores"][name]["value"] for run in pair] for pair in each if _both_have(pair, name)]
            cells.append(difference([own - base for own, base in known], known[0][1]) if known else NO_VALUE)
        rows.append([heading + ARROWS.get(better.get(name, ""), ""), *cells])
    heads = [f"{markdown_code(arm)} ({len(each)} pairs)" for arm, each in pairs.items()]
    return [markdown_table(["minus the base", *heads], rows).rstrip(), _method(table)]


def class_blocks(entries: Sequence[Entry], table: Table) -> list[str]:
    """Returns a table of the differences in each class for each score that has them, and how to read them."""
    tables = []
    for heading, name in table.scores.items():
        if not name.startswith("assigned_"):
            continue
        columns = {}
        for arm, pairs in _pairs_by_arm(entries, table).items():
            values = [[run["scores"].get(name, {}).get("by_class") for run in pair] for pair in pairs]
            if all(each is not None for pair in values for each in pair):
                columns[markdown_code(arm)] = [
                    difference([own[label] - base[label] for own, base in values], values[0][1][label])
                    for label in GARMENTS.labels
                ]
        if columns:
            rows = [[name, *cells] for name, *cells in zip(GARMENTS.class_names, *columns.values(), strict=True)]
            tables += [BY_CLASS.format(heading=heading), markdown_table(["class", *columns], rows).rstrip()]
    return [*tables, _method(table)] if tables else []


def difference(values: Sequence[float], like: float) -> str:
    """Formats the mean of paired differences with its interval by Student's t: ``**+1.2** [0.8, 1.6]``.

    A single difference has no interval. ``like`` sets the number of digits.
    """
    mean = fmean(values)
    text = f"{'+' if mean > 0 else ''}{number(mean, like=like)}"
    if len(values) < 2:
        return text
    half = float(stdtrit(len(values) - 1, (1 + COVERAGE) / 2)) * stdev(values) / len(values) ** 0.5
    clear = abs(mean) > half
    ends = ", ".join(number(end, like=like) for end in (mean - half, mean + half))
    return f"{f'**{text}**' if clear else text} [{ends}]"


def _method(table: Table) -> str:
    return METHOD.format(base=markdown_code(table.base(table.arms[0])))


def _both_have(pair: Pair, name: str) -> bool:
    return all(name in run["scores"] for run in pair)


def _pairs_by_arm(entries: Sequence[Entry], table: Table) -> dict[str, list[Pair]]:
    """Returns the pairs of each arm that has some, without the base."""
    found = {arm: _pairs(entries, arm, table.base(arm)) for arm in table.arms if arm != table.base(arm)}
    return {arm: pairs for arm, pairs in found.items() if pairs}


def _pairs(entries: Sequence[Entry], arm: str, base: str) -> list[Pair]:
    """Returns the runs of an arm and of its base that have the same seed."""
    by_arm = [{each["seed"]: each for each in entries if each["arm"] == name} for name in (arm, base)]
    return [(by_arm[0][seed], by_arm[1][seed]) for seed in sorted(by_arm[0].keys() & by_arm[1].keys())]
