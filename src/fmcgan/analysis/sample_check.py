"""Checks of the samples: labels, near duplicates, exact repeats and empty images."""

from typing_extensions import override

from fmcgan.analysis.alarms.samples import LEAST, MOST, ClassCheck, alarms_of, check_classes, near_miss
from fmcgan.analysis.base import Analysis, NotApplicable, Subject, class_key, common_classes
from fmcgan.analysis.section import Column, Section, Table
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import some_classes
from fmcgan.metric.feature.classifier import ClassifierFeatures

_COLUMNS = (
    Column("class", "class"),
    Column("samples", "samples", "whole"),
    Column("agreement", "classified as conditioned", "percent", 1),
    Column("real_agreement", "of real test images", "percent", 1),
    Column("nearly_identical_pairs", "nearly identical pairs", "percent"),
    Column("real_nearly_identical_pairs", "of real training images", "percent"),
    Column("repeats", "exact repeats", "whole"),
    Column("empty", "empty", "whole"),
)


class SampleCheck(Analysis):
    """Checks samples of any origin with a classifier and raises alarms."""

    def __init__(self, features: ClassifierFeatures) -> None:
        self.features = features

    @override
    def analyse(self, subject: Subject) -> Section:
        samples, info = subject.samples, subject.info
        if int(samples.labels.bincount().max()) < LEAST:
            raise NotApplicable(f"no class has {LEAST} samples, the minimum for comparing pairs; give more samples")
        checks = check_classes(samples, subject.real, self.features)
        table = Table("classes", "Counts by class.", _COLUMNS, [_row(info, each) for each in checks])
        introduction = (
            f"Four checks of {len(samples):,} samples: whether the classifier predicts the conditioned class, whether "
            f"samples of a class differ (all pairs of at most {MOST}), whether some are equal in every pixel, and "
            "whether some are empty. After an alarm, all other parts are doubtful; no alarm does not mean that samples "
            "are good."
        )
        missing, note = some_classes(sorted({*info.labels} - {*common_classes(samples)}))
        if missing:
            introduction += f" There are no samples of {', '.join(info.class_names[label] for label in missing)}."
            introduction += f" {note}" if note else ""
        alarms = alarms_of(checks, info)
        nearest = None if alarms else near_miss(checks, info)
        return Section("Sample check", introduction, tables=[table], alarms=alarms, near_miss=nearest)


def _row(info: DatasetInfo, check: ClassCheck) -> list[str | int | float | None]:
    real_agreement = check.real_agree / check.real_n if check.real_n else None
    agreements = check.agree / check.n, real_agreement
    counts = check.alike, check.real_alike, check.repeats, check.empty
    return [class_key(info, check.label), check.n, *agreements, *counts]
