"""Writes the tables of a study, a short one in ``docs/study.md`` and all of it beside it, from its run folders."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks.page import joined, origin, replace_block
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import markdown_code
from fmcgan.app.run_dir import write_atomically
from fmcgan.comparison.grouping import Group
from fmcgan.comparison.results import measure
from fmcgan.comparison.runs import Row, Run, find_runs, read_run
from fmcgan.comparison.statistics import Protocol, Spread, ranking
from fmcgan.comparison.statistics import Table as Measured
from fmcgan.comparison.tables import ARROWS, count_range, floors_text, mean_and_std, number
from fmcgan.report.html import NO_VALUE
from study import budget, paired, results_store
from study.arms import BASE, TABLES, Table, arm_description, folder_name

SUMMARY = ("FD", "agreement", "recall", "coverage")  # scores of the short table, where a table has them

SCORES_ARE = """\
Scores are mean ± standard deviation over seeds (n - 1 in the denominator), of the last weights, on 10,000 new samples.
↓ lower is better, ↑ higher is better, → real: closer to real data is better. **Bold** is better and *italic* is worse
than {base} by more than the sum of both standard deviations. These seeds cannot distinguish the other values from
those of {base}.

With three seeds each and no true difference, one comparison in twelve is still marked, so a single mark means little.
All arms are compared with the same runs of {base}, so false marks occur together in a column. An arm with fewer than
{enough} seeds, or with a failed or unfinished run, gets no marks. An arm whose seeds differ widely may get none either,
however bad it is: look at its ±."""

SPEED_IS = """\
Images/s is the speed of a run that has the idle machine to itself. It is measured directly or, for an arm that changes
one ingredient, as a ratio to `study/base`. {seconds} seconds at this speed are the budget, the images seen."""

ENOUGH = 3  # seeds that an arm needs to be compared with the base

Runs = Mapping[str, Sequence[Run]]


def write(page: Path, folder: Path, shown: Table = TABLES["ingredients"], speed_page: Path | None = None) -> str:
    """Stores the results of all runs in the JSON file beside the page and writes the tables of all stored runs.

    The page gets a short table. `details_page`, beside it, gets the table with all columns and the measurements of
    speed. Stored runs stay in the tables when their folders are deleted.

    Args:
        page: a Markdown file with the block ``arms``; made if it does not exist.
        folder: of the runs.
        shown: the table.
        speed_page: beside which the measurements of speed are stored; ``None``: the same page.

    Returns:
        The block of the page.
    """
    arms, speed_page = shown.arms, speed_page or page
    found = {arm: _runs(folder / folder_name(arm)) for arm in arms}
    new = [
        results_store.new_entry(arm, run, (run.result or {})["scores"], shown.scores.values())
        for arm, runs in found.items()
        for run in runs
        if run.finished
    ]
    entries = results_store.merge_entries(results_store.read(budget.values_file(page)), new, arms)
    results_store.write(budget.values_file(page), entries)
    stored = {arm: [results_store.as_run(each) for each in entries if each["arm"] == arm] for arm in arms}
    failed = results_store.failures(budget.values_file(page))
    known = results_store.done([*entries, *failed])
    begun = {arm: [run for run in runs if (arm, run.seed) not in known] for arm, runs in found.items()}
    stored = {arm: runs for arm, runs in stored.items() if runs}
    speeds, records = budget.speeds_of(shown, speed_page), budget.records(speed_page)
    machines = dict.fromkeys(origin(records[speeds[arm]["record"]]) for arm in stored if arm in speeds)
    broken = {arm for arm, runs in begun.items() if runs} | {each["arm"] for each in failed}
    base = "the first arm of the group" if shown.by_group else markdown_code(BASE)
    marks = SCORES_ARE.format(base=base, enough=ENOUGH)
    speed = SPEED_IS.format(seconds=shown.seconds or budget.seconds(speed_page))
    differences = paired.blocks(entries, shown) if shown.paired else []
    of_classes = paired.class_blocks(entries, shown) if shown.paired else []
    short = [summary(stored, broken, shown), marks, *differences, *omitted_runs(stored, begun, failed)]
    _replace(
        details_page(page), [table(stored, speeds, broken, shown), *of_classes, speed, *trained(entries), *machines]
    )
    return _replace(page, short)


def details_page(page: Path) -> Path:
    """Returns the page with all columns, beside a page of the study."""
    return page.with_name(f"{page.stem}_details.md")


def _replace(page: Path, parts: Sequence[str]) -> str:
    """Writes parts into the block ``arms`` of a page; returns the block."""
    block = "\n\n".join(part for part in parts if part)
    text = page.read_text(encoding="utf-8") if page.exists() else "# Study\n"
    write_atomically(page, replace_block(text, "arms", block))
    return block


def summary(shown: Runs, broken: Collection[str] = (), of: Table = TABLES["ingredients"]) -> str:
    """Builds the short table: the arms and their scores of `SUMMARY`; arguments as for `table`."""
    if not shown:
        return ""
    groups, measured = _measured(shown)
    columns = [
        _scores(measured, heading, of.scores[heading], broken, of) for heading in SUMMARY if heading in of.scores
    ]
    head = ["group", "arm", "what is changed", *(column[0] for column in columns)]
    lines = [head, [*["---"] * 3, *["---:"] * len(columns)]]
    for index, group in enumerate(groups):
        known = [of.group(group.label), markdown_code(group.label), _change(group.label)]
        lines.append([*known, *(column[1][index] for column in columns)])
    return _joined([*lines, ["real data", "", "", *(column[2] for column in columns)]])


def table(shown: Runs, speeds: budget.Speeds, broken: Collection[str] = (), of: Table = TABLES["ingredients"]) -> str:
    """Builds the table: one line per arm, by group, then real data; empty if no run has finished.

    Args:
        shown: finished runs by arm, in the order of the lines.
        speeds: measured by `study.speed`.
        broken: arms with failed or unfinished runs. They get no marks; nor do arms with fewer than `ENOUGH` runs.
        of: the table of the study.
    """
    if not shown:
        return ""
    groups, measured = _measured(shown)
    columns = [_scores(measured, heading, name, broken, of) for heading, name in of.scores.items()]
    seen = measured.spreads("images_seen")
    names = ["group", "arm", "what is changed", "seeds", "images seen", "images/s", "G parameters", "D parameters"]
    head = [*names, *(column[0] for column in columns)]
    lines = [head, [*["---"] * 3, *["---:"] * (len(head) - 3)]]
    for index, group in enumerate(groups):
        known = [of.group(group.label), *_arm(group, speeds, seen[index])]
        lines.append([*known, *(column[1][index] for column in columns)])
    return _joined([*lines, ["real data", *[""] * (len(names) - 1), *(column[2] for column in columns)]])


def _measured(shown: Runs) -> tuple[list[Group], Measured]:
    groups = [Group(arm, tuple(runs)) for arm, runs in shown.items()]
    return groups, measure("end", groups, at_end)


def _joined(lines: Sequence[list[str]]) -> str:
    """Joins head, rule and lines to a table that names each group once."""
    for line, above in reversed(list(zip(lines[3:], lines[2:-1], strict=True))):
        line[0] = "" if line[0] == above[0] else line[0]
    return joined(lines)


def omitted_runs(shown: Runs, begun: Runs, failed: Sequence[results_store.Failure]) -> list[str]:
    """Lists what the table omits: arms without runs, unfinished runs (``begun``, by arm) and failed runs."""
    arms = {each["arm"] for each in failed}
    missing = [markdown_code(arm) for arm, runs in begun.items() if not runs and arm not in shown and arm not in arms]
    seeds = ((arm, run.folder.name.replace("_", " ")) for arm, runs in begun.items() for run in runs)
    broken = [f"{markdown_code(arm)} {seed}" for arm, seed in seeds]
    ended = [f"{markdown_code(each['arm'])} seed {each['seed']} ({each['why']})" for each in failed]
    lists = {"Not run": missing, "Unfinished": broken, "Failed": ended}
    return [f"{what}: {', '.join(names)}." for what, names in lists.items() if names]


def trained(entries: Sequence[results_store.Entry]) -> list[str]:
    """Counts the runs by hardware and torch version, with their dates: one paragraph, none without runs."""
    groups: dict[tuple[str, str] | None, list[str]] = {}
    for each in entries:
        made = each.get("made")
        days = groups.setdefault((made["hardware"], made["torch"]) if made else None, [])
        days.append(made["date"][:10] if made else "")
    counts = [
        f"{len(days)} on {kind[0]}, torch {kind[1]} ({' to '.join(dict.fromkeys([min(days), max(days)]))})"
        if kind
        else f"{len(days)} without a record of date and hardware"
        for kind, days in groups.items()
    ]
    return [f"Trainings: {'; '.join(counts)}."] if counts else []


def _runs(folder: Path) -> list[Run]:
    """Reads the runs of an arm, sorted by seed; none if the folder or its runs are missing."""
    try:
        found = find_runs(folder)
    except UserError:
        return []
    return sorted((read_run(each) for each in found), key=lambda run: run.seed or 0)


def _arm(group: Group, speeds: budget.Speeds, seen: Spread) -> list[str]:
    """Returns the cells between the group and the scores."""
    arm, parameters = group.label, group.runs[0].result["parameters"]  # type: ignore[index]
    rate = number(speeds[arm]["images_per_second"]) if arm in speeds else NO_VALUE
    counts = [f"{parameters[network]:,}" for network in ("generator", "discriminator")]
    return [markdown_code(arm), _change(arm), group.seed_list, count_range(seen), rate, *counts]


def _change(arm: str) -> str:
    return arm_description(arm).replace("|", "\\|")


def _scores(
    measured: Measured, heading: str, name: str, broken: Collection[str], of: Table
) -> tuple[str, list[str], str]:
    """Returns the heading, one cell per arm, and the cell for real data."""
    protocol = measured.protocol(name)
    labels = [group.label for group in measured.groups]
    spreads = dict(zip(labels, measured.spreads(f"score/{name}"), strict=True))
    cells = []
    for arm, each in spreads.items():
        text, base = mean_and_std(each), of.base(arm)
        compared = base in spreads and arm != base and not {arm, base} & set(broken)
        if compared and min(each.n, spreads[base].n) >= ENOUGH:
            winner = clear_winner([spreads[base], each], protocol)
            text = {None: text, 0: f"*{text}*", 1: f"**{text}**"}[winner]
        cells.append(text)
    return heading + ARROWS.get(protocol.better, ""), cells, floors_text(protocol)


def clear_winner(spreads: Sequence[Spread], protocol: Protocol) -> int | None:
    """Returns the index of the group whose mean leads by more than the sum of both standard deviations.

    None if no group leads by that much, or if one of the best two has a single run or a missing value.
    """
    ranked = ranking(spreads, protocol)
    if len(ranked) < 2:
        return None
    first, second = spreads[ranked[0]], spreads[ranked[1]]
    if not all(each.n == each.of >= 2 for each in (first, second)):
        return None
    lead = abs(protocol.compared(first.mean) - protocol.compared(second.mean))
    return ranked[0] if lead > first.std + second.std else None


def at_end(run: Run) -> Row:
    """Returns the values that the table shows of a run, by the keys of ``metrics.jsonl``."""
    result = run.result or {}
    values = {name: score["value"] for name, score in result["scores"].items()}
    scores = {f"score/{name}": math.nan if value is None else value for name, value in values.items()}
    return {"images_seen": result["images_seen"]} | scores
