"""The page ``comparison.html``: the best group by each metric, sortable tables and all figures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from fmcgan.analysis.section import Alarm, Picture, Section
from fmcgan.app import run_dir
from fmcgan.comparison import tables as section_tables
from fmcgan.comparison.grouping import short_names
from fmcgan.comparison.markdown_page import CURVES_NOTE, explanations, plural
from fmcgan.comparison.results import Comparison
from fmcgan.comparison.tables import TITLES
from fmcgan.report.encoding import Encoded, encode
from fmcgan.report.html import render

SCORES_FIGURE = "scores.png"
SAMPLES_FIGURE = "samples.png"
_CURVES = {
    SCORES_FIGURE: "Each metric over the images seen and over the minutes trained.",
    run_dir.LOSS_FIGURE: "Losses. Different loss functions cannot be compared.",
    run_dir.GRADIENT_NORM_FIGURE: "Gradient norms before any clipping.",
}
_HOW_TO_READ = (
    " Numbers are means ± standard deviations over the seeds of a group; ↓ lower is better, ↑ higher is better, "
    "→ real: nearer to real data is better."
)
WIDEST = 1090  # largest width of a picture on the page, in CSS pixels


def comparison_page(comparison: Comparison, folder: Path, figures: Sequence[str]) -> str:
    """Makes the page, with the figures (names of PNGs) of a folder."""
    names = short_names(comparison.groups)
    sections = _sections(comparison, {name: folder / name for name in figures}, names)
    pictures = {(name, each.name): _encode(each) for name, section in sections.items() for each in section.pictures}
    return render(
        "comparison.html.j2",
        sections,
        pictures,
        _provenance(comparison),
        title=f"Comparison of {plural(len(comparison.finished), 'run')} in {plural(len(names), 'group')}",
        groups=comparison.groups,
        winners=section_tables.winners_table(comparison.tables, names) if len(names) > 1 else None,
        alarms=_alarms(comparison),
    )


def _sections(comparison: Comparison, figures: Mapping[str, Path], names: Sequence[str]) -> dict[str, Section]:
    sections = {search.title.lower().replace(" ", "_"): search for search in comparison.searches}
    for text, table in zip(explanations(comparison), comparison.tables, strict=True):
        makers = [section_tables.values_table]
        if table.metrics:
            makers.append(section_tables.intervals_table)
        if table.metrics and len(names) > 1:
            makers += [section_tables.best_table, section_tables.pairs_table]
        made = [make(table, names) for make in makers]
        sections[table.name] = Section(TITLES[table.name], text + _HOW_TO_READ, tables=made)
    pictures = [_picture(figures[name], caption) for name, caption in _CURVES.items() if name in figures]
    sections["curves"] = Section("Curves", CURVES_NOTE, pictures=pictures)
    if SAMPLES_FIGURE in figures:
        caption = "The last grid of the first seed of each group: one class per row, one latent vector per column."
        grids = [_picture(figures[SAMPLES_FIGURE], caption)]
        sections["samples"] = Section("Samples", "The same latent vectors in every grid.", pictures=grids)
    sections["runs"] = Section(
        "Runs",
        "One run per row. Brackets: 95 % interval of a metric over its samples, if measured. Unfinished runs are in "
        "no other table.",
        tables=[section_tables.runs_table(comparison, names)],
    )
    return sections


def _picture(path: Path, caption: str) -> Picture:
    with Image.open(path) as image:
        image.load()
    return Picture(path.stem, image, caption, caption)


def _encode(picture: Picture) -> Encoded:
    """Encodes a picture; wide grids are shown at half size, one CSS pixel per pixel of a sample."""
    encoded = encode(picture)
    is_wide_grid = picture.name == Path(SAMPLES_FIGURE).stem and encoded.width > WIDEST
    return replace(encoded, width=encoded.width // 2, height=encoded.height // 2) if is_wide_grid else encoded


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
