"""Output files of an analysis: ``report.html``, figures, tables and ``findings.json``."""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from fmcgan.analysis.effect import Difference, Effect
from fmcgan.analysis.findings import LEVEL, AdjustedEffect, Finding
from fmcgan.analysis.section import Picture, Section, Table
from fmcgan.app.errors import Failures, UserError
from fmcgan.app.escaping import spreadsheet_cell
from fmcgan.app.run_dir import write_atomically, write_json
from fmcgan.app.run_files import read_findings
from fmcgan.figure.quiz import Quiz
from fmcgan.figure.strip import strip
from fmcgan.metric.results import Results, preferred
from fmcgan.report.encoding import Encoded, encode, smaller
from fmcgan.report.html import in_order, render, short
from fmcgan.report.verdict import Clause, nearest_to_an_alarm, sentence, verdict

PAGE = "report.html"
LARGEST_PAGE = 6_000_000  # bytes of the page with all its pictures
FINDINGS = "findings.json"
SCORES = "scores"  # name of the section whose values are results of metrics
_OWN_FILE = re.compile(r"samples\.(png|svg)|[a-z0-9]\w*_[\w-]+\.(png|svg|pdf|gif|csv)", re.ASCII)
"""File names that an analysis may write and remove: ``SECTION_NAME.SUFFIX``, no paths."""


@dataclass(frozen=True)
class Report:
    """Results of an analysis.

    Args:
        subject: description of the samples, in one line.
        sections: by name, in the order of the page. The values of the section `SCORES` are
            `fmcgan.metric.results.Results`; some are shown at the top of the page.
        findings: on the page, the largest first.
        effects: all measured ones, the largest first.
        samples: grid of samples.
        provenance: source, command, date, versions and so on, by title.
        failed: errors of failed parts and figures, by name.
        facts: what was analysed, at the top of the page, by title.
        quiz: samples mixed with real images; ``None``: the grid of samples is shown instead.
        control: what the samples are if they are real images, such as ``real test images``; empty: generated.
        noun_of: plural of the name of a class, by its label.
    """

    title: str
    subject: str
    sections: Mapping[str, Section]
    findings: Sequence[Finding]
    effects: Sequence[AdjustedEffect]
    samples: Image.Image
    provenance: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    quiz: Quiz | None = None
    control: str = ""
    noun_of: Callable[[int], str] = "class {}".format

    @property
    def verdict(self) -> list[Clause]:
        """One sentence, by clauses."""
        return verdict(self.sections, self.effects, self.findings, self.noun_of, self.control)

    @property
    def sentence(self) -> str:
        """The verdict as text; empty without measured effects and alarms."""
        return sentence(self.verdict)


