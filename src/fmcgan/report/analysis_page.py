"""Output files of an analysis: ``report.html``, figures, tables and ``findings.json``."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from fmcgan.analysis.effect import Difference
from fmcgan.analysis.findings import LEVEL, AdjustedEffect
from fmcgan.analysis.section import Picture, Section, Table
from fmcgan.app.errors import Failures, UserError
from fmcgan.app.escaping import spreadsheet_cell
from fmcgan.app.run_dir import write_atomically, write_json
from fmcgan.app.run_files import read_findings
from fmcgan.report.encoding import Encoded, encode
from fmcgan.report.headline import cards, scale
from fmcgan.report.html import render

PAGE = "report.html"
FINDINGS = "findings.json"
SCORES = "scores"
"""Name of the section whose values are results of metrics."""
_OWN_FILE = re.compile(r"samples\.(png|svg)|[a-z0-9]\w*_[\w-]+\.(png|svg|gif|csv)", re.ASCII)
"""File names that an analysis may write and remove: ``SECTION_NAME.SUFFIX``, no paths."""


@dataclass(frozen=True)
class Report:
    """Results of an analysis.

    Args:
        subject: description of the samples, in one line.
        sections: by name, in the order of the page. The values of the section `SCORES` are
            `fmcgan.metric.results.Results`; some are shown at the top of the page.
        findings: on the page, the largest first.
        effects: all measured ones.
        provenance: source, command, date, versions and so on, by title.
        failed: errors of failed parts and figures, by name.
    """

    title: str
    subject: str
    sections: Mapping[str, Section]
    findings: Sequence[AdjustedEffect]
    effects: Sequence[AdjustedEffect]
    samples: Image.Image
    provenance: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)


def write_analysis(folder: Path, report: Report, failures: Failures | None = None) -> Path:
    """Writes an analysis and returns the path of its page.

    Args:
        folder: for ``report.html`` (a single file), ``findings.json``, ``samples.png``, and
            ``<section>_<name>`` with ``.png``, ``.svg`` or ``.gif`` for each picture and ``.csv`` for each table. It is
            created if missing; outdated figures and tables of an earlier analysis are removed.
        report: the results.
        failures: collects errors of pictures, which are left out; ``None``: errors are raised.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = encode(Picture("samples", report.samples, "", ""))
    report, pictures = _drawn(report, failures or Failures(Exception))
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
    write_atomically(folder / PAGE, page(report, pictures, samples))
    for name in outdated:  # not to be mistaken for files of this analysis
        (folder / name).unlink(missing_ok=True)
    return folder / PAGE


def _drawn(report: Report, failures: Failures) -> tuple[Report, dict[tuple[str, str], Encoded]]:
    """Encodes the pictures; also returns the report with failed pictures listed and left out."""
    pictures: dict[tuple[str, str], Encoded] = {}
    for name, section in report.sections.items():
        for picture in section.pictures:
            with failures.catch(f"{name}, figure {picture.name}"):
                pictures[name, picture.name] = encode(picture)
    sections = {
        name: replace(section, pictures=[each for each in section.pictures if (name, each.name) in pictures])
        for name, section in report.sections.items()
    }
    return replace(report, sections=sections, failed=dict(failures.failed)), pictures


def _earlier_files(folder: Path) -> set[str]:
    """Lists figures and tables of an earlier analysis by its ``findings.json``."""
    try:
        earlier = read_findings(folder / FINDINGS)
    except UserError:  # replaced below
        return set()
    names = earlier["files"] if earlier is not None else []
    return {name for name in names if _OWN_FILE.fullmatch(name) and (folder / name).is_file()}


def page(report: Report, pictures: Mapping[tuple[str, str], Encoded], samples: Encoded) -> str:
    """Renders the page; pictures by the names of section and picture."""
    scores = report.sections[SCORES].values if SCORES in report.sections else {}
    return render(
        "analysis.html.j2",
        report.sections,
        pictures,
        report.provenance,
        report=report,
        samples=samples,
        cards=cards(scores),
        scale=scale(report.findings),
        count=sum(each.holds for each in report.effects),
        level=LEVEL,
        alarms=[(name, alarm) for name, section in report.sections.items() for alarm in section.alarms],
    )


def findings_json(report: Report) -> dict[str, object]:
    """Converts all results to plain JSON types; values that are not finite become None."""
    content = {
        "title": report.title,
        "subject": report.subject,
        "findings": [_effect(each) for each in report.findings],
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
    return {key: _plain(value) for key, value in content.items()}


def table_csv(table: Table) -> str:
    """Formats a table as CSV with all digits; unknown values are empty."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([spreadsheet_cell(column.name) for column in table.columns])
    writer.writerows([spreadsheet_cell(_plain(value)) for value in row] for row in table.rows)
    return content.getvalue()


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


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
