"""The page ``comparison.html``: samples, who wins by each metric, sortable tables and all figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from PIL import Image

from fmcgan.analysis.section import Alarm, Picture, Section, Table
from fmcgan.app import run_dir
from fmcgan.comparison import tables as section_tables
from fmcgan.comparison.grouping import Group, letter, short_names
from fmcgan.comparison.markdown_page import CURVES_NOTE, explanations, losses_caption, plural
from fmcgan.comparison.results import Comparison
from fmcgan.comparison.statistics import Outcome
from fmcgan.comparison.tables import TITLES
from fmcgan.figure.palette import SERIES
from fmcgan.report.encoding import Encoded, encode
from fmcgan.report.html import Cell, render

SCORES_FIGURE = "scores.png"
_CURVES = {
    SCORES_FIGURE: "Each metric over the images seen and over the minutes trained.",
    run_dir.LOSS_FIGURE: "Losses.",
    run_dir.GRADIENT_NORM_FIGURE: "Gradient norms before any clipping.",
}


class Samples(NamedTuple):
    """The sample grid of each group, ``None`` if it has none, and one of real images."""

    by_group: Sequence[Image.Image | None]
    real: Image.Image | None


@dataclass(frozen=True)
class ShownGroup:
    """A group at the head of the page: its letter, its colour in all figures, and its samples."""

    letter: str
    label: str
    runs: str  # how many, and their seeds
    colour: str  # a custom property of CSS
    ink: str  # of text on the colour
    samples: Encoded | None


class Share(NamedTuple):
    """A part of a strip: the metrics with one outcome."""

    kind: str  # of an `Outcome`
    group: ShownGroup | None  # that wins
    metrics: int
    text: str


def comparison_page(comparison: Comparison, figures: Mapping[str, Figure], samples: Samples) -> str:
    """Makes the page, with the curves by the names of their files."""
    names = short_names(comparison.groups)
    sections = _sections(comparison, figures, names)
    pictures = {
        (name, each.name): encode(each, name) for name, section in sections.items() for each in section.pictures
    }
    groups = _groups(comparison.groups, samples)
    outcomes = section_tables.outcomes_by_metric(comparison.tables) if len(names) > 1 else []
    return render(
        "comparison.html.j2",
        sections,
        pictures,
        _provenance(comparison),
        title=f"Comparison of {plural(len(comparison.finished), 'run')} in {plural(len(names), 'group')}",
        groups=groups,
        real=_encoded(samples.real),
        outcomes=outcomes,
        strips={
            title: _strip([row[place] for _, row in outcomes], groups) for place, title in enumerate(TITLES.values())
        },
        alarms=_alarms(comparison),
    )


def _groups(groups: Sequence[Group], samples: Samples) -> list[ShownGroup]:
    shown = []
    for index, (group, grid) in enumerate(zip(groups, samples.by_group, strict=True)):
        runs, number = plural(len(group.runs), "run"), index % len(SERIES) + 1
        colour, ink = f"var(--chart-series-{number})", f"var(--chart-on-series-{number})"
        seeds = f"{'seed' if len(group.runs) == 1 else 'seeds'} {group.seed_names}"
        shown.append(ShownGroup(letter(index), group.label, f"{runs}, {seeds}", colour, ink, _encoded(grid)))
    return shown


def _strip(outcomes: Sequence[Outcome], groups: Sequence[ShownGroup]) -> list[Share]:
    """Counts the metrics that each group wins, that tie, and of which nothing is known."""
    wins = Counter(each.groups[0] for each in outcomes if each.kind == "win")
    parts = [
        Share("win", group, wins[index], f"{group.letter} wins {wins[index]}")
        for index, group in enumerate(groups)
        if wins[index]
    ]
    kinds = Counter(each.kind for each in outcomes)
    others = {"tie": plural(kinds["tie"], "tie"), "untested": f"{kinds['untested']} not tested"}
    others["unknown"] = f"{kinds['unknown']} without values"
    return parts + [Share(kind, None, kinds[kind], text) for kind, text in others.items() if kinds[kind]]


def _sections(comparison: Comparison, figures: Mapping[str, Figure], names: Sequence[str]) -> dict[str, Section]:
    sections = {search.title.lower().replace(" ", "_"): search for search in comparison.searches}
    for text, table in zip(explanations(comparison), comparison.tables, strict=True):
        makers = [section_tables.values_table]
        if table.metrics:
            makers.append(section_tables.intervals_table)
        if table.metrics and len(names) > 1:
            makers += [section_tables.best_table, section_tables.pairs_table]
        made = [_coloured(make(table, names), names) for make in makers]
        sections[table.name] = Section(TITLES[table.name], text, tables=made)
    captions = _CURVES | {run_dir.LOSS_FIGURE: losses_caption(comparison.groups)}
    pictures = [
        Picture(Path(name).stem, figures[name], caption, caption, lead=True)
        for name, caption in captions.items()
        if name in figures
    ]
    sections["curves"] = Section("Curves", CURVES_NOTE, pictures=pictures)
    sections["runs"] = Section(
        "Runs",
        "One run per row. Brackets: 95 % interval of a metric over its samples, if measured. Unfinished runs are in "
        "no other table.",
        tables=[_coloured(section_tables.runs_table(comparison, names), names)],
    )
    return sections


def _coloured(table: Table, names: Sequence[str]) -> Table:
    """Marks the names of groups with their colours."""
    colours = {name: f"var(--chart-series-{index % len(SERIES) + 1})" for index, name in enumerate(names)}
    rows = [
        [Cell(value, colour=colours[value]) if isinstance(value, str) and value in colours else value for value in row]
        for row in table.rows
    ]
    return replace(table, rows=rows)


def _encoded(grid: Image.Image | None) -> Encoded | None:
    return None if grid is None else encode(Picture("samples", grid, "", ""))


def _alarms(comparison: Comparison) -> list[Alarm]:
    alarms = [
        Alarm(
            "repeated seeds",
            f"{group.label} has seed {', '.join(seeds)} more than once: its ± is not a standard deviation over seeds.",
            "each seed of a group occurs once; in pairs, a repeated seed counts once with the mean of its runs",
        )
        for group in comparison.groups
        if (seeds := group.repeated_seeds)
    ]
    hardware = sorted(comparison.counts("hardware"))
    if len(hardware) > 1:
        statement = f"The runs used {' and '.join(hardware)}: their minutes cannot be compared."
        alarms.append(Alarm("different hardware", statement, "all runs have the same hardware"))
    if left_out := [run for run in comparison.others if not run.pruned]:
        names = ", ".join(comparison.names[run.folder] for run in left_out)
        alarms.append(Alarm("failed or unfinished runs", f"Left out: {names}.", "only finished runs are compared"))
    return alarms


def _provenance(comparison: Comparison) -> dict[str, str]:
    found = {
        title: "; ".join(f"{text} ({plural(times, 'run')})" for text, times in comparison.counts(key).items())
        for title, key in (("hardware", "hardware"), ("commands", "command"))
    }
    protocols = (
        f"{name} on {' or '.join(f'{n:,}' for n in protocol.n)} images"
        for name, protocol in comparison.end.protocols.items()
    )
    runs = ", ".join(comparison.names[run.folder] for run in comparison.finished)
    return {"runs": runs} | found | {"metrics": "; ".join(protocols)}
