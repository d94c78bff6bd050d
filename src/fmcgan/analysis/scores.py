"""Metrics of the samples and of real images."""

from collections.abc import Mapping

from typing_extensions import override

from fmcgan.analysis.base import Analysis, NotApplicable, Subject
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.bars import ClassBars, class_bars_figure
from fmcgan.metric.base import Metric
from fmcgan.metric.baselines import REAL
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.results import BETTER, Result, Results

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
            f"{names}, measured on {n:,} samples as by fmcgan.evaluate, with the {subject.real.reference_split} split "
            "as reference. The value of real data is measured on as many real images outside the reference: a perfect "
            "generator would have about this value. The name of a metric holds its protocol: feature network, number "
            "of samples and split. Values of different protocols cannot be compared."
        )
        section = Section("Metrics", introduction, tables=[_table(results)], values=dict(results))
        by_class = {name: result for name, result in results.items() if result["by_class"] is not None}
        if by_class:
            picture = Picture(
                "scores_by_class",
                class_bars_figure([class_panel(name, result) for name, result in by_class.items()]),
                "Each metric by class: bars are samples, marks are real data. In a poor class, the bar is much worse "
                "than the mark.",
                f"Bars of {len(by_class)} metrics for each of the ten classes, with marks for real data.",
                vector=True,
            )
            section.pictures.append(picture)
            section.tables.append(_table_by_class(by_class))
        return section


def class_panel(name: str, result: Result) -> ClassBars:
    """Makes the panel of a metric that has values by class."""
    references = {} if result["floor_by_class"] is None else {REAL_DATA: result["floor_by_class"]}
    return ClassBars(f"{name} ({BETTER[result['better']]} is better)", result["by_class"] or (), references)


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


def _table_by_class(results: Results) -> Table:
    classes = [Column(name.replace("-", "_"), name, "number", 3) for name in CLASS_NAMES]
    rows: list[tuple[object, ...]] = []
    for name, result in results.items():
        rows.append((name, SAMPLES, *(result["by_class"] or ())))
        if result["floor_by_class"] is not None:
            rows.append((name, REAL_DATA, *result["floor_by_class"]))
    columns = (Column("metric", "metric"), Column("of", "of"), *classes)
    return Table("scores_by_class", "The metrics that have values by class.", columns, rows)
