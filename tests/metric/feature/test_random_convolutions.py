import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.feature.random_convolutions import RandomConvolutions
from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from tests.garments import garment_set
from tests.metric.frechet_reference import frechet_distance, gaussian_statistics


def some_images(count: int, brightest: int = 255) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, brightest + 1, (count, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return garment_set(images, torch.arange(count) % 10)


def changed(images: ImageSet, to: Tensor) -> ImageSet:
    return garment_set(to, images.labels)


def distance(network: FeatureNetwork, a: ImageSet, b: ImageSet) -> float:
    return frechet_distance(*gaussian_statistics(network.features(a)), *gaussian_statistics(network.features(b)))


def test_features_are_those_of_scipy_with_weights_drawn_here():
    generator = torch.Generator().manual_seed(3)
    edges = torch.randint(-1024, 1025, (32, 9), generator=generator).double().numpy()
    mixtures = torch.randint(-1024, 1025, (32, 32 * 9), generator=generator).double().numpy()
    edges = (edges - edges.mean(axis=1, keepdims=True)).reshape(32, 3, 3) / 1024 * np.sqrt(6 / 9)
    mixtures = mixtures.reshape(32, 32, 3, 3) / 1024 * np.sqrt(6 / 288)
    images = some_images(1)
    image = images.images[0, 0].double().numpy() / 16
    maps = [np.maximum(correlate2d(image, edge, mode="same"), 0) for edge in edges]
    maps = [each.reshape(14, 2, 14, 2).mean(axis=(1, 3)) for each in maps]
    sums = [sum(correlate2d(a, b, mode="same") for a, b in zip(maps, mixture, strict=True)) for mixture in mixtures]
    expected = [np.maximum(each, 0).reshape(2, 7, 2, 7).mean(axis=(1, 3)).ravel() for each in sums]
    features = RandomConvolutions(seed=3).features(images)
    torch.testing.assert_close(
        features.double(), torch.from_numpy(np.concatenate(expected))[None], rtol=1e-5, atol=1e-6
    )


def test_black_is_zero_and_twice_the_grey_level_twice_the_features():
    network, images = RandomConvolutions(), some_images(3, brightest=127)
    assert not network.features(changed(images, torch.zeros_like(images.images))).any()
    torch.testing.assert_close(network.features(changed(images, images.images * 2)), 2 * network.features(images))


def test_real_garments_have_features_of_about_1_that_all_vary(real_test):
    features = RandomConvolutions().features(real_test.balanced(1000)).double()
    assert features.shape == (1000, 128)
    assert 0.5 < features.square().mean() < 2
    eigenvalues = torch.linalg.eigvalsh(torch.cov(features.T))
    assert eigenvalues[0] > 1e-6 * eigenvalues[-1]


@pytest.mark.parametrize("seed", [0, 1])
def test_it_sees_what_the_classifier_was_trained_to_overlook(seed, real_train, real_test):
    test, train, network = real_test.balanced(2000), real_train.balanced(2000), RandomConvolutions(seed)
    floor = distance(network, train, test)
    assert distance(network, changed(train, train.images.flip(3)), test) > 30 * floor
    assert distance(network, changed(train, train.images.roll(1, dims=3)), test) > 5 * floor


def test_the_classifier_overlooks_a_mirrored_image(real_train, real_test):
    """What makes the bounds above worth asking for."""
    test, train, network = real_test.balanced(500), real_train.balanced(500), ClassifierFeatures()
    floor = distance(network, train, test)
    assert distance(network, changed(train, train.images.flip(3)), test) < 2 * floor


def test_it_sees_noise_blur_and_a_lack_of_variety(real_train, real_test):
    test, train, network = real_test.balanced(2000), real_train.balanced(2000), RandomConvolutions()
    generator = torch.Generator().manual_seed(0)
    noise = 10 * torch.randn(train.images.shape, generator=generator)
    noisy = (train.images + noise).round().clamp(0, 255).to(torch.uint8)
    blurred = torch.nn.functional.avg_pool2d(train.images.float(), 3, stride=1, padding=1).to(torch.uint8)
    repeated = train.images[:20].repeat(100, 1, 1, 1)
    floor = distance(network, train, test)
    for images in (noisy, blurred, repeated):
        assert distance(network, changed(train, images), test) > 5 * floor


def test_the_version_is_that_of_the_weights_and_the_same_on_every_machine():
    assert RandomConvolutions().version == RandomConvolutions(seed=0, batch_size=3).version == "102e7beee295a8da"
    assert RandomConvolutions(seed=1).version != RandomConvolutions().version


def test_the_batch_size_changes_features_by_rounding_only():
    whole = RandomConvolutions(batch_size=60).features(some_images(60))
    parts = RandomConvolutions(batch_size=7).features(some_images(60))
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=0)


def test_it_computes_where_the_images_are():
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8, device="meta")
    assert RandomConvolutions()._extract(images)["features"].device.type == "meta"


def test_constructing_and_reading_leave_the_global_random_state_alone():
    before = torch.get_rng_state()
    RandomConvolutions(5).features(some_images(2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("values", "message"), [({"seed": -1}, "seed .* from 0 to"), ({"batch_size": 2.5}, "2.5")])
def test_values_that_cannot_be_are_refused(values, message):
    with pytest.raises(InvalidValueError, match=message):
        RandomConvolutions(**values)
