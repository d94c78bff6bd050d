import math

import numpy as np
import pytest
import torch
from scipy import stats

from fmcgan.metric.data_copying import DataCopying
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.memorisation import nearest_training
from tests.garments import garment_set


def flat_images(levels: list[int], labels: list[int], bootstrap_samples: int = 0) -> ImageSet:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return garment_set(images, torch.tensor(labels), bootstrap_samples=bootstrap_samples)


@pytest.fixture(scope="module")
def small(real_train, real_test) -> RealImages:
    return RealImages(real_train.balanced(3000), real_test.balanced(1000))


def test_two_cells_by_hand(quadrants):
    """Class 0: samples at 1 and 3, test images at 2 and 4: U = 1, z = (1 - 2) / √(20 / 12). Class 3: equal, z = 0.

    A third of the test images are of class 0. Class 5 has no test images, class 6 no training images, class 9 no
    samples.
    """
    real = RealImages(
        flat_images([0, 100, 3, 9], [0, 3, 5, 9]), flat_images([2, 4, *[110] * 4, 5], [0, 0, *[3] * 4, 6])
    )
    samples = flat_images([1, 3, 110, 7, 8], [0, 0, 3, 5, 6])
    measured = DataCopying({"q": quadrants}).measure(samples, real)
    assert list(measured) == ["data_copying_pixels", "data_copying_quadrants"]
    z = -1 / math.sqrt(20 / 12)
    for value in measured.values():
        assert value.value == pytest.approx(z / 3, rel=1e-12)
        assert value.by_class[:4] == (pytest.approx(z, rel=1e-12), None, None, 0.0)
        assert value.by_class[4:] == (None,) * 6


def test_distances_are_to_training_images_of_the_class():
    """The sample equals a training image of another class, and is 50 from that of its own."""
    real = RealImages(flat_images([0, 50], [0, 3]), flat_images([20, 40, 60], [0, 0, 0]))
    near, far = (DataCopying({}).measure(flat_images([level], [0]), real) for level in (0, 50))
    assert near["data_copying_pixels"].value == pytest.approx(-0.5 * math.sqrt(12 * 3 / 5), rel=1e-12)
    assert far["data_copying_pixels"].value == pytest.approx((2 / 3 - 0.5) * math.sqrt(12 * 3 / 5), rel=1e-12)


def test_a_cell_agrees_with_the_mann_whitney_test_of_scipy(small, real_train):
    label = 7
    samples = real_train.subset(torch.arange(40_000, 42_000)).of_classes([label])
    real = RealImages(small.train.of_classes([label]), small.test.of_classes([label]))
    own, held_out = (nearest_training(each, real, None)["distance"].numpy() for each in (samples, real.test))
    test = stats.mannwhitneyu(own, held_out, method="asymptotic", use_continuity=False)
    u = test.statistic - len(own) * len(held_out) / 2
    measured = DataCopying({}).measure(samples, real)["data_copying_pixels"].value
    assert math.copysign(stats.norm.isf(test.pvalue / 2), u) == pytest.approx(measured, rel=1e-3)  # ties are rare


def test_copies_are_far_below_zero_and_new_images_about_it(quadrants, small, real_train):
    metric = DataCopying({"q": quadrants})
    copies = metric.measure(small.train.balanced(500), small)
    new = metric.measure(real_train.subset(torch.arange(40_000, 41_000)), small)
    of_test = metric.measure(metric.real_samples(small), small)
    for name in ("data_copying_pixels", "data_copying_quadrants"):
        of_copies = copies[name].value
        # 50 samples and 100 test images of each class; a few test images are copies of training images too.
        assert of_copies == pytest.approx(-0.5 * math.sqrt(12 * 50 * 100 / 151), rel=0.02)
        assert abs(new[name].value) < 1.2  # the mean of ten z, each of standard deviation 1: 0.32
        assert of_test[name].value == pytest.approx(0, abs=1e-12)


def test_nothing_to_compare_is_no_value():
    real = RealImages(flat_images([0], [0]), flat_images([9], [1]))
    assert DataCopying({}).measure(flat_images([3, 4], [2, 2]), real) == {}


def test_the_interval_is_that_of_repeated_samples():
    levels, labels = [3, 9, 14, 20, 31, 44, 2, 50], [0, 0, 0, 0, 3, 3, 3, 3]
    real = RealImages(flat_images([0, 100], [0, 3]), flat_images([5, 11, 16, 40, 60, 70], [0, 0, 0, 3, 3, 3]))
    samples = flat_images(levels, labels, bootstrap_samples=30)
    measured = DataCopying({}).measure(samples, real)["data_copying_pixels"]
    drawn = []
    for counts in samples.resamples.int().tolist():
        again = flat_images(np.repeat(levels, counts).tolist(), np.repeat(labels, counts).tolist())
        drawn.append(DataCopying({}).measure(again, real)["data_copying_pixels"].value)
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975])
    assert measured.interval == pytest.approx((measured.value + low - middle, measured.value + high - middle), rel=1e-9)
