"""What labelled samples show that should not be, whoever made them: no run is needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmcgan.analysis.base import classes_of
from fmcgan.analysis.effect import share_in_words, share_interval
from fmcgan.analysis.percent import percent
from fmcgan.analysis.section import Alarm
from fmcgan.data.classes import CLASS_NAMES, NUM_CLASSES
from fmcgan.metric.base import RealImages
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Arrays

LEAST = 10
"""Images of a class, which make 45 pairs, below which nothing is said of the class."""

MOST = 300
"""Images of a class of which all 44,850 pairs are measured."""

CLOSEST = 0.001
"""The pairs of real images of a class that lie closest, whose largest distance is what "nearly identical" means."""

ALIKE = 0.05
"""Share of nearly identical pairs from which a class has collapsed: fifty times that of real images. Samples of which a
quarter are one image reach it, and so do ten or twenty images that are repeated with small changes."""

IGNORED = 0.5
"""Share of real images' label agreement below which the label is not obeyed."""

FAINT = 16
"""Grey levels: images whose brightest and darkest pixel are no farther apart show nothing."""

MANY = 0.01
"""Share of the samples from which empty images and exact repeats are no accident."""


@dataclass(frozen=True)
class ClassCheck:
    """What was counted of one class.

    Args:
        label: the class.
        n: samples of it.
        agree: how many of them are read as it.
        real_n: real test images of it.
        real_agree: how many of those are read as it.
        alike: share, in 0..1, of nearly identical pairs; None of a class that is too small.
        real_alike: that of training images.
        repeats: samples that equal an earlier one of the class in every pixel.
        empty: samples that show nothing.
    """

    label: int
    n: int
    agree: int
    real_n: int
    real_agree: int
    alike: float | None
    real_alike: float | None
    repeats: int
    empty: int


def sample_alarms(samples: ImageSet, real: RealImages, classifier: ClassifierFeatures) -> list[Alarm]:
    """All alarms that these samples raise.

    Args:
        samples: with the classes they were asked to show.
        real: what they are compared with.
        classifier: reads the classes; it has learned the training images, so agreement is compared with test images.
    """
    return alarms_of(check_classes(samples, real, classifier))


