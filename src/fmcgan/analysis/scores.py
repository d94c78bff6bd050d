"""Metrics of the samples and of real images."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import most_telling, short_names
from fmcgan.figure.dots import ClassDots, class_dots_figure
from fmcgan.figure.heatmap import DIVERGING, heatmap_figure
from fmcgan.metric.base import Metric
from fmcgan.metric.baselines import REAL
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.results import BETTER, Result, Results, preferred, sort_key

SAMPLES, REAL_DATA = "samples", "real data"  # rows of a metric in the table by class


class Scores(Analysis):
    """Measures metrics as `fmcgan.evaluate` does, on all samples and on real images.

    ``metric`` holds at least one metric, by its name in the configuration. There are no effects, because metrics have
    different units. The values of the section are the `Results`.
    """

    def __init__(self, metric: Mapping[str, Metric]) -> None:
        if not metric:
            raise InvalidValueError("metric must hold at least one metric, got none; choose from configs/metric")
        self.metric = metric

    @override
    def analyse(self, subject: Subject) -> Section:
        n, names = len(subject.samples), ", ".join(self.metric)
        results = Evaluator(self.metric, subject.real, n, (REAL,), subject.store).measure(subject.samples)
        if not results:
            raise NotApplicable(f"none of {names} can be measured on {n} samples; give more of each class")
        introduction = (
            f"Measured: {names}, on {n:,} samples as by fmcgan.evaluate, with the {subject.real.reference_split} split "
            "as reference. The value of real data is measured on as many real images outside the reference, or on all "
            "if there are fewer: a perfect generator would have about this value. The name of a metric tells its "
            "protocol: feature network, number of samples and split. Values of different protocols cannot be compared."
        )
        section = Section("Scores", introduction, tables=[_table(results)], values=dict(results))
        by_class = {name: result for name, result in results.items() if result["by_class"] is not None}
        if by_class:
            class_names = subject.info.class_names
            section.pictures += _gaps(results, subject.info)
            section.pictures.append(
                Picture(
                    "scores_by_class",
                    class_dots_figure([class_panel(*each, names=class_names) for each in by_class.items()]),
                    "Each metric by class: dots are samples, marks are real data. In a poor class, the dot is far on "
                    "the worse side of the mark. The axes need not begin at 0.",
                    f"Dots of {len(by_class)} metrics for each class, with marks for real data.",
                )
            )
            section.tables.append(_table_by_class(by_class, subject.info))
        return section


def _gaps(results: Results, info: DatasetInfo) -> list[Picture]:
    """Draws the differences from real images by class, of the shares that the head of a report shows; none without."""
    shares = {
        name: each
        for name, each in preferred(results).items()
        if each["range"] == [0, 1] and each["by_class"] is not None and each["floor_by_class"] is not None
    }
    gaps = {name: _differences(each["by_class"] or (), each["floor_by_class"] or ()) for name, each in shares.items()}
    known = {label for each in gaps.values() for label in info.labels if np.isfinite(each[label])}
    if not known:
        return []
    lowest = {label: -np.nanmin([each[label] for each in gaps.values()]) for label in known}
    shown, note = most_telling(lowest, "that are the farthest below real images")
    points = 100 * np.array([[each[label] for each in gaps.values()] for label in shown])
    figure = heatmap_figure(
        points,
        short_names([info.class_names[label] for label in shown]),
        [each["plain"] or each["title"] for each in shares.values()],
        formats="+.0f",
        title="Samples minus real images, by class",
        label="percentage points",
        colours=DIVERGING.reversed(),  # vermilion: fewer than real
    )
    n = next(iter(shares.values()))["n"]
    caption = (
        f"Each share minus that of as many real images (n = {n:,}), in percentage "
        "points: vermilion cells are worse than real images, blue ones better. "
        + "; ".join(
            f"{each['plain'] or each['title']}: {each['title'].lower()}, {name}" for name, each in shares.items()
        )
        + f". {note}"
    ).rstrip()
    return [Picture("by_class", figure, caption, "Coloured table of classes and metrics.", lead=True)]


def _differences(values: Sequence[float | None], floors: Sequence[float | None]) -> NDArray[np.float64]:
    """Subtracts; nan where a value is unknown."""
    return np.subtract(*(np.array(each, dtype=np.float64) for each in (values, floors)))


def class_panel(name: str, result: Result, *, names: Sequence[str]) -> ClassDots:
    """Makes the panel of a metric that has values by class; of many classes, it has those with the worst values."""
    values, floors = result["by_class"] or (), result["floor_by_class"]
    shown, note = worst_classes(result)
    references = {} if floors is None else {REAL_DATA: [floors[label] for label in shown]}
    title = " ".join(filter(None, [f"{name} ({BETTER[result['better']]} is better)", note]))
    return ClassDots(title, [values[label] for label in shown], references, names=[names[label] for label in shown])


def worst_classes(result: Result) -> tuple[list[int], str]:
    """Selects the classes of a metric that has values by class; see `most_telling`."""
    values = result["by_class"] or ()
    floors = result["floor_by_class"] or [None] * len(values)
    sizes = {
        label: math.nan if value is None else sort_key({**result, "value": value, "floor": floor})
        for label, (value, floor) in enumerate(zip(values, floors, strict=True))
    }
    return most_telling(sizes, "with the worst values")


def _table(results: Results) -> Table:
    value, *ends = interval_columns("value", SAMPLES, digits=4, ends="")
    if not any(result["interval"] for result in results.values()):
        ends = []
    columns = (
        Column("metric", "metric"),
        value,
        *ends,
        Column("real", REAL_DATA, "number", 4),
        Column("better", "better"),
    )
    rows = [
        (name, each["value"], *(each["interval"] or (None,) * len(ends)), each["floor"], BETTER[each["better"]])
        for name, each in results.items()
    ]
    interval = ", with its bootstrap interval over the samples," if ends else ""
    caption = f"Every metric of the samples{interval} and of real data."
    return Table("scores", caption, columns, rows, open=True)


def _table_by_class(results: Results, info: DatasetInfo) -> Table:
    """Makes a table with one column per class; of many classes, it has the worst ones of the first metric."""
    first, result = next(iter(results.items()))
    shown, note = worst_classes(result)
    classes = [Column(info.column(label), info.class_names[label], "number", 3) for label in shown]
    rows: list[tuple[object, ...]] = []
    for name, result in results.items():
        for origin, values in ((SAMPLES, result["by_class"]), (REAL_DATA, result["floor_by_class"])):
            if values is not None:
                rows.append((name, origin, *(values[label] for label in shown)))
    columns = (Column("metric", "metric"), Column("of", "of"), *classes)
    caption = "The metrics that have values by class."
    return Table("scores_by_class", f"{caption} {first}: {note}" if note else caption, columns, rows)
