"""The numbers that may be quoted: each score of the samples beside the same score of real images."""

from collections.abc import Mapping
from typing import Any

from fmcgan.analysis.base import Analysis, NotApplicable, Subject
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.bars import ClassBars, class_bars_figure
from fmcgan.metric.base import Metric
from fmcgan.metric.baselines import REAL
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.results import BETTER, Results

SAMPLES, REAL_DATA = "samples", "real data"
"""Whose values a row of the table by class holds."""


class Scores(Analysis):
    """Measures scores as `fmcgan.evaluate` does, on all samples and on real images.

    It has no effects: scores are of many units, and what lies behind them the other parts say. ``values`` holds the
    `Results`.
    """

    def __init__(self, metric: Mapping[str, Metric]) -> None:
        """Takes the scores.

        Args:
            metric: by the name that the configuration gives them.

        Raises:
            InvalidValueError: there are none.
        """
        if not metric:
            raise InvalidValueError("metric must hold at least one score, got none; choose from configs/metric")
        self.metric = metric

    def analyse(self, subject: Subject) -> Section:
        """Measures every score on all samples.

        Raises:
            NotApplicable: no score can be measured on so few samples.
        """
        n, names = len(subject.samples), ", ".join(self.metric)
        evaluator = Evaluator(self.metric, subject.real, n, (REAL,), subject.store)
        results = evaluator.measure(subject.samples)
        if not results:
            raise NotApplicable(f"none of {names} can be measured on these {n} samples; give more of each class")
        introduction = (
            f"{n:,} samples were scored by {names} as fmcgan.evaluate does it, against the "
            f"{subject.real.reference_split} split. Each number stands beside that of as many real images that "
            "the score does not compare with: about what a perfect generator would get. A name carries the protocol: "
            "the feature network, the number of samples and the split. Numbers of other names must not be compared."
        )
        section = Section("Scores", introduction, tables=[_scores(results)], values=dict(results))
        told_by_class = {name: result for name, result in results.items() if result["by_class"] is not None}
        if told_by_class:
            section.pictures.append(_bars(told_by_class))
            section.tables.append(_by_class(told_by_class))
        return section


def _scores(results: Results) -> Table:
    sure = any(result["interval"] for result in results.values())  # without resamples nothing has an interval
    ends = (Column("low", "95 % from", "number", 4), Column("high", "to", "number", 4)) if sure else ()
    columns = (
        Column("score", "score"),
        Column("value", SAMPLES, "number", 4),
        *ends,
        Column("real", REAL_DATA, "number", 4),
        Column("better", "better"),
    )
    rows = []
    for name, result in results.items():
        interval = result["interval"] or (None,) * len(ends)
        rows.append((name, result["value"], *interval, result["floor"], BETTER[result["better"]]))
    known = "its 95 % interval by resampling them, " if sure else ""
    caption = f"Every score of the samples, {known}and what real images get."
    return Table("scores", caption, columns, rows, open=True)


def _by_class(results: Results) -> Table:
    """Two rows a score: that of the samples, and that of real images if it was measured."""
    classes = [Column(name.replace("-", "_"), name, "number", 3) for name in CLASS_NAMES]
    rows: list[tuple[Any, ...]] = []
    for name, result in results.items():
        rows.append((name, SAMPLES, *result["by_class"]))
        if result["floor_by_class"] is not None:
            rows.append((name, REAL_DATA, *result["floor_by_class"]))
    caption = "The scores that tell classes apart, class by class."
    return Table("scores_by_class", caption, (Column("score", "score"), Column("of", "of"), *classes), rows)


def _bars(results: Results) -> Picture:
    panels = [
        ClassBars(
            f"{name} ({BETTER[result['better']]} is better)",
            result["by_class"],
            {} if result["floor_by_class"] is None else {REAL_DATA: result["floor_by_class"]},
        )
        for name, result in results.items()
    ]
    return Picture(
        "scores_by_class",
        class_bars_figure(panels),
        "Each score class by class: bars are the samples, marks are real images. A class whose bar ends far from its "
        "mark, on the side that is not better, is one to look at.",
        f"Bars of {len(panels)} scores for each of the ten classes, with marks where real images stand.",
        vector=True,
    )
