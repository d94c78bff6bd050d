"""Output files of a probe: ``report.html``, ``probe.json``, figures and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fmcgan.analysis.effect import share_text
from fmcgan.analysis.findings import AdjustedEffect, Finding, adjust_effects, select_findings
from fmcgan.app.run_dir import write_atomically, write_json
from fmcgan.metric.value import wilson_interval
from fmcgan.probing.information import SMALL
from fmcgan.probing.measurement import Measured
from fmcgan.report.analysis_page import PAGE, plain, table_csv
from fmcgan.report.encoding import encode
from fmcgan.report.html import render
from fmcgan.report.verdict import Clause

RESULT = "probe.json"


@dataclass(frozen=True)
class Page:
    """What is written.

    Args:
        measured: the results.
        source: of the generated images, in words.
        most: number of findings, at most.
        provenance: command, versions and so on, by title.
    """

    measured: Measured
    source: str
    most: int
    provenance: Mapping[str, str]

    @property
    def model(self) -> str:
        """Name of the classifier."""
        return self.measured.subject.model.name

    @property
    def about(self) -> str:
        """What was read, in one line."""
        subject = self.measured.subject
        return (
            f"{self.model}, on {len(subject.generated.labels):,} images of {self.source} and "
            f"{len(subject.real.labels):,} real test images of {subject.info.name}"
        )

    @cached_property
    def effects(self) -> list[AdjustedEffect]:
        """All effects with corrected p-values, the largest first."""
        return adjust_effects([effect for section in self.measured.sections.values() for effect in section.effects])

    @cached_property
    def findings(self) -> list[Finding]:
        """Those to show, the largest first."""
        return select_findings(self.effects, self.most)

    @property
    def small(self) -> float:
        """The effect size that a difference to the judge must exceed."""
        return SMALL.size

    @property
    def verdict(self) -> list[Clause]:
        """One sentence: accuracy, whether the verdict follows the label, and the largest finding."""
        values = {name: section.values for name, section in self.measured.sections.items()}
        real, generated = (
            share_text(int(each.hits.sum()), len(each.labels))
            for each in (self.measured.subject.real, self.measured.subject.generated)
        )
        judged = (values["accuracy"][f"judge_accuracy_on_{side}"] for side in ("real", "generated"))
        of_judge, judge_generated = (f"{100 * float(str(each)):.0f} %" for each in judged)
        clauses = [
            Clause(
                f"it reads {real} of the real test images right (the judge {of_judge}) and {generated} of the "
                f"generated ones (the judge {judge_generated})",
                "accuracy",
            )
        ]
        if "same_latent" in values:
            share = float(str(values["same_latent"]["label_share"]))
            leading, other = ("label", "style") if share >= 0.5 else ("style", "label")
            percent = f"{100 * max(share, 1 - share):.0f} %"
            clauses.append(
                Clause(
                    f"its verdict follows the {leading} rather than the {other} ({percent} of its information)",
                    "same_latent",
                )
            )
        if not self.findings:
            return [*clauses, Clause("no finding: it differs from the judge by no more than good classifiers do")]
        largest = self.findings[0]
        claim = largest.statement.partition(":")[0].rstrip(".")
        return [*clauses, Clause(f"largest finding: {claim[0].lower()}{claim[1:]}", largest.section)]

    @property
    def caveat(self) -> str:
        """Says that the images may not be what the classifier expects; empty if it is about as good as the judge."""
        subject = self.measured.subject
        hits, n = int(subject.real.hits.sum()), len(subject.real.labels)
        middle = (1 / subject.info.num_classes + float(subject.real.judge_hits.mean())) / 2
        if wilson_interval(hits, n)[1] >= middle:
            return ""
        return (
            f"The classifier reads only {share_text(hits, n)} of the real test images right. If that surprises you, "
            "the images may not be what it expects, or its classes may be in another order: check input.range, "
            "input.mean, input.std, input.layout and class_order."
        )


def write_page(folder: Path, page: Page) -> list[str]:
    """Writes all files into a folder that exists; returns their names, the page first."""
    sections = page.measured.sections
    pictures = {
        (name, picture.name): encode(picture) for name, section in sections.items() for picture in section.pictures
    }
    files: dict[str, str | bytes] = {
        f"{section}_{name}{suffix}": content
        for (section, name), encoded in pictures.items()
        for suffix, content in encoded.files.items()
    }
    for name, section in sections.items():
        files |= {f"{name}_{table.name}.csv": table_csv(table) for table in section.tables}
    write_json(folder / RESULT, as_json(page))
    for name, content in files.items():
        write_atomically(folder / name, content)
    write_atomically(folder / PAGE, render("probe.html.j2", sections, pictures, page.provenance, page=page))
    return [PAGE, RESULT, *files]


def as_json(page: Page) -> dict[str, object]:
    """Converts everything measured to plain JSON types."""
    measured = page.measured
    return {
        "model": page.model,
        "subject": page.about,
        "verdict": [clause.text for clause in page.verdict],
        "caveat": page.caveat,
        "findings": [
            {"statement": each.statement, "keys": [member.effect.key for member in each.members]}
            for each in page.findings
        ],
        "effects": [_effect(each) for each in page.effects],
        "values": {name: plain(section.values) for name, section in measured.sections.items()},
        "skipped": measured.skipped,
        "seconds": measured.seconds,
        "provenance": dict(page.provenance),
    }


def _effect(adjusted: AdjustedEffect) -> dict[str, object]:
    effect = adjusted.effect
    return {
        "key": effect.key,
        "statement": effect.statement,
        "size": effect.difference.size,
        "interval": plain(effect.difference.interval),
        "adjusted_p": adjusted.adjusted_p,
        "floor": plain(effect.floor.at_most),
        "is_finding": adjusted.is_finding,
    }
