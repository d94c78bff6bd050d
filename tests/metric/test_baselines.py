"""Baselines of images that can be computed by hand, and a metric that counts its calls."""

from typing import ClassVar

import pytest
import torch

from fmcgan.metric.base import Metric
from fmcgan.metric.baselines import BASELINES, Baselines, applicable
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import MetricValue, Quantity
from tests.garments import garment_set


class Brightness(Metric):
    """Mean grey level."""

    protocol = "brightness"
    kinds: ClassVar = {"brightness": Quantity("Brightness", "real")}

    def __init__(self) -> None:
        self.times_measured = 0

    def measure(self, samples, real):
        self.times_measured += 1
        value = samples.images.double().mean().item()
        return {"brightness": MetricValue(value)}


def grey(*levels: int, per_class: int) -> ImageSet:
    """Class c has the grey level levels[c]."""
    labels = torch.arange(10).repeat(per_class)
    images = torch.tensor(levels, dtype=torch.uint8)[labels][:, None, None, None].expand(-1, 1, 28, 28).contiguous()
    return garment_set(images, labels)


@pytest.fixture
def real() -> RealImages:
    return RealImages(grey(*range(0, 200, 20), per_class=6), grey(*range(10, 210, 20), per_class=3))


@pytest.fixture
def baselines(real, tmp_path) -> Baselines:
    return Baselines(real, Store(tmp_path))


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("real", 90),
        ("shuffled_labels", 90),
        ("class_means", 90),
        ("training_copies", 90),
        ("uniform_noise", pytest.approx(127.5, abs=1)),
    ],
)
def test_each_baseline_has_the_images_of_its_name(baselines, baseline, expected):
    assert baselines.measure(Brightness(), baseline, 40) == {
        "brightness_40_test": {"value": expected, "by_class": None}
    }


@pytest.mark.parametrize(("baseline", "expected"), [("real", 160), ("shuffled_labels", 160), ("class_means", 160)])
def test_baselines_of_some_classes_hold_these_alone(real, tmp_path, baseline, expected):
    """Of 7 and 9, which have the levels 140 and 180."""
    some = RealImages(real.train.of_classes([9, 7]), real.test.of_classes([9, 7]))
    baselines = Baselines(some, Store(tmp_path))
    assert baselines.measure(Brightness(), baseline, 8) == {"brightness_8_test": {"value": expected, "by_class": None}}
    assert set(baselines.images(Brightness(), "uniform_noise", 8).labels.tolist()) == {7, 9}
    assert real.train.of_classes(list(range(10))) is real.train


def test_real_images_are_those_of_the_split_that_is_not_the_reference(real, tmp_path):
    assert Baselines(real._replace(reference_split="train"), Store(tmp_path)).measure(Brightness(), "real", 20) == {
        "brightness_20_train": {"value": 100, "by_class": None}
    }


def test_shuffled_labels_keep_the_images_and_their_numbers_by_class(baselines):
    plain, shuffled = (baselines.images(Brightness(), baseline, 40) for baseline in ("real", "shuffled_labels"))
    assert torch.equal(plain.images, shuffled.images)
    assert torch.equal(plain.labels.bincount(), shuffled.labels.bincount())
    assert 0 < (plain.labels == shuffled.labels).float().mean() < 0.4


def test_class_means_repeat_one_image_a_class(baselines):
    means = baselines.images(Brightness(), "class_means", 40)
    assert means.images[means.of_class(3)].unique().tolist() == [60]


def test_a_baseline_is_measured_once_and_found_by_another_process(baselines, real):
    score = Brightness()
    baselines.measure(score, "real", 40)
    Baselines(real, Store(baselines.store.folder)).measure(score, "real", 40)
    assert score.times_measured == 1
    baselines.measure(score, "real", 30)
    baselines.measure(score, "uniform_noise", 40)
    assert score.times_measured == 3


def test_fewer_real_images_than_samples_stand_under_the_name_of_the_samples(baselines):
    assert list(baselines.measure(Brightness(), "real", 5000)) == ["brightness_5k_test"]


def test_real_images_have_the_class_proportions_of_the_reference_as_samples_have(real, tmp_path):
    """One training image of class 0, six of the others, equally many test images: ten and one of the lowest class."""
    others = (real.train.labels != 0).nonzero().squeeze(1)
    few = real._replace(train=real.train.subset(torch.cat([real.train.of_class(0)[:1], others])))
    baselines = Baselines(few, Store(tmp_path))
    assert baselines.images(Brightness(), "real", 5000).labels.bincount().tolist() == [1, 2] + 8 * [1]
    assert baselines.measure(Brightness(), "real", 5000)["brightness_5k_test"]["value"] == pytest.approx(920 / 11)


def test_fewer_real_images_than_samples_are_told_once_also_of_stored_values(baselines, real, caplog):
    """Sixty training images of ten classes; flawed baselines and later metrics say nothing more."""
    for each in (baselines, Baselines(real, Store(baselines.store.folder))):
        caplog.clear()
        for baseline in ("real", "training_copies", "real"):
            each.measure(Brightness(), baseline, 5000)
        assert caplog.messages == ["5,000 samples are compared with values of 60 real images; n=60: as many"]
    caplog.clear()
    baselines.measure(Brightness(), "real", 60)
    assert not caplog.messages


def test_a_score_of_minutes_is_measured_on_real_images_only():
    slow = Brightness()
    slow.quick = False
    assert applicable(slow, list(BASELINES)) == ["real"]
    assert applicable(Brightness(), list(BASELINES)) == list(BASELINES)
