"""The rows on images that can be reckoned with by hand, and a score that only counts."""

import pytest
import torch

from fmcgan.metric.base import Measurement, Metric, RealImages
from fmcgan.metric.baselines import TITLES, Rows, applicable
from fmcgan.metric.image_set import ImageSet, count_name
from fmcgan.metric.results_store import Store


class Brightness(Metric):
    """Mean grey level."""

    protocol = "brightness"

    def __init__(self) -> None:
        self.times_measured = 0

    def measure(self, samples, real):
        self.times_measured += 1
        value = samples.images.double().mean().item()
        return {f"brightness_{count_name(len(samples))}_{real.reference_split}": Measurement(value, "real")}


def grey(*levels: int, per_class: int) -> ImageSet:
    """Class c has the grey level levels[c]."""
    labels = torch.arange(10).repeat(per_class)
    images = torch.tensor(levels, dtype=torch.uint8)[labels][:, None, None, None].expand(-1, 1, 28, 28).contiguous()
    return ImageSet(images, labels)


@pytest.fixture
def real() -> RealImages:
    return RealImages(grey(*range(0, 200, 20), per_class=6), grey(*range(10, 210, 20), per_class=3))


@pytest.fixture
def rows(real, tmp_path) -> Rows:
    return Rows(real, Store(tmp_path))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("real", 90),
        ("shuffled_labels", 90),
        ("class_means", 90),
        ("copies", 90),
        ("noise", pytest.approx(127.5, abs=1)),
    ],
)
def test_each_row_is_what_it_is_called(rows, row, expected):
    assert rows.measure(Brightness(), row, 40) == {"brightness_40_test": {"value": expected, "by_class": None}}


@pytest.mark.parametrize(("row", "expected"), [("real", 160), ("shuffled_labels", 160), ("class_means", 160)])
def test_the_rows_of_some_classes_are_of_these_alone(real, tmp_path, row, expected):
    """Of 7 and 9, which have the levels 140 and 180."""
    some = RealImages(real.train.of_classes([9, 7]), real.test.of_classes([9, 7]))
    rows = Rows(some, Store(tmp_path))
    assert rows.measure(Brightness(), row, 8) == {"brightness_8_test": {"value": expected, "by_class": None}}
    assert set(rows.images(Brightness(), "noise", 8).labels.tolist()) == {7, 9}
    assert real.train.of_classes(list(range(10))) is real.train


def test_real_images_are_those_of_the_split_that_is_not_the_reference(real, tmp_path):
    assert Rows(real._replace(reference_split="train"), Store(tmp_path)).measure(Brightness(), "real", 20) == {
        "brightness_20_train": {"value": 100, "by_class": None}
    }


def test_shuffled_labels_keep_the_images_and_their_numbers_by_class(rows):
    plain, shuffled = (rows.images(Brightness(), row, 40) for row in ("real", "shuffled_labels"))
    assert torch.equal(plain.images, shuffled.images)
    assert torch.equal(plain.labels.bincount(), shuffled.labels.bincount())
    assert 0 < (plain.labels == shuffled.labels).float().mean() < 0.4


def test_class_means_repeat_one_image_a_class(rows):
    means = rows.images(Brightness(), "class_means", 40)
    assert means.images[means.of_class(3)].unique().tolist() == [60]


def test_a_row_is_measured_once_and_found_by_another_process(rows, real):
    score = Brightness()
    rows.measure(score, "real", 40)
    Rows(real, Store(rows.store.folder)).measure(score, "real", 40)
    assert score.times_measured == 1
    rows.measure(score, "real", 30)
    rows.measure(score, "noise", 40)
    assert score.times_measured == 3


def test_fewer_real_images_than_samples_stand_under_the_name_of_the_samples(rows):
    assert list(rows.measure(Brightness(), "real", 5000)) == ["brightness_5k_test"]


def test_a_score_of_minutes_is_measured_on_real_images_only():
    slow = Brightness()
    slow.quick = False
    assert applicable(slow, list(TITLES)) == ["real"]
    assert applicable(Brightness(), list(TITLES)) == list(TITLES)
