"""The run folders of the study in, its table in ``docs/study.md`` out."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks.page import origin, replace_block
from fmcgan.app.errors import UserError
from fmcgan.app.escaping import markdown_code
from fmcgan.app.run_dir import write_atomically
from fmcgan.comparison.grouping import Group
from fmcgan.comparison.results import measure
from fmcgan.comparison.runs import Row, Run, find_runs, read_run
from fmcgan.comparison.statistics import UNKNOWN, Spread, Table, clear_winner, protocols
from fmcgan.comparison.tables import ARROWS, count_range, floors_text, mean_and_std, number
from fmcgan.report.html import NO_VALUE
from study import budget, kept
from study.arms import ARMS, BASE, GROUPS, folder_name, what_is_changed

SCORES = {
    "FD": "fd_classifier_10k_test",
    "FD by class": "class_fd_classifier_10k_test",
    "agreement": "label_agreement_classifier_10k",
    "precision": "precision_k3_classifier_10k_test",
    "recall": "recall_k3_classifier_10k_test",
    "density": "density_k5_classifier_10k_test",
    "coverage": "coverage_k5_classifier_10k_test",
}
"""Heading and name of each score; `docs/metrics.md` says what they see."""

HOW_TO_READ = """\
Scores are the mean ± standard deviation over seeds (n - 1 in the denominator) of the last weights, on 10,000 fresh
samples. ↓ lower is better, ↑ higher is better, → real: the nearer to real data the better. **Bold** is better and
*italic* worse than `{base}` by more than both standard deviations summed; what is neither cannot be told apart from it
by these seeds. Of three seeds each, one comparison in twelve is marked where nothing differs, so one mark alone says
little; and all are compared with the same runs of `{base}`, so false marks of one column come in bundles. An arm of
fewer than {enough} seeds, or with a run that did not come to its end, is not judged, and one whose seeds differ widely
is not marked however bad it is: look at its ±. Images/s are those of a run that has the quiet machine for itself,
measured so or, where one ingredient is changed, as a ratio to `{base}`; times {seconds} they are the images seen."""

ENOUGH = 3
"""Seeds that an arm needs to be judged."""

Runs = Mapping[str, Sequence[Run]]


def write(page: Path, folder: Path) -> str:
    """Puts each run's numbers into the JSON file beside the page, and the table of all that it holds into its block.

    Args:
        page: a Markdown file; made if it is not there.
        folder: of the study; a run that is kept and lies there no more keeps its place in the table.

    Returns:
        The block.

    Raises:
        UserError: a file cannot be read.
    """
    found = {arm: _runs(folder / folder_name(arm)) for arm in ARMS}
    new = [_entry(arm, run) for arm, runs in found.items() for run in runs if run.finished]
    entries = kept.joined(kept.read(budget.values_file(page)), new, ARMS)
    kept.write(budget.values_file(page), entries)
    shown = {arm: [kept.as_run(each) for each in entries if each["arm"] == arm] for arm in ARMS}
    failed = kept.failures(budget.values_file(page))
    known = kept.done([*entries, *failed])
    begun = {arm: [run for run in runs if (arm, run.seed) not in known] for arm, runs in found.items()}
    shown = {arm: runs for arm, runs in shown.items() if runs}
    speeds, records = budget.speeds(page), budget.records(page)
    machines = dict.fromkeys(origin(records[speeds[arm]["record"]]) for arm in shown if arm in speeds)
    broken = {arm for arm, runs in begun.items() if runs} | {each["arm"] for each in failed}
    how = HOW_TO_READ.format(base=BASE, seconds=budget.seconds(page), enough=ENOUGH)
    parts = [table(shown, speeds, broken), how, *left_out(shown, begun, failed), *trained(entries), *machines]
    block = "\n\n".join(part for part in parts if part)
    text = page.read_text(encoding="utf-8") if page.exists() else "# Study\n"
    write_atomically(page, replace_block(text, "arms", block))
    return block


def table(shown: Runs, speeds: budget.Speeds, broken: Collection[str] = ()) -> str:
    """A row an arm, group by group, and a last row for real data; empty without any finished run.

    Args:
        shown: finished runs by arm, none without any, in the order of the rows.
        speeds: what `study.speed` measured.
        broken: arms with runs that did not come to their end, which are not judged by the others; nor are arms of fewer
            than `ENOUGH` runs.
    """
    if not shown:
        return ""
    groups = [Group(arm, tuple(runs)) for arm, runs in shown.items()]
    measured = measure("end", groups, _at_end)
    columns = [_scores(groups, measured, heading, name, broken) for heading, name in SCORES.items()]
    seen = measured.spreads("images_seen")
    names = ["group", "arm", "what is changed", "seeds", "images seen", "images/s", "G parameters", "D parameters"]
    head = [*names, *(column[0] for column in columns)]
    lines = [head, [*["---"] * 3, *["---:"] * (len(head) - 3)]]
    for place, group in enumerate(groups):
        known = _arm(group, speeds, seen[place])
        lines.append([*known, *(column[1][place] for column in columns)])
    for line, above in reversed(list(zip(lines[3:], lines[2:-1], strict=True))):
        line[0] = "" if line[0] == above[0] else line[0]
    lines.append(["real data", *[""] * (len(names) - 1), *(column[2] for column in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def left_out(shown: Runs, begun: Runs, failed: Sequence[kept.Failure]) -> list[str]:
    """What the table does not show: arms without any run, and runs that did not come to their end.

    Args:
        shown: finished runs by arm, none without any.
        begun: of every arm, those that did not come to their end and did not fail.
        failed: those that failed.
    """
    tried = {each["arm"] for each in failed}
    missing = [markdown_code(arm) for arm, runs in begun.items() if not runs and arm not in shown and arm not in tried]
    broken = [f"{markdown_code(arm)} {_name(run)}" for arm, runs in begun.items() for run in runs]
    ended = [f"{markdown_code(each['arm'])} seed {each['seed']} ({each['why']})" for each in failed]
    said = {"Not run": missing, "Begun and not finished": broken, "Failed": ended}
    return [f"{what}: {', '.join(names)}." for what, names in said.items() if names]


def trained(entries: Sequence[kept.Entry]) -> list[str]:
    """How many of the runs were made when, on what and with which torch; one paragraph, none without any run."""
    groups: dict[tuple[str, str] | None, list[str]] = {}
    for each in entries:
        made = each.get("made")
        days = groups.setdefault((made["hardware"], made["torch"]) if made else None, [])
        days.append(made["date"][:10] if made else "")
    said = [
        f"{len(days)} on {kind[0]}, torch {kind[1]} ({' to '.join(dict.fromkeys([min(days), max(days)]))})"
        if kind
        else f"{len(days)} before this was written down"
        for kind, days in groups.items()
    ]
    return [f"Trainings: {'; '.join(said)}."] if said else []


def _runs(folder: Path) -> list[Run]:
    """The runs of an arm by seed, none if there is no folder or no run in it yet."""
    try:
        found = find_runs(folder)
    except UserError:
        return []
    return sorted((read_run(each) for each in found), key=lambda run: run.seed or 0)


def _name(run: Run) -> str:
    """Such as "seed 2", also of a run that failed before it wrote its configuration."""
    return run.folder.name.replace("_", " ")


def _arm(group: Group, speeds: budget.Speeds, seen: Spread) -> list[str]:
    """The cells in front of the scores."""
    arm, parameters = group.label, group.runs[0].result["parameters"]  # type: ignore[index]
    room = next(name for name, arms in GROUPS.items() if arm in arms)
    rate = number(speeds[arm]["images_per_second"]) if arm in speeds else NO_VALUE
    counts = [f"{parameters[player]:,}" for player in ("generator", "discriminator")]
    return [
        room,
        markdown_code(arm),
        what_is_changed(arm).replace("|", "\\|"),
        group.seed_list,
        count_range(seen),
        rate,
        *counts,
    ]


def _scores(
    groups: Sequence[Group], measured: Table, heading: str, name: str, broken: Collection[str]
) -> tuple[str, list[str], str]:
    """Heading, one cell an arm, and the cell for real data."""
    protocol = protocols(run for group in groups for run in group.runs).get(name, UNKNOWN)
    spreads = {group.label: each for group, each in zip(groups, measured.spreads(f"score/{name}"), strict=True)}
    cells = []
    for arm, each in spreads.items():
        text = mean_and_std(each)
        judged = BASE in spreads and arm != BASE and not {arm, BASE} & set(broken)
        if judged and min(each.n, spreads[BASE].n) >= ENOUGH and protocol.direction:
            winner = clear_winner([spreads[BASE], each], protocol.direction, protocol.floor)
            text = {None: text, 0: f"*{text}*", 1: f"**{text}**"}[winner]
        cells.append(text)
    return heading + ARROWS.get(protocol.better, ""), cells, floors_text(protocol)


def _entry(arm: str, run: Run) -> kept.Entry:
    return kept.entry(arm, run, (run.result or {})["scores"], SCORES.values())


def _at_end(run: Run) -> Row:
    """What the table shows of a run, by the keys of ``metrics.jsonl``."""
    result = run.result or {}
    values = {name: score["value"] for name, score in result["scores"].items()}
    scores = {f"score/{name}": math.nan if value is None else value for name, value in values.items()}
    return {"images_seen": result["images_seen"]} | scores
