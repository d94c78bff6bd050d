"""Tables of a comparison, for ``comparison.html`` and, as Markdown, for ``comparison.md``."""

import math
from collections.abc import Collection, Sequence
from functools import partial

from fmcgan.analysis.section import Column, Table, interval_columns
from fmcgan.app import formatting
from fmcgan.app.escaping import markdown, markdown_code
from fmcgan.app.formatting import decimal_number
from fmcgan.comparison import statistics
from fmcgan.comparison.grouping import DIFFERENT_LOSSES, formulas_differ, letter
from fmcgan.comparison.results import TRAINING_KEYS, Comparison
from fmcgan.comparison.runs import Run
from fmcgan.comparison.statistics import (
    Outcome,
    Pairing,
    Protocol,
    Spread,
    best_two,
    best_with_others,
    every_pair,
    outcome,
    winner,
)
from fmcgan.report.html import NO_VALUE, Cell, cell, is_number

TITLES = {"end": "At the end", "equal_images": "At equal images", "equal_time": "At equal time"}
"""Title of each table of a comparison."""
ARROWS = {"lower": " ↓", "higher": " ↑", "real": " → real"}
FEW = 4  # largest number of groups for which all pairs are shown; else each group is paired with the best one
NO_WINNER = "no clear winner"
REAL_DATA = "real data"
_PAIR_COLUMNS = (
    *interval_columns("difference", "difference", ends=""),
    Column("ratio", "mean / std", "number"),
    Column("verdict", "verdict"),
)

number = partial(decimal_number, missing=NO_VALUE)  # formats a number with four digits, a dash if it is not finite


def mean_and_std(values: Spread) -> str:
    """Formats a spread: ``12.34 ± 0.56``, ``12.34`` for one run, ``12.34 ± 0.56 (2 of 3)`` if a run has no value."""
    if values.n == 0:
        return NO_VALUE
    like = max(abs(values.mean), values.std)
    text = number(values.mean, like)
    if values.n > 1:
        text += f" ± {number(values.std, like)}"
    return text if values.n == values.of else f"{text} ({values.n} of {values.of})"


def count_range(values: Spread) -> str:
    """Formats whole numbers: ``1,000`` if all are equal, else ``1,000 to 2,000``."""
    if values.n == 0:
        return NO_VALUE
    return f"{values.low:,.0f}" if values.low == values.high else f"{values.low:,.0f} to {values.high:,.0f}"


def floors_text(protocol: Protocol) -> str:
    """Formats the values of real data: ``1.500``, ``1.400 to 1.500`` if runs disagree, a dash if there is none."""
    ends = [min(protocol.floors), max(protocol.floors)] if protocol.floors else []
    return " to ".join(dict.fromkeys(map(number, ends))) or NO_VALUE


def markdown_table(table: Table, code: Collection[str] = ()) -> str:
    """Formats a table as GitHub's Markdown, without caption, with the columns named in ``code`` as code."""
    rows = []
    for row in table.rows:
        cells = [cell(value, column) for value, column in zip(row, table.columns, strict=True)]
        texts = [
            markdown_code(each.text) if column.name in code and each.text != REAL_DATA else markdown(each.text)
            for each, column in zip(cells, table.columns, strict=True)
        ]
        rows.append([f"**{text}**" if each.strong else text for text, each in zip(texts, cells, strict=True)])
    right = [index for index, column in enumerate(table.columns) if is_number(column, table.rows, index)]
    return formatting.markdown_table([markdown(column.title) for column in table.columns], rows, right).rstrip("\n")


def values_table(table: statistics.Table, names: Sequence[str]) -> Table:
    """Makes a table with one row per group and one for real data; bold marks a `winner`."""
    columns, cells, floors = [Column("group", "group")], [], []
    for key in table.keys:
        spreads, protocol = table.spreads(key), table.protocol(key.removeprefix("score/"))
        if key == "images_seen":
            heading = "images seen" if table.name == "end" else "evaluated at images"
            cells.append([Cell(count_range(each), _finite(each.mean)) for each in spreads])
        else:
            heading = TRAINING_KEYS.get(key) or _title(table, key.removeprefix("score/"))
            quantity, _, network = key.partition("/")
            if quantity == "loss" and formulas_differ(table.groups, network):
                heading += f" ({DIFFERENT_LOSSES})"
            won = winner(best_two(table, key.removeprefix("score/"))) if quantity == "score" else None
            cells.append([_spread(each, index == won) for index, each in enumerate(spreads)])
        columns.append(Column(key.replace("/", "_"), heading, "number"))
        floors.append(_floors(protocol))
    rows: list[list[Cell | str | None]] = [
        [names[index], *(column[index] for column in cells), Cell(group.seed_list, len(group.runs))]
        for index, group in enumerate(table.groups)
    ]
    columns.append(Column("seeds", "seeds", "whole"))  # behind the scores, which a phone shows without scrolling
    rows.append([REAL_DATA, *floors, None])
    caption = (
        "All groups, and real data by the same protocol. Bold: the winner, significantly better than the next one."
    )
    return Table("measured", caption, columns, rows, open=True)


def intervals_table(table: statistics.Table, names: Sequence[str]) -> Table:
    """Makes a table with one row per metric and group: mean over the seeds with interval, and value of real data."""
    columns = [
        Column("metric", "metric"),
        Column("group", "group"),
        Column("seeds", "seeds", "whole"),
        *interval_columns("mean", "mean", ends=""),
        Column("real", REAL_DATA, "number"),
    ]
    rows = []
    for metric in table.metrics:
        for index, each in enumerate(table.spreads(f"score/{metric}")):
            numbers = [Cell(number(value, each.mean), _finite(value)) for value in (each.mean, *each.interval)]
            rows.append([_title(table, metric), names[index], each.n, *numbers, _floors(table.protocol(metric))])
    caption = "Mean of each metric over the seeds, with its 95 % interval by Student's t."
    return Table("intervals", caption, columns, rows)


