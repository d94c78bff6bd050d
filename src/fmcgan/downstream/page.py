"""Output files of the measurement: ``report.html``, ``usefulness.json``, figures and tables."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.run_dir import write_atomically, write_json
from fmcgan.data.info import DatasetInfo
from fmcgan.downstream.arms import NOTHING, ONLY_GENERATED, Arm
from fmcgan.downstream.crossed import Estimate
from fmcgan.downstream.protocol import Protocol, RealSize
from fmcgan.downstream.results import ArmResult, Comparison, Results
from fmcgan.figure.heatmap import heatmap_figure
from fmcgan.figure.intervals import IntervalLine, IntervalPanel, intervals_figure
from fmcgan.report.analysis_page import PAGE, table_csv
from fmcgan.report.encoding import encode
from fmcgan.report.html import Cell, render

RESULT = "usefulness.json"
_MOST_CLASSES = 20  # beside each other in a figure; of more, the table has all
_POINTS = "difference in percentage points"
_UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Page:
    """What is written.

    Args:
        subject: the source of the generated images and the data set, in one line.
        protocol: of the measurement.
        training: of the classifiers, in words.
        info: of the data set.
        results: all values.
        findings: in words.
        caveat: what the generator saw; empty for none.
        skipped: reasons, by what was not measured.
        provenance: command, versions and so on, by title.
    """

    subject: str
    protocol: Protocol
    training: str
    info: DatasetInfo
    results: Results
    findings: Sequence[str]
    caveat: str
    skipped: Mapping[str, str]
    provenance: Mapping[str, str]


def write_page(folder: Path, page: Page) -> list[str]:
    """Writes all files into a folder that exists; returns their names, the page first."""
    sections = _sections(page)
    pictures = {
        (name, picture.name): encode(picture, name)
        for name, section in sections.items()
        for picture in section.pictures
    }
    files: dict[str, str | bytes] = {
        f"{section}_{name}{suffix}": content
        for (section, name), encoded in pictures.items()
        for suffix, content in encoded.files.items()
    }
    for name, section in sections.items():
        files |= {f"{name}_{table.name}.csv": table_csv(_without_cells(table)) for table in section.tables}
    write_json(folder / RESULT, as_json(page))
    for name, content in files.items():
        write_atomically(folder / name, content)
    html = render("usefulness.html.j2", sections, pictures, page.provenance, page=page)
    write_atomically(folder / PAGE, html)
    return [PAGE, RESULT, *files]


def as_json(page: Page) -> dict[str, object]:
    """Converts everything measured to plain JSON types; values that are not finite become None."""
    names = page.info.class_names
    return {
        "subject": page.subject,
        "findings": list(page.findings),
        "caveat": page.caveat,
        "protocol": {key: _plain(value) for key, value in dataclasses.asdict(page.protocol).items()},
        "training": page.training,
        "n_test": page.results.n_test,
        "arms": [
            {
                **_place(each.size, each.arm),
                "accuracy": _interval(each.accuracy),
                "calibration_error": _interval(each.calibration_error),
                "accuracy_by_class": dict(zip(names, each.by_class, strict=True)),
                "equal_real_images": _finite(page.results.equal_size(each)),
            }
            for each in page.results.arms
        ],
        "comparisons": [
            {
                **_place(each.size, each.arm),
                "against": each.against.name,
                "verdict": each.verdict,
                "accuracy": _interval(each.accuracy),
                "calibration_error": _interval(each.calibration_error),
                "accuracy_of_rare_classes": _interval(each.rare),
                "accuracy_by_class": dict(zip(names, map(_interval, each.by_class), strict=True)),
            }
            for each in page.results.comparisons
        ],
        "skipped": dict(page.skipped),
        "provenance": dict(page.provenance),
    }


def _place(size: RealSize, arm: Arm) -> dict[str, object]:
    return {"n": size.n, "long_tail": size.long_tail, "arm": arm.name}


def _interval(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else estimate._asdict()


def _finite(value: float | None) -> float | None:
    return value if value is not None and 0 < value < math.inf else None


def _plain(value: object) -> object:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _sections(page: Page) -> dict[str, Section]:
    results = page.results
    even = [size for size in results.sizes if size.long_tail is None]
    tails = [size for size in results.sizes if size.long_tail is not None]
    sections = {}
    if even:
        sections["help"] = _help(results, even)
        sections["accuracy"] = _accuracy(results, even)
    if tails:
        sections["long_tail"] = _long_tail(results, tails, page.info)
    sections["classes"] = _classes(results, page.info)
    sections["protocol"] = _protocol(page)
    return sections


def _help(results: Results, sizes: Sequence[RealSize]) -> Section:
    """The help curve: what each arm changes, by n."""
    arms = [arm for arm in _arms(results, sizes) if arm != NOTHING]
    panels = [
        IntervalPanel(title, f"accuracy: {_POINTS}", lines, zero=True)
        for title, chosen in (
            ("Beside the n real images, minus nothing added", [arm for arm in arms if arm.keeps_real]),
            ("In place of the n real images, minus nothing added", [ONLY_GENERATED] if ONLY_GENERATED in arms else []),
        )
        if (lines := [_difference_line(results, sizes, arm) for arm in chosen])
    ]
    caption = (
        "Accuracy on the real test images minus that with nothing added, with 95 % intervals. Filled: the interval "
        "leaves out 0. Hollow: nothing can be said."
    )
    pictures = [_picture("curve", panels, results, sizes, caption)] if panels else []
    introduction = (
        "Each arm is compared with nothing added, and generated images also with the cheaper way: classical "
        "augmentation. Both classifiers of a difference have the same real images, seed and number of optimizer steps, "
        "and read the same test images. "
        f"{_by_chance(results)}"
    )
    tables = [_comparison_table(results, sizes)]
    return Section("Where it helps", introduction, pictures=pictures, tables=tables)


def _by_chance(results: Results) -> str:
    total = len(results.comparisons)
    return (
        f"The {total} intervals on this page are not corrected for their number: without any true difference, about "
        f"{max(1, round(0.05 * total))} would leave out 0 by chance."
    )


def _accuracy(results: Results, sizes: Sequence[RealSize]) -> Section:
    def line(arm: Arm, value: str) -> IntervalLine:
        estimates = [getattr(results.arm(size, arm), value) if _has(results, size, arm) else None for size in sizes]
        return _line(arm.title, estimates)

    arms = _arms(results, sizes)
    panels = [
        IntervalPanel("Accuracy ↑", "percent of the test images", [line(arm, "accuracy") for arm in arms]),
        IntervalPanel("Calibration error ↓", "ECE, percent", [line(arm, "calibration_error") for arm in arms]),
    ]
    caption = "Values with 95 % intervals over seeds and test images. Use the differences above to compare two arms."
    introduction = (
        "Accuracy on the real test images, and the expected calibration error (ECE): by how much the probability that "
        "a classifier states differs from how often it is right. The last column of the table says how many real "
        "images, with nothing added, give the same accuracy."
    )
    pictures = [_picture("values", panels, results, sizes, caption)]
    return Section("Accuracy and calibration", introduction, pictures=pictures, tables=[_value_table(results, sizes)])


def _long_tail(results: Results, sizes: Sequence[RealSize], info: DatasetInfo) -> Section:
    ratio = sizes[0].long_tail
    introduction = (
        f"The first class has {ratio:g} times the real images of the last; the sizes between fall geometrically, in "
        "the order of the labels. Topped up: generated images make every class as large as the largest one. Repeated: "
        "the real images of the rare classes are shown as often. The test images are those of the data set: all "
        "classes count as they do there."
    )
    pictures = []
    if info.num_classes <= _MOST_CLASSES:
        panels = [
            IntervalPanel(
                f"{size.title}, minus nothing added",
                _POINTS,
                [_line(each.arm.title, each.by_class, signed=True) for each in results.against(NOTHING, size)],
                zero=True,
                joined=False,
            )
            for size in sizes
        ]
        arms = [arm.title for arm in _arms(results, sizes)]
        caption = "Accuracy by class, the rarest on the right, minus that with nothing added; 95 % intervals."
        figure = intervals_figure(panels, info.class_names, "class", order=arms)
        pictures = [Picture("classes", figure, caption, caption)]
    tables = [_comparison_table(results, sizes), _value_table(results, sizes)]
    return Section("Long-tailed training sets", introduction, pictures=pictures, tables=tables)


def _classes(results: Results, info: DatasetInfo) -> Section:
    compared = [each for each in results.against(NOTHING) if each.size.long_tail is None]
    introduction = (
        "Differences of the accuracy of each class to nothing added. There are many, so single ones leave out 0 by "
        "chance: look for rows and columns of one colour."
    )
    pictures = []
    if compared and info.num_classes <= _MOST_CLASSES:
        estimates = [[each or _UNKNOWN for each in row.by_class] for row in compared]
        figure = heatmap_figure(
            100 * np.array([[each.mean for each in row] for row in estimates]),
            [f"{row.size.title}, {row.arm.title}" for row in compared],
            info.class_names,
            formats="+.0f",
            title="Accuracy by class, minus nothing added",
            label=_POINTS,
            faint=[[each.sign == 0 for each in row] for row in estimates],
        )
        caption = "Vermilion: the arm helps the class. Blue: it hurts. Pale: the interval holds 0, nothing can be said."
        pictures = [Picture("differences", figure, caption, caption)]
    columns = [
        *(Column("set", "real images"), Column("arm", "arm"), Column("against", "compared with")),
        *(Column("class", "class"), *interval_columns("difference", "difference", "percent", 1)),
    ]
    rows = [
        (each.size.title, each.arm.title, each.against.title, name, *(estimate or (None, None, None)))
        for each in results.comparisons
        for name, estimate in zip(info.class_names, each.by_class, strict=True)
    ]
    table = Table("differences", "Differences of accuracy by class", columns, rows)
    return Section("By class", introduction, pictures=pictures, tables=[table])


def _protocol(page: Page) -> Section:
    protocol, results = page.protocol, page.results
    augmentation = f"shifted at random{', and mirrored' if page.info.flips else ' (mirrored ones are not plausible)'}"
    introduction = (
        f"Every classifier is trained with {protocol.steps:,} optimizer steps of {protocol.batch_size} images, "
        f"whatever the arm and n ({page.training}). Its last state is used: no image chooses anything, and the "
        f"{results.n_test:,} test images are read once. The m generated images have the class proportions of the n "
        f"real ones. Augmented images are {augmentation}. Each of {results.n_seeds} seeds chooses other real images, "
        "generated images, initial weights and orders; a smaller set is part of a larger one. Intervals are 95 %, by "
        "Student's t over seeds and test images, both taken as random and crossed (Hillis 2007)."
    )
    columns = [Column("what", "not measured"), Column("reason", "reason")]
    skipped = [Table("skipped", "Not measured", columns, list(page.skipped.items()), open=True)] if page.skipped else []
    return Section("Protocol", introduction, tables=skipped)


def _arms(results: Results, sizes: Sequence[RealSize]) -> list[Arm]:
    return list(dict.fromkeys(each.arm for each in results.arms if each.size in sizes))


def _has(results: Results, size: RealSize, arm: Arm) -> bool:
    return any((each.size, each.arm) == (size, arm) for each in results.arms)


def _difference_line(results: Results, sizes: Sequence[RealSize], arm: Arm) -> IntervalLine:
    found = {each.size: each.accuracy for each in results.against(NOTHING) if each.arm == arm}
    return _line(arm.title, [found.get(size) for size in sizes], signed=True)


def _line(label: str, estimates: Sequence[Estimate | None], signed: bool = False) -> IntervalLine:
    """Makes a line of percentages; of signed ones, those whose interval holds 0 are hollow."""
    known = [each or _UNKNOWN for each in estimates]
    means, lows, highs = (100 * np.array(each) for each in zip(*known, strict=True))
    return IntervalLine(label, means, lows, highs, [each.sign != 0 or not signed for each in known])


def _picture(
    name: str, panels: Sequence[IntervalPanel], results: Results, sizes: Sequence[RealSize], caption: str
) -> Picture:
    arms = [arm.title for arm in _arms(results, sizes)]
    figure = intervals_figure(panels, [f"{size.n:,}" for size in sizes], "n, real images", order=arms)
    return Picture(name, figure, caption, caption, lead=True)


def _comparison_table(results: Results, sizes: Sequence[RealSize]) -> Table:
    columns = [
        *(Column("set", "real images"), Column("arm", "arm"), Column("against", "compared with")),
        Column("verdict", "verdict"),
        *interval_columns("accuracy", "accuracy", "percent", 1),
        *interval_columns("calibration_error", "ECE", "percent", 1),
    ]
    rows = [_comparison_row(each) for each in results.comparisons if each.size in sizes]
    caption = (
        "Differences in percentage points: of accuracy (above 0: better) and of the calibration error (below 0: better)"
    )
    return Table("comparisons", caption, columns, rows, open=True)


def _comparison_row(each: Comparison) -> tuple[object, ...]:
    verdict = Cell(each.verdict, strong=each.accuracy.sign != 0)
    return each.size.title, each.arm.title, each.against.title, verdict, *each.accuracy, *each.calibration_error


def _value_table(results: Results, sizes: Sequence[RealSize]) -> Table:
    columns = [
        *(Column("set", "real images"), Column("arm", "arm")),
        *interval_columns("accuracy", "accuracy", "percent", 1),
        *interval_columns("calibration_error", "ECE", "percent", 1),
        Column("equal_real_images", "as good as n real images", "whole"),
    ]
    rows = [
        (each.size.title, each.arm.title, *each.accuracy, *each.calibration_error, _equal(results, each))
        for each in results.arms
        if each.size in sizes
    ]
    return Table("values", "Accuracy and calibration of every arm", columns, rows)


def _equal(results: Results, each: ArmResult) -> object:
    """Formats the number of real images that give the same accuracy."""
    found = results.equal_size(each)
    measured = [size.n for size in results.sizes if size.long_tail is None]
    if found == 0:
        return Cell(f"< {min(measured):,}", 0.0)
    return Cell(f"> {max(measured):,}", float(max(measured)) + 1) if found == math.inf else found


def _without_cells(table: Table) -> Table:
    """Replaces formatted values by their texts, for a CSV."""
    rows = [[value.text if isinstance(value, Cell) else value for value in row] for row in table.rows]
    return dataclasses.replace(table, rows=rows)
