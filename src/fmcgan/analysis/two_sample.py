"""Classifier two-sample test: how well a small network separates samples from real images."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

from typing_extensions import override

from fmcgan.analysis.base import EXAMPLES, Analysis, NotApplicable, Subject, class_key
from fmcgan.analysis.detector.cross_fit import FEWEST, DetectorScores, cross_fit
from fmcgan.analysis.detector.network import Recipe
from fmcgan.analysis.detector.occlusion import Patch, map_picture, occlude, sample_picture
from fmcgan.analysis.effect import LEVEL, UNKNOWN, Difference, Effect, Examples, Z
from fmcgan.analysis.section import Column, Section, Table, interval_columns
from fmcgan.app.checks import MOST_IMAGES, positive_number, whole_number
from fmcgan.data.images import to_pixels
from fmcgan.data.info import LARGEST, DatasetInfo
from fmcgan.figure.classes import most_telling

Areas = Mapping[str, Sequence[float]]  # AUC and both ends of its interval, by name of the class and for ``all``

COLUMNS = (
    Column("class", "class"),
    Column("samples", "samples", "whole"),
    *interval_columns("auc", "AUC", "percent", 1),
    *interval_columns("test_auc", "AUC of test images", "percent", 1),
)


class TwoSample(Analysis):
    """Classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests").

    A small class-conditional network is trained to separate half of the samples from as many training images, and
    applied to the other half and to other training images. Then the halves are swapped, so that every sample gets a
    score. The statistic is the area under the ROC curve (AUC): the share of pairs of a generated and a real image in
    which the generated one has the higher score. Chance is 50 %.

    The floor is the same test with real test images instead of samples.

    Args:
        most_per_class: maximum number of samples of a class.
        images_shown: training length of each of the two networks, in images including repetitions.
        batch_size: images of one step.
        learning_rate: initial learning rate of Adam.
        patch: side of the occluding patch in pixels, at most that of the images.
        stride: step of the patch in pixels.
        occluded_per_class: number of occluded samples of each class, those of the highest scores.
    """

    def __init__(
        self,
        most_per_class: int = 1000,
        images_shown: int = 80_000,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        patch: int = 5,
        stride: int = 2,
        occluded_per_class: int = 20,
    ) -> None:
        whole_number(minimum=FEWEST, maximum=MOST_IMAGES, most_per_class=most_per_class)
        whole_number(maximum=10**9, images_shown=images_shown)
        whole_number(maximum=MOST_IMAGES, batch_size=batch_size)
        whole_number(maximum=LARGEST, patch=patch, stride=stride)
        whole_number(maximum=10_000, occluded_per_class=occluded_per_class)
        positive_number(learning_rate=learning_rate)
        self.most_per_class = most_per_class
        self.recipe = Recipe(images_shown, batch_size, float(learning_rate))
        self.patch = Patch(patch, stride, occluded_per_class)

    @override
    def analyse(self, subject: Subject) -> Section:
        train, info = subject.real.train, subject.info
        if self.patch.side > info.size:
            raise NotApplicable(
                f"two_sample: patch must be at most {info.size}, the size of images, got {self.patch.side}"
            )
        scores = cross_fit(subject.samples, train, self.most_per_class, self.recipe, subject.seed)
        if scores is None:
            raise NotApplicable(
                f"two_sample: no class has {FEWEST} samples and twice as many training images; give more samples (n=)"
            )
        areas, floor = _areas(scores, info), self._floor(subject)
        shown, note = most_telling({k: areas[class_key(info, k)][0] for k in scores.classes}, "with the largest AUC")
        occluded = [occlude(scores, label, subject.samples, train, self.patch) for label in shown]
        return Section(
            "Classifier two-sample test",
            "Two small class-conditional networks were trained to separate samples from real training images, each "
            f"on one half of {len(scores.index):,} samples, and applied to the other half and to training images "
            "that neither had seen. Samples that they separate differ from the data. Others may still differ in "
            "ways that are too subtle, too rare or too global for a small network." + (f" {note}" if note else ""),
            [sample_picture(occluded, subject.samples), map_picture(occluded, info, self.patch)],
            [_table(scores, info, areas, floor)],
            effects=[_effect(scores, subject, areas, floor)],
            values={"auc": areas["all"][0], "auc_of_test_images": floor["all"][0] if floor else None},
        )

    def _floor(self, subject: Subject) -> dict[str, Any]:
        """Returns `_areas` of test images and their ``difference``; empty if there are too few images."""
        train, test = subject.real.train, subject.real.test

        def measure() -> dict[str, Any]:
            scores = cross_fit(test, train, self.most_per_class, self.recipe, subject.seed)
            if scores is None:
                return {}
            whole, _, _ = scores.auc()
            return {"difference": [whole.size, whole.error, whole.p_value], **_areas(scores, subject.info)}

        how = f"{self.recipe.protocol(subject.info)}, at most {self.most_per_class} a class, seed {subject.seed}"
        return subject.store.values(
            f"two-sample test of test images: {how}, {train.fingerprint} {test.fingerprint}", measure
        )


def _areas(scores: DetectorScores, info: DatasetInfo) -> Areas:
    """Returns AUC and interval of each class and of ``all``."""
    found = {}
    for label in (None, *scores.classes):
        _, area, bounds = scores.auc(label)
        found[class_key(info, label)] = [area, *bounds]
    return found


def _table(scores: DetectorScores, info: DatasetInfo, areas: Areas, floor: Areas) -> Table:
    counts = {class_key(info, label): int((scores.labels == label).sum()) for label in scores.classes}
    counts["all"] = len(scores.labels)
    rows = [[name, counts[name], *area, *floor.get(name, [None] * 3)] for name, area in areas.items()]
    return Table(
        "auc",
        "AUC: share of pairs of a generated and a real image in which the generated one has the higher score; 50 % is "
        "chance. The 95 % intervals allow for correlated errors of both networks.",
        COLUMNS,
        rows,
        open=True,
    )


def _effect(scores: DetectorScores, subject: Subject, areas: Areas, floor: Areas) -> Effect:
    statement = f"A small classifier separates generated from real images with an AUC of {_words(*areas['all'])}"
    by_class = {label: areas[class_key(subject.info, label)] for label in scores.classes}
    if contrast := ranked_apart(by_class):
        easy, hard = (f"{subject.info.plural(label)} ({_words(*by_class[label])})" for label in contrast)
        statement += f"; {easy} more easily than {hard}"

    def examples() -> Examples:
        """Selects the samples of the highest scores, and real images of the same classes."""
        highest = scores.scores.argsort(descending=True, stable=True)[:EXAMPLES]
        used: dict[int, int] = {}
        real = []
        for label in scores.labels[highest].tolist():
            of_class = scores.real_index[scores.real_labels == label]
            real.append(int(of_class[used.setdefault(label, 0)]))
            used[label] += 1
        generated = to_pixels(subject.samples.images[scores.index[highest]])
        shown = to_pixels(subject.real.train.images[real])
        return Examples(generated, shown, "the most certainly generated ones", "of the same classes")

    return Effect(
        "two_sample/all/auc",
        f"{statement}.",
        scores.auc()[0],
        Difference(*floor["difference"]) if floor else UNKNOWN,
        figure="samples",
        meaning="AUC: share of pairs of a generated and a real image in which the classifier, trained on other images, "
        "picks the generated one; 50 % is chance, 100 % is perfect.",
        examples=examples,
    )


def ranked_apart(areas: Mapping[int, Sequence[float]]) -> tuple[int, int] | None:
    """Returns the classes of the largest and of the smallest AUC if their intervals support that order.

    The 95 % intervals (value, low, high) are widened to hold for all classes at once (Bonferroni), since the two
    classes are chosen by their values; ``None`` if they overlap.
    """
    if len(areas) < 2:
        return None
    easy, hard = (choose(areas, key=lambda label: areas[label][0]) for choose in (max, min))
    wider = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / len(areas)) / Z
    (value, low, _), (other, _, high) = areas[easy], areas[hard]
    return (easy, hard) if value - wider * (value - low) > other + wider * (high - other) else None


def _words(area: float, low: float, high: float) -> str:
    return f"{100 * area:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
