"""Runs the parts of a probe."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from fmcgan.analysis.base import NotApplicable
from fmcgan.analysis.section import Section
from fmcgan.app.progress import Progress
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.probing import directions, flips, same_latent
from fmcgan.probing.accuracy import accuracy
from fmcgan.probing.attributes import attributes
from fmcgan.probing.classifier import Classifier, judge
from fmcgan.probing.subject import Effort, Subject, Verdicts

log = logging.getLogger(__name__)

_OF_IMAGES: dict[str, Callable[[Subject], Section]] = {"accuracy": accuracy, "attributes": attributes}
_OF_LATENTS: dict[str, Callable[[Subject], Section]] = {
    "directions": directions.directions,
    "same_latent": same_latent.same_latent,
    "flips": flips.flips,
}


@dataclass
class Measured:
    """Sections by name, reasons of those left out, and seconds of each."""

    subject: Subject
    sections: dict[str, Section] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def fitted_judge(real: RealImages) -> Classifier:
    """Returns the classifier of the metrics, trained on the data set if need be.

    Raises:
        UnfitNetworkError: it hardly recognises the classes.
    """
    features = ClassifierFeatures()
    features.fit(real)
    return judge(features, real.test.device)


def measure(
    model: Classifier,
    own: Classifier,
    samples: ImageSet,
    real: RealImages,
    generator: nn.Module | None,
    seed: int,
    effort: Effort,
) -> Measured:
    """Reads all images and runs the parts, with the time left.

    Args:
        model: the classifier to probe.
        own: the judge.
        samples: generated images with the labels that they were asked for.
        real: both splits; the classifier is tested on the test images.
        generator: that drew the samples; ``None``: the parts that need one are left out.
        seed: of the latent vectors.
        effort: how much is measured.
    """
    sets = samples, real.test
    parts = _OF_IMAGES | (_OF_LATENTS if generator is not None else {})
    with Progress(2 * _readings(sets, generator, real, model, own, seed, effort), "readings") as progress:
        for classifier in (model, own):
            classifier.on_reading = progress.update
        generated, tested = (Verdicts(each, model.verdicts(each.images), own.verdicts(each.images)) for each in sets)
        measured = Measured(Subject(model, own, generated, tested, real, generator, seed, effort))
        for name, part in parts.items():
            start = time.perf_counter()
            try:
                measured.sections[name] = part(measured.subject)
            except NotApplicable as reason:
                measured.skipped[name] = str(reason)
                log.info("%s is left out: %s", name, reason)
                continue
            measured.seconds[name] = round(time.perf_counter() - start, 1)
    if generator is None:
        measured.skipped |= dict.fromkeys(_OF_LATENTS, "samples have no latent vectors; give run=")
    return measured


def _readings(
    sets: tuple[ImageSet, ImageSet],
    generator: nn.Module | None,
    real: RealImages,
    model: Classifier,
    own: Classifier,
    seed: int,
    effort: Effort,
) -> int:
    """Returns about how many images each classifier reads."""
    total = sum(map(len, sets))
    if generator is None:
        return total
    empty = Verdicts(real.test, real.test.labels, real.test.labels)
    subject = Subject(model, own, empty, empty, real, generator, seed, effort)
    return total + sum(part.readings(subject) for part in (directions, same_latent, flips))