def check_classes(samples: ImageSet, real: RealImages, classifier: ClassifierFeatures) -> list[ClassCheck]:
    """Counts, class by class, in the order of the labels."""
    agree, real_agree = (classifier.logits(each).argmax(dim=1) == each.labels for each in (samples, real.test))
    faint = _contrast(samples.images) <= FAINT
    alike, real_alike = _shares_alike(samples, real)
    checks = []
    for label in classes_of(samples):
        own, other = samples.of_class(label), real.test.of_class(label)
        check = ClassCheck(
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
        checks.append(check)
    return checks


def alarms_of(checks: Sequence[ClassCheck]) -> list[Alarm]:
    """What these counts raise."""
    found = [collapsed_classes(checks), ignored_labels(checks), empty_samples(checks), repeated_samples(checks)]
    return [alarm for alarm in found if alarm is not None]


def collapsed_classes(checks: Sequence[ClassCheck]) -> Alarm | None:
    """Classes whose samples are nearly one image, or a few."""
    worst = [(each.label, each.alike) for each in checks if each.alike is not None and each.alike > ALIKE]
    if not worst:
        return None
    words = ", ".join(f"{CLASS_NAMES[label]} {percent(share)}" for label, share in worst)
    return Alarm(
        "samples of a class are nearly identical",
        f"So many pairs of samples of a class are nearly identical: {words}; of real images {percent(CLOSEST, 1)}.",
        f"more than {percent(ALIKE)} of the pairs of a class as close in grey levels as the closest "
        f"{percent(CLOSEST, 1)} of the pairs of real test images",
    )


def ignored_labels(checks: Sequence[ClassCheck]) -> Alarm | None:
    """Samples, of all classes or of some, that are not read as asked for."""
    rule = (
        f"a label agreement surely (95 % interval) below {percent(IGNORED)} of that of real test images, of all "
        "samples or of those of a class"
    )
    n, agree = sum(each.n for each in checks), sum(each.agree for each in checks)
    # Real agreement weighted as the samples are, which may lack classes.
    expected = sum(each.n * each.real_agree / each.real_n for each in checks if each.real_n) / max(n, 1)
    if share_interval(agree, n)[1] < IGNORED * expected:
        return Alarm(
            "labels are ignored",
            f"{share_in_words(agree, n)} of the samples are read as the class asked for, of real images "
            f"{percent(expected, 1)}; chance is 10 %.",
            rule,
        )
    deaf = [each for each in checks if each.real_n and _ignored(each)]
    if not deaf:
        return None
    words = ", ".join(f"{CLASS_NAMES[each.label]} {share_in_words(each.agree, each.n)}" for each in deaf)
    return Alarm("some labels are ignored", f"So many samples of a class are read as that class: {words}.", rule)


def empty_samples(checks: Sequence[ClassCheck]) -> Alarm | None:
    """Images without anything on them, or saved on another scale than 0..255."""
    n, empty = sum(each.n for each in checks), sum(each.empty for each in checks)
    if empty <= MANY * n:
        return None
    return Alarm(
        "empty samples",
        f"{share_in_words(empty, n)} of the samples show nothing. Grey levels must be 0..255.",
        f"more than {percent(MANY)} of the samples with at most {FAINT} grey levels between darkest and brightest "
        "pixel",
    )


def repeated_samples(checks: Sequence[ClassCheck]) -> Alarm | None:
    """Images that come several times."""
    n, repeats = sum(each.n for each in checks), sum(each.repeats for each in checks)
    if repeats <= MANY * n:
        return None
    return Alarm(
        "repeated samples",
        f"{share_in_words(repeats, n)} of the samples equal another of their class in every pixel: there are fewer "
        "samples than it seems.",
        f"more than {percent(MANY)} of the samples equal to an earlier one of their class",
    )


def _ignored(check: ClassCheck) -> bool:
    return share_interval(check.agree, check.n)[1] < IGNORED * check.real_agree / check.real_n


def _shares_alike(samples: ImageSet, real: RealImages) -> tuple[list[float | None], list[float | None]]:
    """Shares of nearly identical pairs of each of the ten classes, of the samples and of training images."""
    what = f"pairs of {MOST} images of each class"
    near = real.test.derived(f"largest distance of the closest {CLOSEST:g} of {what}", lambda: _closest(real.test))
    train = real.train.derived(
        f"share of {what} as near as the closest {CLOSEST:g} of {real.test.fingerprint}",
        lambda: _within(real.train, near["distances"]),
    )
    own = _within(samples, near["distances"])
    shares = [[None if share != share else share for share in each["shares"].tolist()] for each in (own, train)]
    return shares[0], shares[1]


def _closest(images: ImageSet) -> Arrays:
    """``distances``, float32 [10], that the closest pairs of each class do not exceed; nan of small classes."""
    closest = [torch.quantile(_distances(images, label), CLOSEST) for label in range(NUM_CLASSES)]
    return {"distances": torch.stack(closest)}


def _within(images: ImageSet, near: Tensor) -> Arrays:
    """``shares`` of the pairs of each class that are no farther apart, float64 [10]; nan where nothing is known."""
    shares = torch.full((NUM_CLASSES,), torch.nan, dtype=torch.float64)
    for label in range(NUM_CLASSES):
        distances = _distances(images, label)
        if not (distances.isnan().any() or near[label].isnan()):
            shares[label] = (distances <= near[label]).double().mean()
    return {"shares": shares}


def _distances(images: ImageSet, label: int) -> Tensor:
    """Distances in grey levels, float32, of all pairs of `MOST` images of a class; one nan of a class of too few."""
    order = images.content_order  # files of samples may be sorted
    members = order[images.labels[order] == label][:MOST]
    if len(members) < LEAST:
        return torch.tensor([torch.nan])
    return torch.pdist(images.images[members].flatten(1).float())


def _contrast(images: Tensor) -> Tensor:
    """Brightest less darkest pixel, int [N]."""
    flat = images.flatten(1).int()
    return flat.amax(dim=1) - flat.amin(dim=1)
