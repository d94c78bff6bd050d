"""Alarms on labelled samples of any origin."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fmcgan.analysis.alarms.metrics import IGNORED, few_classes, ignored_below
from fmcgan.analysis.base import common_classes
from fmcgan.analysis.effect import share_text
from fmcgan.analysis.section import Alarm, NearMiss
from fmcgan.app.formatting import percent
from fmcgan.data.info import DatasetInfo
from fmcgan.figure.classes import most_telling
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Arrays
from fmcgan.metric.value import wilson_interval

LEAST = 10  # least number of images of a class (45 pairs)
MOST = 300  # maximum number of images of a class whose pairs are compared (44,850 pairs)
CLOSEST = 0.001  # share of the closest pairs of real images of a class; pairs as close as these are "nearly identical"
ALIKE = 0.05
"""Share of nearly identical pairs above which a class has collapsed: fifty times that of real images. It is reached if
a quarter of the samples are one image, or if ten or twenty images are repeated with small changes."""
FAINT = 16  # largest difference of levels in each channel of an empty image
OF_REAL = 10
"""Ratio to the share of real training images up to which there is no alarm: the closest of few pairs are not close."""
MANY = 0.01  # share of empty images, or of exact repeats, above which there is an alarm


class ClassCheck(NamedTuple):
    """Counts of one class."""

    label: int
    n: int  # samples
    agree: int  # samples classified as the class
    real_n: int  # real test images
    real_agree: int  # real test images classified as the class
    alike: float | None  # share of nearly identical pairs of samples, in 0..1; None if there are too few
    real_alike: float | None  # that of training images
    repeats: int  # samples that equal an earlier sample of the class in every pixel
    empty: int  # empty samples


def check_classes(samples: ImageSet, real: RealImages, classifier: ClassifierFeatures) -> list[ClassCheck]:
    """Counts by class, in the order of the labels.

    Agreement is compared with that of test images, because the classifier was trained on the training images.
    """
    agree, real_agree = (classifier.logits(each).argmax(dim=1) == each.labels for each in (samples, real.test))
    pixels = samples.images.flatten(2)
    faint = (pixels.amax(dim=2) - pixels.amin(dim=2) <= FAINT).all(dim=1)
    alike, real_alike = _shares_alike(samples, real)
    members = [(label, samples.of_class(label), real.test.of_class(label)) for label in common_classes(samples)]
    return [
        ClassCheck(
            label=label,
            n=len(own),
            agree=int(agree[own].sum()),
            real_n=len(other),
            real_agree=int(real_agree[other].sum()),
            alike=alike[label],
            real_alike=real_alike[label],
            repeats=len(own) - len({image.tobytes() for image in samples.images[own].numpy()}),
            empty=int(faint[own].sum()),
        )
        for label, own, other in members
    ]


def alarms_of(checks: Sequence[ClassCheck], info: DatasetInfo) -> list[Alarm]:
    """Returns all alarms that the counts raise."""
    found = [
        collapsed_classes(checks, info),
        ignored_labels(checks, info),
        empty_samples(checks),
        repeated_samples(checks),
    ]
    return [alarm for alarm in found if alarm is not None]


def near_miss(checks: Sequence[ClassCheck], info: DatasetInfo) -> NearMiss:
    """Returns the rule that came nearest to an alarm; meant for checks that raise none."""
    n = sum(each.n for each in checks)
    found = []
    for each in checks:
        name = info.class_names[each.label]
        if each.alike is not None:
            most = max(ALIKE, OF_REAL * (each.real_alike or CLOSEST))
            pairs = f"{percent(each.alike, 1)} of the pairs of class {name} are nearly identical"
            found.append(NearMiss(each.alike / most, f"{pairs} (alarm above {percent(most)})"))
        if each.real_n:
            least = ignored_below(each.real_agree / each.real_n, 1 / info.num_classes)
            agree = f"{percent(each.agree / each.n, 1)} of the samples of class {name} are classified as that class"
            upper = wilson_interval(each.agree, each.n)[1]
            found.append(NearMiss(least / upper if upper else 1.0, f"{agree} (alarm below {percent(least)})"))
    for what, count in (
        ("are empty", sum(each.empty for each in checks)),
        ("equal an earlier one in every pixel", sum(each.repeats for each in checks)),
    ):
        share = count / max(n, 1)
        found.append(NearMiss(share / MANY, f"{percent(share, 1)} of the samples {what} (alarm above {percent(MANY)})"))
    return max(found, key=lambda each: each.share)


def collapsed_classes(checks: Sequence[ClassCheck], info: DatasetInfo) -> Alarm | None:
    """Raises an alarm for classes whose samples are nearly identical."""
    found = {each.label: each.alike for each in checks if each.alike is not None}
    real = {each.label: each.real_alike or CLOSEST for each in checks}
    known = {label: alike for label, alike in found.items() if alike > max(ALIKE, OF_REAL * real[label])}
    if not known:
        return None
    labels, note = most_telling(known, "with the largest shares")
    words = ", ".join(f"{info.class_names[label]} {percent(known[label])}" for label in labels)
    return Alarm(
        "mode collapse within classes",
        f"Share of nearly identical pairs of samples: {words}; of real training images at most "
        f"{percent(max(real[label] for label in labels), 1)}. {note}".rstrip(),
        f"more than {percent(ALIKE)} of the pairs of a class, and {OF_REAL} times as many as of real training images, "
        f"are as close in pixel values as the closest {percent(CLOSEST, 1)} of the pairs of real test images",
    )


def ignored_labels(checks: Sequence[ClassCheck], info: DatasetInfo) -> Alarm | None:
    """Raises an alarm if samples, of all or of some classes, are not classified as their conditioned class."""
    chance = 1 / info.num_classes
    rule = (
        f"the 95 % interval of the label agreement is below {percent(IGNORED)} of that of real test images, for all "
        f"samples or for a class{few_classes(chance)}"
    )
    n, agree = sum(each.n for each in checks), sum(each.agree for each in checks)
    # Real agreement, weighted by the classes of the samples.
    expected = sum(each.n * each.real_agree / each.real_n for each in checks if each.real_n) / max(n, 1)
    if wilson_interval(agree, n)[1] < ignored_below(expected, chance):
        return Alarm(
            "labels are ignored",
            f"{share_text(agree, n)} of the samples are classified as their conditioned class, against "
            f"{percent(expected, 1)} of real images; chance is {100 * chance:.2g} %.",
            rule,
        )
    low = {
        each.label: each
        for each in checks
        if each.real_n and wilson_interval(each.agree, each.n)[1] < ignored_below(each.real_agree / each.real_n, chance)
    }
    if not low:
        return None
    labels, note = most_telling({k: -each.agree / each.n for k, each in low.items()}, "with the lowest shares")
    words = ", ".join(f"{info.class_names[k]} {share_text(low[k].agree, low[k].n)}" for k in labels)
    statement = f"Share of the samples classified as their conditioned class: {words}. {note}"
    return Alarm("some labels are ignored", statement.rstrip(), rule)


def empty_samples(checks: Sequence[ClassCheck]) -> Alarm | None:
    """Raises an alarm for images that are empty or not scaled to 0..255."""
    n, empty = sum(each.n for each in checks), sum(each.empty for each in checks)
    if empty <= MANY * n:
        return None
    return Alarm(
        "empty samples",
        f"{share_text(empty, n)} of the samples are empty. Pixel values must be 0..255.",
        f"in more than {percent(MANY)} of the samples the darkest and the brightest pixel differ by at most {FAINT} "
        "levels (in colour images: in each channel)",
    )


def repeated_samples(checks: Sequence[ClassCheck]) -> Alarm | None:
    """Raises an alarm for images that occur several times."""
    n, repeats = sum(each.n for each in checks), sum(each.repeats for each in checks)
    if repeats <= MANY * n:
        return None
    return Alarm(
        "repeated samples",
        f"{share_text(repeats, n)} of the samples equal another sample of their class in every pixel: the effective "
        "number of samples is smaller.",
        f"more than {percent(MANY)} of the samples equal an earlier sample of their class",
    )


def _shares_alike(samples: ImageSet, real: RealImages) -> tuple[list[float | None], list[float | None]]:
    """Computes shares of nearly identical pairs by class, of the samples and of training images."""
    what = f"pairs of {MOST} images of each class"

    def closest() -> Arrays:
        distances = [torch.quantile(_distances(real.test, label), CLOSEST) for label in real.info.labels]
        return {"distances": torch.stack(distances)}  # float32 [K]; nan for small classes

    near = real.test.derived(f"largest distance of the closest {CLOSEST:g} of {what}", closest)["distances"]
    key = f"share of {what} as near as the closest {CLOSEST:g} of {real.test.fingerprint}"
    train = real.train.derived(key, lambda: {"shares": _shares_within(real.train, near)})["shares"]
    own, of_train = (
        [None if math.isnan(share) else share for share in shares.tolist()]
        for shares in (_shares_within(samples, near), train)
    )
    return own, of_train


def _shares_within(images: ImageSet, near: Tensor) -> Tensor:
    """Computes shares of nearly identical pairs by class, float64 [K]; nan if unknown."""
    shares = torch.full((images.info.num_classes,), torch.nan, dtype=torch.float64)
    for label in images.info.labels:
        distances = _distances(images, label)
        if not (distances.isnan().any() or near[label].isnan()):
            shares[label] = (distances <= near[label]).double().mean()
    return shares


def _distances(images: ImageSet, label: int) -> Tensor:
    """Computes distances of all pairs of at most `MOST` images of a class, in levels, float32; nan if too few."""
    order = images.content_order  # files of samples may be sorted
    members = order[images.labels[order] == label][:MOST]
    if len(members) < LEAST:
        return torch.tensor([torch.nan])
    return torch.pdist(images.images[members].flatten(1).float())
