"""The page ``comparison.html``: what ``comparison.md`` says, to be looked through, and which recipe wins on what."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from fmcgan.analysis.section import Alarm, Picture, Section
from fmcgan.app import run_dir
from fmcgan.comparison import measurement
from fmcgan.comparison.markdown import number
from fmcgan.comparison.runs import Comparison
from fmcgan.comparison.standing import standings
from fmcgan.comparison.tables import (
    intervals_table,
    measured_table,
    pairs_table,
    runs_table,
    standings_table,
    winners_table,
)
from fmcgan.report.encoding import Encoded, encode
from fmcgan.report.html import render

PAGE = "comparison.html"

_TITLES = ("At the end", "At equal images", "At equal time")

_CURVES = {
    "scores.png": "Each score over the images seen, and over the minutes trained.",
    run_dir.LOSS_FIGURE: "Losses. Those of different formulas cannot be compared with each other.",
    run_dir.GRADIENT_NORM_FIGURE: "Gradient norms before any clipping.",
}
_SAMPLES = "samples.png"

WIDEST = 1090
"""Pixels of CSS that the page has for a picture."""


def comparison_page(comparison: Comparison, folder: Path, figures: Sequence[str]) -> str:
    """Makes the page.

    Args:
        comparison: the numbers.
        folder: where the figures lie.
        figures: names of the PNGs.
    """
    sections = _sections(comparison, {name: folder / name for name in figures})
    pictures = {(name, each.name): _encode(each) for name, section in sections.items() for each in section.pictures}
    return render(
        "comparison.html.j2",
        sections,
        pictures,
        _provenance(comparison),
        title=f"Comparison of {_count(len(comparison.finished), 'run')} in {_count(len(comparison.groups), 'group')}",
        groups=comparison.groups,
        winners=winners_table(comparison) if len(comparison.groups) > 1 else None,
        alarms=_alarms(comparison),
    )


def _sections(comparison: Comparison, figures: Mapping[str, Path]) -> dict[str, Section]:
    sections = {
        table.name: _budget(comparison, title, text, table)
        for title, text, table in zip(_TITLES, _explanations(comparison), comparison.tables, strict=True)
    }
    pictures = [_picture(figures[name], caption) for name, caption in _CURVES.items() if name in figures]
    sections["curves"] = Section(
        "Curves",
        "Means over the seeds of a group; the light area reaches from the lowest to the highest seed, over the range "
        "that all its seeds cover. Losses and gradient norms of long runs are smoothed by a running mean first.",
        pictures=pictures,
    )
    if _SAMPLES in figures:
        caption = "The last grid of the first seed of each group: one class a row, one latent vector a column."
        sections["samples"] = Section(
            "Samples", "The same latent vectors in every grid.", pictures=[_picture(figures[_SAMPLES], caption)]
        )
    sections["runs"] = Section(
        "Runs",
        "One run a row, with the 95 % interval of a score over its samples where it was measured. A run that did not "
        "finish is in no other table.",
        tables=[runs_table(comparison)],
    )
    return sections


def _budget(comparison: Comparison, title: str, text: str, table: measurement.Table) -> Section:
    tables = [measured_table(comparison, table)]
    if table.scores:
        tables.append(intervals_table(comparison, table))
    if len(comparison.groups) > 1 and table.scores:
        tables += [standings_table(comparison, standings(comparison, table)), pairs_table(comparison, table)]
    return Section(title, text, tables=tables)


def _explanations(comparison: Comparison) -> tuple[str, str, str]:
    read = (
        " Numbers are means ± standard deviations over the seeds of a group; ↓ lower is better, ↑ higher is better, "
        "→ real: the nearer to real data the better."
    )
    return (
        "Each run where its configuration ended it; scores of fresh samples." + read,
        f"Budget: {comparison.images:,} images, what the shortest run saw. Each run at its last evaluation up to there "
        "(at most 5 % above)." + read,
        f"Budget: {number(comparison.seconds / 60)} minutes of training, what the quickest run took. Each run at its "
        "last evaluation up to there (at most 5 % above)." + read,
    )


def _picture(path: Path, caption: str) -> Picture:
    with Image.open(path) as image:
        image.load()
    return Picture(path.stem, image, caption, caption)


def _encode(picture: Picture) -> Encoded:
    """Encodes a picture; grids beside each other are shown at half their size, which blurs no garment.

    In the file each of its pixels is two wide and two high, so that now one is one.
    """
    encoded = encode(picture)
    beside = picture.name == Path(_SAMPLES).stem and encoded.width > WIDEST
    return replace(encoded, width=encoded.width // 2, height=encoded.height // 2) if beside else encoded


def _alarms(comparison: Comparison) -> list[Alarm]:
    alarms = []
    for group in comparison.groups:
        twice = sorted(str(seed) for seed, times in Counter(group.seeds).items() if times > 1)
        if twice:
            statement = f"{group.label} holds seed {', '.join(twice)} more than once: its ± is not one over seeds."
            alarms.append(Alarm("repeated seeds", statement, "a seed counts once in a pair, with the mean of its runs"))
    hardware = sorted({run.result["hardware"] for run in comparison.finished if run.result})
    if len(hardware) > 1:
        statement = f"The runs were made on {' and on '.join(hardware)}: their minutes cannot be compared."
        alarms.append(Alarm("unequal hardware", statement, "one kind of hardware for all runs"))
    if comparison.others:
        names = ", ".join(comparison.names[run.folder] for run in comparison.others)
        alarms.append(Alarm("failed or unfinished runs", f"Left out: {names}.", "only finished runs are compared"))
    return alarms


def _provenance(comparison: Comparison) -> dict[str, str]:
    results = [run.result for run in comparison.finished if run.result]
    about: dict[str, Callable[[Mapping[str, object]], object]] = {
        "hardware": lambda result: result["hardware"],
        "commands": lambda result: result["command"],
    }
    found = {
        what: "; ".join(f"{text} ({_count(times, 'run')})" for text, times in Counter(map(each, results)).items())
        for what, each in about.items()
    }
    protocols = (
        f"{name} from {' or '.join(f'{n:,}' for n in protocol.n)} images"
        for name, protocol in comparison.protocols.items()
    )
    return (
        {"runs": ", ".join(comparison.names[run.folder] for run in comparison.finished)}
        | found
        | {"scores": "; ".join(protocols)}
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