def write_analysis(folder: Path, report: Report, failures: Failures | None = None) -> Path:
    """Writes an analysis and returns the path of its page.

    Args:
        folder: for ``report.html`` (a single file), ``findings.json``, ``samples.png``, and
            ``<section>_<name>`` with ``.png`` or ``.gif``, of charts also ``.svg`` and ``.pdf``, for each picture and
            ``.csv`` for each table. It is created if missing; outdated figures and tables of an earlier analysis are
            removed.
        report: the results.
        failures: collects errors of pictures, which are left out; ``None``: errors are raised.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples, failures = encode(Picture("samples", report.samples, "", "")), failures or Failures(Exception)
    strips = _strips(report.findings, failures)
    report, pictures = _drawn(report, failures)
    named = {f"{section}_{name}": encoded for (section, name), encoded in pictures.items()} | {"samples": samples}
    files: dict[str, str | bytes] = {
        f"{stem}{suffix}": content for stem, encoded in named.items() for suffix, content in encoded.files.items()
    }
    for name, section in report.sections.items():
        files |= {f"{name}_{table.name}.csv": table_csv(table) for table in section.tables}
    outdated = _earlier_files(folder) - files.keys()
    for name, content in files.items():
        write_atomically(folder / name, content)
    write_json(folder / FINDINGS, findings_json(report) | {"files": sorted(files)})
    write_atomically(folder / PAGE, _fitted_page(report, pictures, samples, strips))
    for name in outdated:  # not to be mistaken for files of this analysis
        (folder / name).unlink(missing_ok=True)
    return folder / PAGE


def _drawn(report: Report, failures: Failures) -> tuple[Report, dict[tuple[str, str], Encoded]]:
    """Encodes the pictures; also returns the report with failed pictures listed and left out."""
    pictures: dict[tuple[str, str], Encoded] = {}
    for name, section in report.sections.items():
        for picture in section.pictures:
            with failures.catch(f"{name}, figure {picture.name}"):
                pictures[name, picture.name] = encode(picture, name)
    sections = {
        name: replace(section, pictures=[each for each in section.pictures if (name, each.name) in pictures])
        for name, section in report.sections.items()
    }
    return replace(report, sections=sections, failed=dict(failures.failed)), pictures


@dataclass(frozen=True)
class Strip:
    """A row of images of a finding, with a title that says what they are."""

    origin: str  # ``generated`` or ``real``
    title: str
    picture: Encoded | None  # ``None``: there are no such images


def _strips(findings: Sequence[Finding], failures: Failures) -> dict[str, list[Strip]]:
    """Draws the examples of each finding, by the key of its effect; those without examples are left out."""
    found: dict[str, list[Strip]] = {}
    for effect in (each.effect for each in findings):
        if effect.examples is None:
            continue
        with failures.catch(f"{effect.key}, examples"):
            shown = effect.examples()
            rows = ("generated", shown.generated_title, shown.generated), ("real", shown.real_title, shown.real)
            found[effect.key] = [
                Strip(origin, title, encode(Picture(origin, strip(images), "", "")) if len(images) else None)
                for origin, title, images in rows
            ]
    return found


def _earlier_files(folder: Path) -> set[str]:
    """Lists figures and tables of an earlier analysis by its ``findings.json``."""
    try:
        earlier = read_findings(folder / FINDINGS)
    except UserError:  # replaced below
        return set()
    names = earlier["files"] if earlier is not None else []
    return {name for name in names if _OWN_FILE.fullmatch(name) and (folder / name).is_file()}


def page(
    report: Report,
    pictures: Mapping[tuple[str, str], Encoded],
    samples: Encoded,
    strips: Mapping[str, Sequence[Strip]] | None = None,
) -> str:
    """Renders the page; pictures by the names of section and picture, strips by the key of an effect."""
    scores = report.sections[SCORES].values if SCORES in report.sections else {}
    quiz = report.quiz
    return render(
        "analysis.html.j2",
        report.sections,
        pictures,
        report.provenance,
        report=report,
        nearest=nearest_to_an_alarm(report.sections),
        samples=samples,
        quiz=quiz and [encode(Picture("quiz", each, "", "")) for each in (quiz.question, quiz.answers)],
        strips=strips or {},
        cards=cards(scores),
        scale=scale(report.findings),
        shown=sum(len(each.members) for each in report.findings),
        count=sum(each.holds for each in report.effects),
        level=LEVEL,
        alarms=[(name, alarm) for name, section in report.sections.items() for alarm in section.alarms],
    )


def _fitted_page(
    report: Report,
    pictures: Mapping[tuple[str, str], Encoded],
    samples: Encoded,
    strips: Mapping[str, Sequence[Strip]],
) -> str:
    """Renders the page with at most `LARGEST_PAGE` bytes, if its pictures allow it.

    The largest pictures are encoded with losses first. Then collapsed pictures are left to their files, the largest
    first and charts last, except those that a finding links to.
    """
    rendered, fitted = page(report, pictures, samples, strips), dict(pictures)
    excess = len(rendered.encode()) - LARGEST_PAGE
    if excess <= 0:
        return rendered

    def largest_first() -> list[tuple[str, str]]:
        return sorted(fitted, key=lambda key: (fitted[key].chart is None, fitted[key].page_bytes), reverse=True)

    for key in largest_first():
        if excess > 0:
            excess -= fitted[key].page_bytes
            fitted[key] = smaller(fitted[key])
            excess += fitted[key].page_bytes
    linked = {(each.section, each.effect.figure) for each in report.findings}
    split = {name: in_order(section.pictures) for name, section in report.sections.items()}
    collapsed = {(name, each.name) for name, (_, folded) in split.items() for each in folded}
    for key in largest_first():
        if excess > 0 and key in collapsed - linked:
            excess -= fitted.pop(key).page_bytes
    return page(report, fitted, samples, strips)


def findings_json(report: Report) -> dict[str, object]:
    """Converts all results to plain JSON types; values that are not finite become None."""
    content = {
        "title": report.title,
        "subject": report.subject,
        "verdict": report.sentence,
        "findings": [_finding(each) for each in report.findings],
        "effects": [_effect(each) for each in report.effects],
        "alarms": [
            {"section": name, "name": alarm.name, "statement": alarm.statement, "rule": alarm.rule}
            for name, section in report.sections.items()
            for alarm in section.alarms
        ],
        "failed": dict(report.failed),
        "values": {name: section.values for name, section in report.sections.items() if section.values},
        "provenance": dict(report.provenance),
    }
    return {key: plain(value) for key, value in content.items()}


def table_csv(table: Table) -> str:
    """Formats a table as CSV with all digits; unknown values are empty."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([spreadsheet_cell(column.name) for column in table.columns])
    writer.writerows([spreadsheet_cell(plain(value)) for value in row] for row in table.rows)
    return content.getvalue()