def winners_table(tables: Sequence[statistics.Table]) -> Table:
    """Makes a table with one row per metric: who is best at the end, at equal images and at equal time."""
    rows = [[title, *map(outcome_text, outcomes)] for title, outcomes in outcomes_by_metric(tables)]
    columns = [Column("metric", "metric"), *(Column(name, title.lower()) for name, title in TITLES.items())]
    return Table("winners", "Who is best by each metric.", columns, rows, open=True)


def outcomes_by_metric(tables: Sequence[statistics.Table]) -> list[tuple[str, list[Outcome]]]:
    """Lists the title of each metric of any table, and its outcome in every table."""
    metrics = dict.fromkeys(metric for table in tables for metric in table.metrics)
    return [(_title(tables[0], metric), [outcome(table, metric) for table in tables]) for metric in metrics]


def outcome_text(found: Outcome) -> Cell:
    """Describes an outcome by the letters of the groups."""
    letters = [letter(index) for index in found.groups]
    if found.kind == "win":
        return Cell(f"{letters[0]} wins", strong=True)
    if found.kind == "untested":
        return Cell(f"not tested (ahead: {letters[0]})")
    return Cell(f"tie of {' and '.join(letters)}" if letters else NO_VALUE)


def best_table(table: statistics.Table, names: Sequence[str]) -> Table:
    """Makes a table with one row per metric: the best two groups and their paired difference."""
    columns = [
        Column("metric", "metric"),
        Column("best", "best"),
        Column("mean", "mean", "number"),
        Column("next", "next"),
        Column("next_mean", "mean", "number"),
        *_PAIR_COLUMNS,
    ]
    rows = []
    for metric in table.metrics:
        best, spreads = best_two(table, metric), table.spreads(f"score/{metric}")
        if best is None:
            continue
        won = winner(best)
        first, second = ((names[index], _spread(spreads[index], index == won)) for index in (best.first, best.second))
        verdict = "clear winner" if won is not None else f"{NO_WINNER}: {best.verdict(letter)}"
        rows.append([_title(table, metric), *first, *second, *_pair(best), Cell(verdict, strong=won is not None)])
    return Table("best", "Best two groups by each metric, and their difference, paired by seed.", columns, rows)


def pairs_table(table: statistics.Table, names: Sequence[str]) -> Table:
    """Makes a table with one row per metric and pair of groups, those of `shown_pairs`."""
    pairings = shown_pairs(table)
    rows = [
        [
            _title(table, each.metric),
            names[each.first],
            names[each.second],
            *_pair(each),
            Cell(each.verdict(letter), strong=each.is_significant),
        ]
        for each in pairings
    ]
    tested = sum(each.difference.n > 1 for each in pairings)
    which = "Every pair of groups" if len(table.groups) <= FEW else "Each group and the best one"
    known = f"{tested} pairs have two seeds or more" if tested else "no pair has two seeds"
    columns = [Column("metric", "metric"), Column("first", "first"), Column("second", "second"), *_PAIR_COLUMNS]
    return Table("pairs", f"{which} by each metric: first minus second, paired by seed; {known}.", columns, rows)


def shown_pairs(table: statistics.Table) -> list[Pairing]:
    """Pairs each group with each other one, or, if there are over `FEW` groups, with the best one."""
    return every_pair(table) if len(table.groups) <= FEW else best_with_others(table)


def runs_table(comparison: Comparison, names: Sequence[str]) -> Table:
    """Makes a table with one row per run, finished or not."""
    columns = [
        Column("run", "run"),
        Column("group", "group"),
        Column("seed", "seed", "whole"),
        Column("status", "status"),
        Column("images_seen", "images seen", "whole"),
        Column("minutes", "minutes", "number"),
        *(Column(metric, _title(comparison.end, metric), "number") for metric in comparison.end.metrics),
    ]
    members = [(name, run) for name, group in zip(names, comparison.groups, strict=True) for run in group.runs]
    rows = [
        [
            comparison.names[run.folder],
            name,
            run.seed,
            run.status,
            run.images_seen,
            run.seconds / 60,
            *(_value(run, metric) for metric in comparison.end.metrics),
        ]
        for name, run in [*members, *((NO_VALUE, run) for run in comparison.others)]
    ]
    return Table("runs", "All runs.", columns, rows, open=True)


def _pair(pairing: Pairing) -> list[Cell]:
    low, high = pairing.difference.interval
    like = max(abs(low), abs(high))
    ratio = "> 1,000" if pairing.ratio > 1000 else NO_VALUE if math.isnan(pairing.ratio) else f"{pairing.ratio:.2f}"
    return [
        _spread(pairing.difference),
        *(Cell(number(end, like), _finite(end)) for end in (low, high)),
        Cell(ratio, None if math.isnan(pairing.ratio) else min(pairing.ratio, 1e9)),
    ]


def _title(table: statistics.Table, metric: str) -> str:
    return metric + ARROWS.get(table.protocol(metric).better, "")


def _floors(protocol: Protocol) -> Cell:
    return Cell(floors_text(protocol), _finite(protocol.floor))


def _spread(values: Spread, strong: bool = False) -> Cell:
    return Cell(mean_and_std(values), _finite(values.mean), strong)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _value(run: Run, metric: str) -> Cell | None:
    entry = run.result["scores"].get(metric) if run.result else None
    if entry is None or entry["value"] is None:
        return None
    text = number(entry["value"])
    if entry.get("interval"):
        text += " [{}, {}]".format(*(number(end, entry["value"]) for end in entry["interval"]))
    return Cell(text, entry["value"])
