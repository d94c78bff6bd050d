import pytest
import torch

from fmcgan.metric.authenticity import Authenticity
from fmcgan.metric.image_set import ImageSet, RealImages
from tests.garments import garment_set


def flat_images(levels: list[int], labels: list[int] | None = None, bootstrap_samples: int = 0) -> ImageSet:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return garment_set(images, torch.tensor(labels or [0] * len(levels)), bootstrap_samples=bootstrap_samples)


def test_four_samples_by_hand(quadrants):
    """The training images 0, 10, 100 have gaps of 10, 10, 90; the samples are 3, 10, 11 and 100 from the nearest."""
    real = RealImages(flat_images([0, 10, 100]), flat_images([50]))
    samples = flat_images([3, 20, 21, 200], [0, 0, 4, 4], bootstrap_samples=20)
    measured = Authenticity({"q": quadrants}).measure(samples, real)
    assert list(measured) == ["authentic_pixels", "authentic_quadrants"]
    for value in measured.values():
        assert value.value == 0.5  # as far as the gap is not authentic
        assert value.by_class[:5] == (0.0, None, None, None, 1.0)
        assert value.interval == pytest.approx((0.1500, 0.8500), abs=1e-4)  # Wilson, 2 of 4


def test_copies_are_not_authentic_even_of_images_that_the_data_repeat():
    train = flat_images([7, 7, 90, 200])
    measured = Authenticity({}).measure(flat_images([7, 90, 200]), RealImages(train, train))
    assert measured["authentic_pixels"].value == 0


def test_copies_and_noise_on_garments_and_new_images_as_test_images(real_train, real_test, quadrants):
    real = RealImages(real_train.balanced(3000), real_test.balanced(1000))
    metric = Authenticity({"q": quadrants})
    copies = metric.measure(real.train.subset(torch.arange(0, 3000, 6)), real)
    new = metric.measure(real_train.subset(torch.arange(40_000, 41_000)), real)
    of_test = metric.measure(metric.real_samples(real), real)
    noise = torch.randint(0, 256, (200, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    of_noise = metric.measure(garment_set(noise, torch.arange(200) % 10), real)
    assert of_noise["authentic_pixels"].value == 1
    for name in ("authentic_pixels", "authentic_quadrants"):
        assert copies[name].value == 0
        assert new[name].value == pytest.approx(of_test[name].value, abs=0.07)  # three standard errors
        assert 0.1 < of_test[name].value < 0.9
