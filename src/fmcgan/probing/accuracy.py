"""Accuracy on generated and on real images, by class."""

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.base import class_key, class_noun
from fmcgan.analysis.effect import (
    Effect,
    Words,
    Z,
    difference_of_shares,
    share_gap,
    share_text,
)
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.figure.classes import short_names, some_classes
from fmcgan.figure.intervals import IntervalLine, IntervalPanel, intervals_figure
from fmcgan.metric.value import wilson_interval
from fmcgan.probing.shares import percent_line
from fmcgan.probing.subject import Subject, Verdicts

Flags = NDArray[np.bool_]


def accuracy(subject: Subject) -> Section:
    """Compares the accuracy on generated images with that on real test images, beside the judge's."""
    groups = _groups(subject)
    labels = [label for label in groups if label is not None]
    shown, note = some_classes(labels)
    return Section(
        "Accuracy on generated and on real images",
        f"{len(subject.generated.labels):,} generated images and {len(subject.real.labels):,} real test images. A "
        "generated image may fail to show its class, which is no fault of the classifier. So both sides are also "
        "compared on the images that the judge (the project's own classifier) reads as their class. What is left is a "
        "difference of the classifier: it reads generated images worse, or better, than real ones.",
        pictures=[_picture(subject, [None, *shown], note)],
        tables=[_table(subject, groups)],
        effects=[_effect(subject, label) for label in labels],
        values={
            "accuracy_on_real": float(subject.real.hits.mean()),
            "accuracy_on_generated": float(subject.generated.hits.mean()),
            "judge_accuracy_on_real": float(subject.real.judge_hits.mean()),
            "judge_accuracy_on_generated": float(subject.generated.judge_hits.mean()),
        },
    )


def count(verdicts: Verdicts, members: Flags) -> tuple[int, int]:
    """Counts the images that the classifier reads as their label, and all, among members [N]."""
    return int(verdicts.hits[members].sum()), int(members.sum())


def _groups(subject: Subject) -> list[int | None]:
    """All images, and each class of which there are generated and real ones."""
    both = set(subject.generated.labels.tolist()) & set(subject.real.labels.tolist())
    return [None, *sorted(both)]


def _members(verdicts: Verdicts, label: int | None) -> Flags:
    return np.ones(len(verdicts.labels), dtype=bool) if label is None else verdicts.labels == label


def _read_as_asked(subject: Subject, label: int | None) -> tuple[tuple[int, int], tuple[int, int]]:
    """Counts hits among the generated and the real images that the judge reads as their label."""
    sides = subject.generated, subject.real
    ours, theirs = (count(each, _members(each, label) & each.judge_hits) for each in sides)
    return ours, theirs


def _effect(subject: Subject, label: int) -> Effect:
    info = subject.info
    ours, theirs = _read_as_asked(subject, label)
    real = _members(subject.real, label) & subject.real.judge_hits
    halves = [count(subject.real, real & (np.arange(len(real)) % 2 == side)) for side in (0, 1)]
    difference = difference_of_shares(*ours, *theirs)
    noun = class_noun(info, label)
    less = difference.size < 0
    shared = f"are recognised {'less' if less else 'more'} often than real ones"
    numbers = f"{share_text(*ours)} against {share_text(*theirs)} of the images that the judge reads as their class"
    return Effect(
        f"accuracy/{class_key(info, label)}",
        f"Generated {noun} {shared}: {numbers}.",
        difference,
        difference_of_shares(*halves[0], *halves[1]),
        (label,),
        "by_class",
        "The judge reads these images as their class, so it is the classifier that they differ for.",
        Words(noun, shared, numbers),
    )


def _picture(subject: Subject, groups: list[int | None], note: str) -> Picture:
    sides = {
        "real images": [count(subject.real, _members(subject.real, label)) for label in groups],
        "generated images": [count(subject.generated, _members(subject.generated, label)) for label in groups],
        "generated, read by the judge as asked": [_read_as_asked(subject, label)[0] for label in groups],
    }
    lines = [percent_line(name, counts) for name, counts in sides.items()]
    gaps = [share_gap(*ours, *theirs) for ours, theirs in (_read_as_asked(subject, label) for label in groups)]
    means, ends = np.array([gap for gap, _ in gaps]), np.array([bounds for _, bounds in gaps])
    clear = (ends[:, 0] > 0) | (ends[:, 1] < 0)
    line = IntervalLine("generated minus real", 100 * means, 100 * ends[:, 0], 100 * ends[:, 1], clear)
    panels = [
        IntervalPanel("Accuracy of the classifier", "percent", lines, joined=False),
        IntervalPanel("Read by the judge as asked: generated minus real", "points", [line], zero=True, joined=False),
    ]
    names = short_names([class_key(subject.info, label) for label in groups])
    caption = (
        "Left: share of the images that the classifier reads as their class. Right: generated minus real, both only of "
        "images that the judge reads as their class; hollow where the interval holds 0. Bars are 95 % intervals. "
    )
    figure = intervals_figure(panels, names, "class")
    text = "Accuracy by class on real and generated images, and their differences, with intervals."
    return Picture("by_class", figure, (caption + note).rstrip(), text, lead=True)


def _table(subject: Subject, groups: list[int | None]) -> Table:
    columns = [
        Column("class", "class"),
        *interval_columns("real", "real", "percent", 1),
        Column("judge_real", "judge", "percent", 1),
        *interval_columns("generated", "generated", "percent", 1),
        Column("judge_generated", "judge", "percent", 1),
        *interval_columns("gap_as_asked", "gap where the judge reads as asked", "percent", 1),
        *interval_columns("gap_beyond_judge", "gap beyond the judge's", "percent", 1),
    ]
    rows = []
    for label in groups:
        real, ours = _members(subject.real, label), _members(subject.generated, label)
        counts = count(subject.real, real), count(subject.generated, ours)
        judged = subject.real.judge_hits[real].mean(), subject.generated.judge_hits[ours].mean()
        (hits, n), (made_hits, made_n) = counts
        as_asked, as_asked_real = _read_as_asked(subject, label)
        gap, bounds = share_gap(*as_asked, *as_asked_real)
        rows.append(
            [
                *(class_key(subject.info, label), hits / n, *wilson_interval(hits, n), judged[0]),
                *(made_hits / made_n, *wilson_interval(made_hits, made_n), judged[1]),
                *(gap, *bounds, *_beyond_judge(subject, ours, real)),
            ]
        )
    caption = (
        "Share of the images read as their class, by the classifier and by the judge. The gap where the judge reads as "
        "asked: generated minus real. The gap beyond the judge's: classifier minus judge on generated images, minus "
        "the same on real ones, paired by image."
    )
    return Table("classes", caption, columns, rows, open=True)


def _beyond_judge(subject: Subject, ours: Flags, real: Flags) -> tuple[float, float, float]:
    """Returns the difference of paired differences to the judge, with its normal interval."""
    sides = []
    for verdicts, members in ((subject.generated, ours), (subject.real, real)):
        gaps = verdicts.hits[members].astype(np.float64) - verdicts.judge_hits[members]
        sides.append((float(gaps.mean()), float(gaps.var(ddof=1)) / len(gaps) if len(gaps) > 1 else np.nan))
    (mean, variance), (real_mean, real_variance) = sides
    half = Z * float(np.sqrt(variance + real_variance))
    return mean - real_mean, mean - real_mean - half, mean - real_mean + half