def _finding(finding: Finding) -> dict[str, object]:
    """Converts a finding: the fields of its largest effect, with the statement and the classes of all."""
    return _effect(finding.adjusted) | {
        "statement": finding.statement,
        "classes": list(finding.classes),
        "meaning": finding.effect.meaning,
        "effects": [each.effect.key for each in finding.members],
    }


def _effect(adjusted: AdjustedEffect) -> dict[str, object]:
    effect = adjusted.effect
    return {
        "key": effect.key,
        "section": adjusted.section,
        "statement": effect.statement,
        "classes": list(effect.classes),
        "difference": _difference(effect.difference),
        "floor": _difference(effect.floor),
        "beyond_floor": effect.beyond_floor,
        "adjusted_p": adjusted.adjusted_p,
        "holds": adjusted.holds,
        "figure": effect.figure,
    }


def _difference(difference: Difference) -> dict[str, float]:
    low, high = difference.interval
    return {"size": difference.size, "low": low, "high": high, "p_value": difference.p_value}


def plain(value: object) -> object:
    """Converts a value to plain JSON types; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Card:
    """A metric at the top of the page, with its 95 % interval and the value of real images; a share lies in 0..1."""

    plain: str
    title: str
    summary: str
    name: str
    value: float
    interval: tuple[float, ...]
    floor: float | None
    is_share: bool
    n: int | None  # samples

    @property
    def gap(self) -> str:
        """Difference from real images in words, which unlike a ratio hardly depends on n; empty without their value."""
        if self.floor is None:
            return ""
        gap = self.value - self.floor
        size = f"{100 * abs(gap):.1f} points" if self.is_share else short(abs(gap))
        return f"{size} {'above' if gap > 0 else 'below'} real images" if gap else "equal to real images"


def cards(results: Mapping[str, object]) -> list[Card]:
    """Makes a card for each title of the metrics that have a summary, by the preferred feature network.

    Args:
        results: as `fmcgan.metric.results.Results`; entries of other kinds are skipped.
    """
    known: Results = {name: each for name, each in results.items() if isinstance(each, dict) and "summary" in each}  # type: ignore[misc]
    return [
        Card(
            each.get("plain") or each["title"],
            each["title"],
            each["summary"],
            name,
            each["value"],
            tuple(map(float, each.get("interval") or ())),
            each.get("floor"),
            each["range"] == [0, 1],
            each.get("n"),
        )
        for name, each in preferred(known).items()
    ]


@dataclass(frozen=True)
class Bar:
    """An effect on the scale, in percent of its length, and in words for screen readers.

    ``low`` and ``high`` are the ends of the interval; ``floor`` is the upper end of the interval of the floor.
    """

    size: float
    low: float
    high: float
    floor: float
    words: str


@dataclass(frozen=True)
class Scale:
    """Common scale of the effects of all findings, from 0: bars by key of the effect, grid lines (size, percent)."""

    bars: Mapping[str, Bar]
    marks: Sequence[tuple[float, float]]


def scale(findings: Sequence[Finding]) -> Scale:
    """Scales absolute sizes, intervals and floors to a common length of at least 1, a large effect."""
    effects = [each.effect for finding in findings for each in finding.members]
    ends = [each.at_most for effect in effects for each in (effect.difference, effect.floor)]
    length = max([1.0, *(end for end in ends if math.isfinite(end))])
    step = next(step for step in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, math.inf) if length / step <= 6)
    marks = [] if math.isinf(step) else [round(step * count, 1) for count in range(1, int(length / step) + 1)]
    return Scale({each.key: _bar(each, length) for each in effects}, [(size, 100 * size / length) for size in marks])


def _bar(effect: Effect, length: float) -> Bar:
    difference, floor = effect.difference, effect.floor
    return Bar(
        size=100 * min(abs(difference.size) / length, 1),
        low=100 * min(difference.at_least / length, 1),
        high=100 * min(difference.at_most / length, 1),
        floor=100 * min(floor.at_most / length, 1),
        words=f"size {abs(difference.size):.2f} [{difference.at_least:.2f}, {difference.at_most:.2f}], "
        f"floor at most {floor.at_most:.2f}",
    )
