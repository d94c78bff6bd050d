"""Whether a small network can tell samples from real images: which, how surely, and by what."""

from collections.abc import Sequence
from typing import Any

from fmcgan.analysis.base import Analysis, NotApplicable, Subject
from fmcgan.analysis.detector.cross_fit import FEWEST, Verdicts, cross_fit
from fmcgan.analysis.detector.network import SIDE, Recipe
from fmcgan.analysis.detector.occlusion import Patch, clue_maps, clues_of, suspects
from fmcgan.analysis.effect import UNKNOWN, Difference, Effect
from fmcgan.analysis.section import Column, Section, Table
from fmcgan.app.checks import MOST_IMAGES, positive_number, whole_number
from fmcgan.data.classes import CLASS_NAMES, plural

COLUMNS = (
    Column("class", "class"),
    Column("judged", "samples judged", "whole"),
    Column("told_apart", "pairs told apart", "percent", 1),
    Column("told_apart_low", "from", "percent", 1),
    Column("told_apart_high", "to", "percent", 1),
    Column("test_told_apart", "test images in the samples' place", "percent", 1),
    Column("test_told_apart_low", "from", "percent", 1),
    Column("test_told_apart_high", "to", "percent", 1),
)


class TwoSample(Analysis):
    """Classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests").

    A small network that is told the class learns to tell half of the samples from as many training images and judges
    the other half beside other training images; then the halves change places, so that every sample is judged. The
    measure is the area under the ROC curve: the share of pairs of a generated and a real image in which the generated
    one is the more suspicious; 50 % is chance. Unlike their share of right answers it needs no threshold.

    The floor is the same with real test images in the samples' place.
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
        """Checks the parameters.

        Args:
            most_per_class: samples of each class that are judged at most.
            images_shown: to each of the two networks while it learns, repetitions counted.
            batch_size: images of one step.
            learning_rate: of Adam at its highest.
            patch: side in pixels of the patch that covers a part of the image, at most 28.
            stride: pixels from one place of the patch to the next.
            occluded_per_class: surest-caught samples of each class that the patch is slid over.

        Raises:
            InvalidValueError: a value is out of range.
        """
        whole_number(minimum=FEWEST, maximum=MOST_IMAGES, most_per_class=most_per_class)
        whole_number(maximum=10**9, images_shown=images_shown)
        whole_number(maximum=MOST_IMAGES, batch_size=batch_size)
        whole_number(maximum=SIDE, patch=patch, stride=stride)
        whole_number(maximum=10_000, occluded_per_class=occluded_per_class)
        positive_number(learning_rate=learning_rate)
        self.most_per_class = most_per_class
        self.recipe = Recipe(images_shown, batch_size, float(learning_rate))
        self.patch = Patch(patch, stride, occluded_per_class)

    def analyse(self, subject: Subject) -> Section:
        """Judges the samples, and once for each data set and seed its test images."""
        train = subject.real.train
        verdicts = cross_fit(subject.samples, train, self.most_per_class, self.recipe, subject.seed)
        if verdicts is None:
            raise NotApplicable(
                f"two_sample: no class has {FEWEST} samples and twice as many training images; give more samples (n=)"
            )
        floor = self._floor(subject)
        clues = [clues_of(verdicts, label, subject.samples, train, self.patch) for label in verdicts.classes]
        return Section(
            title="Told from real images",
            introduction=_introduction(len(verdicts.places)),
            pictures=[suspects(clues, subject.samples), clue_maps(clues, self.patch)],
            tables=[_table(verdicts, floor)],
            effects=[_effect(verdicts, floor)],
            values={"told_apart": verdicts.told_apart()[1], "told_apart_of_test_images": _area(floor, "all")[0]},
        )

    def _floor(self, subject: Subject) -> dict[str, Any]:
        """Of the test images: areas with intervals by class and of ``all``, and the ``difference``; or nothing."""
        train, test = subject.real.train, subject.real.test

        def measure() -> dict[str, Any]:
            verdicts = cross_fit(test, train, self.most_per_class, self.recipe, subject.seed)
            if verdicts is None:
                return {}
            whole, area, bounds = verdicts.told_apart()
            found: dict[str, Any] = {"all": [area, *bounds], "difference": [whole.size, whole.error, whole.p_value]}
            for label in verdicts.classes:
                _, area, bounds = verdicts.told_apart(label)
                found[CLASS_NAMES[label]] = [area, *bounds]
            return found

        how = f"{self.recipe.protocol}, at most {self.most_per_class} a class, seed {subject.seed}"
        return subject.store.values(
            f"two-sample test of test images: {how}, {train.fingerprint} {test.fingerprint}", measure
        )


def _introduction(n: int) -> str:
    return (
        f"Two small networks, told the class, learned to tell samples from real training images, each on one half of "
        f"{n:,} samples; each then judged the other half, beside training images that neither had seen. What they tell "
        "apart differs from the data; what they do not tell apart may differ in ways too fine, too rare or too wide "
        "for so small a network."
    )


def _area(floor: dict[str, Any], name: str) -> Sequence[float | None]:
    """Area and the ends of its interval."""
    return floor.get(name, [None, None, None])


def _table(verdicts: Verdicts, floor: dict[str, Any]) -> Table:
    rows: list[list[Any]] = []
    for label in (None, *verdicts.classes):
        _, area, bounds = verdicts.told_apart(label)
        name = "all" if label is None else CLASS_NAMES[label]
        judged = len(verdicts.labels) if label is None else int((verdicts.labels == label).sum())
        rows.append([name, judged, area, *bounds, *_area(floor, name)])
    return Table(
        "told_apart",
        "Share of pairs of a generated and a real image in which the generated one is the more suspicious, with 95 % "
        "intervals that allow for both networks erring together; 50 % is chance.",
        COLUMNS,
        rows,
        open=True,
    )


def _effect(verdicts: Verdicts, floor: dict[str, Any]) -> Effect:
    difference, area, bounds = verdicts.told_apart()
    statement = (
        f"A small classifier tells generated images from real ones in {_words(area, bounds)} of pairs (50 % is chance)"
    )
    by_class = {label: verdicts.told_apart(label)[1:] for label in verdicts.classes}
    if len(by_class) > 1:
        easiest, hardest = (choose(by_class, key=lambda label: by_class[label][0]) for choose in (max, min))
        statement += (
            f"; easiest are the {plural(easiest)} ({_words(*by_class[easiest])}), "
            f"hardest the {plural(hardest)} ({_words(*by_class[hardest])})"
        )
    of_test = Difference(*floor["difference"]) if floor else UNKNOWN
    return Effect("two_sample/all/told_apart", f"{statement}.", difference, of_test, figure="suspects")


def _words(area: float, bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{100 * area:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
