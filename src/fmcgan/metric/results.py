"""Results of an evaluation: types, sort key and formatting."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, TypeVar

from torch import Tensor

from fmcgan.app.escaping import markdown, visible
from fmcgan.app.formatting import markdown_table, short_number, text_table
from fmcgan.metric.base import format_count
from fmcgan.metric.baselines import BASELINES, REAL, baseline_title
from fmcgan.metric.value import Direction

MOST_COLUMNS = 20  # classes that fit beside each other; of more, each has a row
Values = TypeVar("Values", float, Tensor)
BETTER = {"lower": "lower", "higher": "higher", "real": "closer to real"}


class Result(TypedDict):
    """One value of ``result.json`` and ``evaluation.json``; missing numbers are ``None``."""

    value: float
    interval: list[float] | None  # 95 %
    floor: float | None  # the value of real images
    baselines: dict[str, float]
    better: Direction
    n: int  # samples
    by_class: list[float | None] | None
    floor_by_class: list[float | None] | None
    score: str  # name of the metric in the configuration
    protocol: str  # values of different protocols are not comparable
    title: str
    unit: str
    range: list[float | None]  # smallest and largest possible value; ``None``: unbounded
    summary: str
    plain: str  # name without technical terms; empty: the title


Results = dict[str, Result]  # by the name of the value, such as ``fd_classifier_10k_test``


def preferred(results: Results) -> Results:
    """Selects the values that the head of a report shows: those with a summary, of each title by one feature network.

    The preferred network is the classifier.
    """
    chosen: Results = {}
    for title in dict.fromkeys(each["title"] for each in results.values() if each["summary"]):
        names = [name for name, each in results.items() if each["title"] == title]
        name = min(names, key=lambda each: ("classifier" not in each, each))
        chosen[name] = results[name]
    return chosen


def sort_key(result: Result) -> float:
    """Returns a key by which results of one name are sorted, best first."""
    return float(value_key(result["value"], result["better"], result["floor"]))


def value_key(value: Values, better: Direction, floor: float | None) -> Values:
    """Returns a key for sorting a value, or one for each of a tensor of values: the lower, the better.

    Without the value of real images, ``floor``, those that should be close to it get infinity.
    """
    if better == "real":
        return abs(value - (float("inf") if floor is None else floor))
    return value if better == "lower" else -value


def short_name(name: str, n: int) -> str:
    """Returns a name without number of samples and split: ``fd_classifier_10k_test`` -> ``fd_classifier``."""
    return name.rpartition(f"_{format_count(n)}")[0] or name


def as_text(name: str, result: Result) -> str:
    """Formats a value as ``fd_classifier_10k_test 1.234 (real 0.02464)``."""
    floor = "" if result["floor"] is None else f" (real {short_number(result['floor'])})"
    return f"{name} {short_number(result['value'])}{floor}"


def as_markdown(results: Results) -> str:
    """Writes a table with one row per value: samples, interval and the measured baselines."""
    measured = _measured_baselines(results)
    head = ["score", "samples", "95 % interval", *map(baseline_title, measured), "better"]
    rows = []
    for name, result in results.items():
        baselines = [short_number(result["baselines"].get(baseline)) for baseline in measured]
        cells = [short_number(result["value"]), _interval(result), *baselines, BETTER[result["better"]]]
        rows.append([markdown(name), *cells])
    return markdown_table(head, rows, right=range(1, 3 + len(measured)))


def as_text_table(results: Results, columns: int) -> str:
    """Writes a table with one row per value for a terminal of so many columns, with as many baselines as fit."""
    others = [baseline for baseline in _measured_baselines(results) if baseline != REAL]
    head = ["score", "samples", "real", "better", "95 % interval", *map(baseline_title, others)]
    rows = []
    for name, result in results.items():
        real, *more = [short_number(result["baselines"].get(baseline)) for baseline in (REAL, *others)]
        rows.append([visible(name), short_number(result["value"]), real, result["better"], _interval(result), *more])
    return text_table(head, rows, columns, right=(1, 2, *range(4, len(head))), fewest=3)


def _measured_baselines(results: Results) -> list[str]:
    """Returns the names of the baselines that any value has, in the order of tables."""
    return [baseline for baseline in BASELINES if any(baseline in each["baselines"] for each in results.values())]


def _interval(result: Result) -> str:
    return " to ".join(map(short_number, result["interval"] or ()))


def by_class_as_markdown(results: Mapping[str, Result], names: Sequence[str]) -> str:
    """Writes a table of the values by class, each above that of real images; empty without values by class.

    Args:
        results: by name.
        names: of the classes, by label. Each of up to `MOST_COLUMNS` classes has a column, each of more a row.
    """
    rows = []
    for name, result in results.items():
        if result["by_class"] is not None:
            rows.append([markdown(name), *map(short_number, result["by_class"])])
            if result["floor_by_class"] is not None:
                rows.append(["(real)", *map(short_number, result["floor_by_class"])])
    if not rows:
        return ""
    table = [["score", *map(markdown, names)], *rows]
    if len(names) > MOST_COLUMNS:
        table = [list(column) for column in zip(*table, strict=True)]
        table[0][0] = "class"
    return markdown_table(table[0], table[1:], right=range(1, len(table[0])))
