"""Checks of the samples: labels, near duplicates, exact repeats and empty images."""

from typing_extensions import override

from fmcgan.analysis.alarms.samples import LEAST, MOST, ClassCheck, alarms_of, check_classes
from fmcgan.analysis.base import Analysis, NotApplicable, Subject
from fmcgan.analysis.section import Column, Section, Table
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.metric.feature.classifier import ClassifierFeatures

_COLUMNS = (
    Column("class", "class"),
    Column("samples", "samples", "whole"),
    Column("agreement", "classified as conditioned", "percent", 1),
    Column("real_agreement", "real test images", "percent", 1),
    Column("nearly_identical_pairs", "nearly identical pairs", "percent"),
    Column("real_nearly_identical_pairs", "real training images", "percent"),
    Column("repeats", "exact repeats", "whole"),
    Column("empty", "empty", "whole"),
)


class SampleCheck(Analysis):
    """Checks samples of any origin with a classifier and raises alarms."""

    def __init__(self, features: ClassifierFeatures) -> None:
        self.features = features

    @override
    def analyse(self, subject: Subject) -> Section:
        samples = subject.samples
        if int(samples.labels.bincount().max()) < LEAST:
            raise NotApplicable(f"no class has {LEAST} samples, the minimum for comparing pairs; give more samples")
        checks = check_classes(samples, subject.real, self.features)
        table = Table("classes", "Counts by class.", _COLUMNS, [_row(each) for each in checks])
        introduction = (
            f"Four checks of {len(samples):,} samples: whether the classifier predicts the conditioned class, whether "
            f"samples of a class differ (all pairs of at most {MOST}), whether some are equal in every pixel, and "
            "whether some are empty. After an alarm, all other parts are doubtful; no alarm does not mean that samples "
            "are good."
        )
        missing = [name for label, name in enumerate(CLASS_NAMES) if label not in {each.label for each in checks}]
        if missing:
            introduction += f" There are no samples of {', '.join(missing)}."
        return Section("Sample check", introduction, tables=[table], alarms=alarms_of(checks))


def _row(check: ClassCheck) -> list[str | int | float | None]:
    real_agreement = check.real_agree / check.real_n if check.real_n else None
    agreements = check.agree / check.n, real_agreement
    return [CLASS_NAMES[check.label], check.n, *agreements, check.alike, check.real_alike, check.repeats, check.empty]
