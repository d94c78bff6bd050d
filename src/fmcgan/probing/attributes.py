"""Whether the verdict follows simple attributes of the images, such as their brightness, within a class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.attributes import ATTRIBUTES, DEFINITIONS, attributes_of, has_black_background
from fmcgan.analysis.effect import Effect, share_text
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.figure.intervals import IntervalLine, IntervalPanel, intervals_figure
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.value import wilson_interval
from fmcgan.probing.information import SMALL, Share, attribute_share, difference_of, label_share
from fmcgan.probing.shares import percent_line
from fmcgan.probing.subject import Subject, Verdicts

_SIDES = {"real": "real images", "generated": "generated images"}
Counts = list[tuple[int, int]]  # hits and images of each bin


@dataclass(frozen=True, eq=False)
class _Binned:
    """Images in bins of an attribute."""

    verdicts: Verdicts
    bins: NDArray[np.int64]  # [N]; -1 where the attribute is undefined

    def counts(self, bins: int, judge: bool = False) -> Counts:
        """Counts hits and images of each bin."""
        hits = self.verdicts.judge_hits if judge else self.verdicts.hits
        return [(int(hits[self.bins == at].sum()), int((self.bins == at).sum())) for at in range(bins)]

    def share(self, num_classes: int, judge: bool = False) -> Share:
        """Returns the share of the information in the verdicts that the attribute explains within the classes."""
        known = self.bins >= 0
        verdicts = (self.verdicts.judge if judge else self.verdicts.model).numpy()
        return attribute_share(verdicts[known], self.verdicts.labels[known], self.bins[known], num_classes)


def attributes(subject: Subject) -> Section:
    """Measures accuracy and verdicts over bins of each attribute, on real and on generated images."""
    bins, num_classes = subject.effort.bins, subject.info.num_classes
    sides = {"real": subject.real, "generated": subject.generated}
    black = has_black_background(subject.data.train)
    values = {side: attributes_of(each.images, black) for side, each in sides.items()}
    binned = {
        each.name: {
            side: _Binned(verdicts, _bins(each.name, verdicts.images, subject.real.images, values, side, bins))
            for side, verdicts in sides.items()
        }
        for each in ATTRIBUTES
    }
    of_label = label_share(subject.real.model.numpy(), subject.real.labels, num_classes)
    effects = [_effect(name, each, of_label, bins, num_classes) for name, each in binned.items()]
    return Section(
        "Along attributes of the images",
        f"Images of each class are sorted into {bins} bins by an attribute, by the quantiles of the real test images "
        "of the class, so that every bin has the same classes. A classifier of shapes is about as good in all bins. "
        "The information in the verdict (its entropy) divides into what the class explains, what the attribute "
        "explains within a class, and the rest. The attribute's part is compared with that of the judge.",
        pictures=[_picture(binned, bins), _shares_picture(binned, num_classes)],
        tables=[_share_table(binned, num_classes), _bin_table(binned, bins)],
        effects=effects,
        values={name: {side: each[side].share(num_classes).value for side in _SIDES} for name, each in binned.items()},
    )


def _bins(
    name: str,
    images: ImageSet,
    reference: ImageSet,
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    side: str,
    bins: int,
) -> NDArray[np.int64]:
    """Sorts images into bins by the quantiles of the reference within each class; -1 where a value is undefined."""
    own, theirs = values[side][name], values["real"][name]
    found = np.full(len(own), -1)
    for label in reference.labels.unique().tolist():
        known = theirs[(reference.labels == label).numpy()]
        known = known[np.isfinite(known)]
        members = (images.labels == label).numpy() & np.isfinite(own)
        if len(known):
            edges = np.quantile(known, np.arange(1, bins) / bins)
            found[members] = np.searchsorted(edges, own[members], side="right")
    return found


def _effect(name: str, sides: Mapping[str, _Binned], of_label: Share, bins: int, num_classes: int) -> Effect:
    real, generated = (sides[side].share(num_classes) for side in _SIDES)
    judged = sides["real"].share(num_classes, judge=True)
    counts = [each for each in sides["real"].counts(bins) if each[1]]
    worst, best = (pick(counts, key=lambda each: each[0] / each[1]) for pick in (min, max))
    return Effect(
        f"attributes/{name}",
        f"The verdict follows the {name} within a class: on real images it explains {real.in_words()} of the "
        f"information in the verdict (the judge's: {judged.in_words()}; the class explains {of_label.in_words()}), on "
        f"generated images {generated.in_words()}; accuracy on real images is {share_text(*worst)} in the worst and "
        f"{share_text(*best)} in the best of {bins} bins.",
        difference_of(real, judged),
        SMALL,
        figure="bins",
        meaning=f"{name.capitalize()}: {DEFINITIONS[name]}. Attributes are related: one may stand for another.",
    )


def _picture(binned: Mapping[str, Mapping[str, _Binned]], bins: int) -> Picture:
    panels = []
    for name, sides in binned.items():
        lines = [
            percent_line(f"{who}, {title}", sides[side].counts(bins, judge))
            for side, title in _SIDES.items()
            for judge, who in ((False, "classifier"), (True, "judge"))
        ]
        panels.append(IntervalPanel(name, "accuracy, percent", lines))
    places = [f"{at + 1}" for at in range(bins)]
    figure = intervals_figure(panels, places, "bin, from the least to the most of its class")
    caption = (
        "Accuracy in each bin of an attribute, with 95 % intervals. A falling or bent line that the judge does not "
        "have is the classifier's own."
    )
    return Picture("bins", figure, caption, "Accuracy over the bins of each attribute.")


def _shares_picture(binned: Mapping[str, Mapping[str, _Binned]], num_classes: int) -> Picture:
    lines = []
    for side, title in _SIDES.items():
        for judge, who in ((False, "classifier"), (True, "judge")):
            shares = [each[side].share(num_classes, judge) for each in binned.values()]
            ends = np.array([each.interval for each in shares]).T
            lines.append(IntervalLine(f"{who}, {title}", [100 * each.value for each in shares], *(100 * ends)))
    panel = IntervalPanel(
        "Part of the verdict that follows the attribute", "percent of its information", lines, joined=False
    )
    figure = intervals_figure([panel], list(binned), "attribute")
    caption = (
        "Share of the information in the verdict that the attribute explains within the classes, with 95 % intervals. "
        "0: the verdict does not depend on it."
    )
    return Picture("shares", figure, caption, "Explained share of each attribute.", lead=True)


def _share_table(binned: Mapping[str, Mapping[str, _Binned]], num_classes: int) -> Table:
    columns = [
        *(Column("attribute", "attribute"), Column("images", "images")),
        *interval_columns("share", "follows it", "percent", 1),
        *interval_columns("judge", "judge", "percent", 1),
    ]
    rows = []
    for name, sides in binned.items():
        for side, title in _SIDES.items():
            own, judged = (sides[side].share(num_classes, judge) for judge in (False, True))
            rows.append([name, title, own.value, *own.interval, judged.value, *judged.interval])
    caption = "Share of the information in the verdict that each attribute explains within the classes."
    return Table("explained", caption, columns, rows, open=True)


def _bin_table(binned: Mapping[str, Mapping[str, _Binned]], bins: int) -> Table:
    columns = [
        *(Column("attribute", "attribute"), Column("images", "images"), Column("bin", "bin", "whole")),
        *(Column("n", "n", "whole"), *interval_columns("accuracy", "accuracy", "percent", 1)),
        Column("judge", "judge", "percent", 1),
    ]
    rows = []
    for name, sides in binned.items():
        for side, title in _SIDES.items():
            pairs = zip(sides[side].counts(bins), sides[side].counts(bins, judge=True), strict=True)
            for at, ((hits, n), (judged, _)) in enumerate(pairs, 1):
                if n:
                    rows.append([name, title, at, n, hits / n, *wilson_interval(hits, n), judged / n])
    return Table("by_bin", "Accuracy in each bin, from the least to the most of its class.", columns, rows)
