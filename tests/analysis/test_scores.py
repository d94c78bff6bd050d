import json
from typing import ClassVar

import pytest
import torch
from matplotlib.figure import Figure

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.scores import Scores
from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.base import Metric
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.gan_test import GanTest
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import MetricValue, Quantity, by_class
from tests.garments import garment_set


class Darkness(Metric):
    """255 less the mean grey level, with the classes if it is asked to tell them apart."""

    protocol = ""
    kinds: ClassVar = {name: Quantity(name.capitalize(), "lower") for name in ("darkness", "plain")}
    uses_reference = False

    def __init__(self, name: str = "darkness", classes: bool = True) -> None:
        self.name, self.classes, self.protocol = name, classes, name

    def measure(self, samples, real):
        dark = 255 - samples.images.double().mean(dim=(1, 2, 3))
        value, classes = (
            dark.mean().item(),
            by_class(dark, samples.labels, samples.info.num_classes) if self.classes else None,
        )
        interval = (value - 1, value + 1) if self.classes else None
        return {self.name: MetricValue(value, interval, classes)}


class Picky(Darkness):
    def measure(self, samples, real):
        raise InvalidValueError("too few")


def grey(levels: list[int], labels: list[int]) -> ImageSet:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return garment_set(images, torch.tensor(labels))


def subject_of(samples: ImageSet, real: RealImages, store: Store) -> Subject:
    return Subject(samples, real, None, None, 0, store)


@pytest.fixture
def subject(tmp_path) -> Subject:
    """Samples that lack 10, 20 and 30 levels, of classes 0, 0 and 3. The real row is of training images."""
    train, test = grey([155] * 10, list(range(10))), grey([5] * 10, list(range(10)))
    return subject_of(grey([245, 235, 225], [0, 0, 3]), RealImages(train, test), Store(tmp_path))


def test_a_table_holds_each_score_with_its_interval_and_the_real_images(subject):
    section = Scores({"a": Darkness(), "b": Darkness("plain", classes=False)}).analyse(subject)
    table = section.tables[0]
    assert [column.name for column in table.columns] == ["metric", "value", "low", "high", "real", "better"]
    assert table.rows == [
        ("darkness_3", 20.0, 19.0, 21.0, 100.0, "lower"),
        ("plain_3", 20.0, None, None, 100.0, "lower"),
    ]
    assert not section.effects


def test_classes_are_told_of_the_scores_that_have_them(subject):
    section = Scores({"a": Darkness(), "b": Darkness("plain", classes=False)}).analyse(subject)
    _, table = section.tables
    assert [column.title for column in table.columns[:4]] == ["metric", "of", "t-shirt", "trouser"]
    nobody = (None,) * 6
    assert table.rows == [
        ("darkness_3", "samples", 15.0, None, None, 30.0, *nobody),
        ("darkness_3", "real data", 100.0, 100.0, 100.0, *[None] * 7),  # as many as there are samples
    ]
    (picture,) = section.pictures
    assert isinstance(picture.content, Figure)
    titles = [axes.get_title(loc="left") for axes in picture.content.axes]
    assert titles == ["darkness_3 (lower is better)"]


def test_without_classes_there_is_no_figure(subject):
    section = Scores({"b": Darkness("plain", classes=False)}).analyse(subject)
    assert len(section.tables) == 1
    assert not section.pictures


def test_values_are_what_an_evaluation_of_all_samples_gives(real, tmp_path):
    """Real test images, read by the shipped classifier: the values are those of the page's own evaluator."""
    store = Store(tmp_path)
    samples = real.test.balanced(300)
    section = Scores({"gan_test": GanTest()}).analyse(subject_of(samples, real, store))
    expected = Evaluator({"gan_test": GanTest()}, real, 300, ("real",), store).measure(samples)
    assert section.values == expected == json.loads(json.dumps(section.values))
    name, value, *_, floor, better = section.tables[0].rows[0]
    assert (name, better) == ("label_agreement_classifier_300", "higher")
    assert value == floor == expected[name]["value"] > 0.85  # the row is of the same test images


def test_what_real_images_get_comes_from_the_store(subject, monkeypatch):
    Scores({"a": Darkness()}).analyse(subject)
    measured = []
    monkeypatch.setattr(Darkness, "measure", _counting(Darkness.measure, measured))
    section = Scores({"a": Darkness()}).analyse(subject)
    assert measured == [245]  # the samples alone
    assert section.tables[0].rows[0][4] == 100.0


def _counting(measure, brightest):
    def counted(self, samples, real):
        brightest.append(samples.images.max().item())
        return measure(self, samples, real)

    return counted


def test_a_score_that_cannot_be_measured_is_left_out_and_all_of_them_are_told(subject):
    section = Scores({"p": Picky(), "a": Darkness()}).analyse(subject)
    assert list(section.values) == ["darkness_3"]
    with pytest.raises(NotApplicable, match="none of p can be measured on 3 samples"):
        Scores({"p": Picky()}).analyse(subject)


def test_no_scores_are_refused():
    with pytest.raises(InvalidValueError, match="metric must hold at least one metric, got none"):
        Scores({})
