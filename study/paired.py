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

METHOD = """\
Differences to {base} are paired: the runs of a seed have the same order of images and latent vectors. Brackets are 95 %
intervals over seeds (Student's t); **bold** where they leave out 0. They are not corrected for their number."""


def blocks(entries: Sequence[Entry], table: Table) -> list[str]:
    """Returns a table of the differences of each arm, one of the classes, and how to read them; none without pairs."""
    of_all = _of_all(entries, table)
    if not of_all:
        return []
    classes = _of_classes(entries, table)
    base = markdown_code(table.base(table.arms[0]))
    return [
        of_all,
        *([f"By class, as assigned by the judge:\n\n{classes}"] if classes else []),
        METHOD.format(base=base),
    ]


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


def _of_all(entries: Sequence[Entry], table: Table) -> str:
    rows = []
    for arm in table.arms:
        pairs = _pairs(entries, arm, table.base(arm))
        if arm == table.base(arm) or not pairs:
            continue
        cells = []
        for name in table.scores.values():
            known = [
                (ours["scores"][name]["value"], base["scores"][name]["value"])
                for ours, base in pairs
                if name in ours["scores"] and name in base["scores"]
            ]
            like = known[0][1] if known else 0.0
            cells.append(difference([own - other for own, other in known], like) if known else NO_VALUE)
        rows.append([markdown_code(arm), str(len(pairs)), *cells])
    better = {name: score["better"] for entry in entries for name, score in entry["scores"].items()}
    heads = [f"{heading}{ARROWS.get(better.get(name, ''), '')}" for heading, name in table.scores.items()]
    return markdown_table(["minus the base", "pairs", *heads], rows) if rows else ""


def _of_classes(entries: Sequence[Entry], table: Table) -> str:
    """Makes a table with one row for each class and one column for each arm and score that has values by class."""
    columns: dict[str, list[str]] = {}
    for heading, name in table.scores.items():
        if not name.startswith("assigned_"):
            continue
        for arm in table.arms:
            pairs = _pairs(entries, arm, table.base(arm))
            values = [[each["scores"].get(name, {}).get("by_class") for each in pair] for pair in pairs]
            if arm == table.base(arm) or not values or any(each is None for pair in values for each in pair):
                continue
            columns[f"{heading}, {markdown_code(arm)}"] = [
                difference([own[label] - other[label] for own, other in values], values[0][1][label])
                for label in GARMENTS.labels
            ]
    if not columns:
        return ""
    rows = [[name, *cells] for name, *cells in zip(GARMENTS.class_names, *columns.values(), strict=True)]
    return markdown_table(["class", *columns], rows)


def _pairs(entries: Sequence[Entry], arm: str, base: str) -> list[tuple[Entry, Entry]]:
    """Returns the runs of an arm and of its base that have the same seed."""
    by_arm = [{each["seed"]: each for each in entries if each["arm"] == name} for name in (arm, base)]
    return [(by_arm[0][seed], by_arm[1][seed]) for seed in sorted(by_arm[0].keys() & by_arm[1].keys())]
