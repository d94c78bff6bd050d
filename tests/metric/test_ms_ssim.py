import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.ms_ssim import WithinClassMsSsim, ms_ssim, pairs_within_classes
from fmcgan.metric.value import MetricValue
from tests.garments import garment_set

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
WEIGHTS = np.array([0.0448, 0.2856, 0.3001]) / 0.6305


def grey(level: int, n: int = 1) -> Tensor:
    return torch.full((n, 1, 28, 28), level, dtype=torch.uint8)


def noise(n: int, seed: int = 0) -> Tensor:
    return torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def labelled(images: Tensor, **options) -> ImageSet:
    return garment_set(images, torch.arange(len(images)) % 10, **options)


def measured(samples: ImageSet, pairs_per_class: int = 200) -> MetricValue:
    (measurement,) = WithinClassMsSsim(pairs_per_class).measure(samples, RealImages(samples, samples)).values()
    return measurement


def window(image: np.ndarray) -> np.ndarray:
    return gaussian_filter(image, sigma=1.5 * 7 / 11, radius=3, mode="mirror")


def written_out(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2003 for one pair: contrast and structure at three scales, luminance at the coarsest."""
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        mean_a, mean_b = window(a), window(b)
        variances = window(a * a) - mean_a**2 + window(b * b) - mean_b**2
        structure = (2 * (window(a * b) - mean_a * mean_b) + C2) / (variances + C2)
        if scale == 2:
            luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
            return product * max(0.0, (luminance * structure).mean()) ** weight
        product *= max(0.0, structure[3:-3, 3:-3].mean()) ** weight  # where the window is whole
        a, b = (each.reshape(each.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for each in (a, b))
    raise AssertionError


def test_flat_images_differ_in_luminance_at_the_coarsest_scale_alone():
    a, b = torch.cat([grey(0), grey(100), grey(7)]), torch.cat([grey(255), grey(50), grey(7)])
    luminance = np.array([C1 / (255**2 + C1), (2 * 100 * 50 + C1) / (100**2 + 50**2 + C1), 1.0])
    assert ms_ssim(a, b).numpy() == pytest.approx(luminance ** WEIGHTS[2], rel=1e-6)


def test_it_agrees_with_the_definition_written_out(real_test):
    shirts = real_test.images[real_test.of_class(6)[:8]]
    a, b = torch.cat([shirts[:4], noise(2)]), torch.cat([shirts[4:], noise(2, seed=1)])
    b[3] = a[3] // 2  # one pair that is alike
    expected = [written_out(x.double().numpy()[0], y.double().numpy()[0]) for x, y in zip(a, b, strict=True)]
    assert ms_ssim(a, b).numpy() == pytest.approx(np.array(expected), rel=1e-6)
    assert max(expected) > 0.7
    assert ms_ssim(b, a).numpy() == pytest.approx(np.array(expected), rel=1e-6)


def test_a_pair_is_the_same_among_any_others():
    a, b = noise(45), noise(45, seed=1)
    alone = torch.cat([ms_ssim(a[i : i + 1], b[i : i + 1]) for i in range(45)])
    assert torch.allclose(ms_ssim(a, b), alone, rtol=1e-9, atol=1e-9)


def test_negatives_of_each_other_are_not_alike_and_not_nan():
    images = noise(20)
    assert ms_ssim(images, 255 - images).tolist() == [0.0] * 20


def test_noise_is_in_range():
    values = ms_ssim(noise(200), noise(200, seed=1))
    assert values.isfinite().all()
    assert 0 <= values.min() < values.max() < 0.3


@pytest.mark.parametrize("images", [grey(0), grey(255), noise(1)], ids=["black", "white", "noise"])
def test_a_collapsed_class_gives_1(images):
    samples = labelled(images.repeat(40, 1, 1, 1), bootstrap_samples=10)
    result = measured(samples)
    assert result.value == pytest.approx(1.0, abs=1e-12)
    assert result.value <= 1 + 1e-12
    assert result.interval == pytest.approx((1.0, 1.0), abs=1e-12)
    assert list(result.by_class) == pytest.approx([1.0] * 10, abs=1e-12)


def test_pairs_are_of_one_class_and_hold_each_sample_at_most_once():
    labels = torch.tensor([0] * 9 + [3] * 4 + [4] + [7] * 30)
    samples = garment_set(noise(len(labels)), labels)
    pairs = pairs_within_classes(samples, most=5)
    assert torch.equal(labels[pairs[:, 0]], labels[pairs[:, 1]])
    assert labels[pairs[:, 0]].bincount(minlength=10).tolist() == [4, 0, 0, 2, 0, 0, 0, 5, 0, 0]
    assert len(pairs.unique()) == pairs.numel()


def test_pairs_of_two_repeated_images_are_equal_half_the_time():
    """Two images, 500 copies each: a mode collapse that pairing by any order of the content would hide."""
    images = noise(2).repeat_interleave(500, dim=0)
    samples = garment_set(images, torch.zeros(1000, dtype=torch.int64))
    pairs = pairs_within_classes(samples, most=500)
    equal = (pairs[:, 0] < 500) == (pairs[:, 1] < 500)
    assert equal.double().mean().item() == pytest.approx(0.5, abs=0.07)  # a standard error is 0.022


def test_the_value_is_the_mean_over_pairs_and_each_class_has_its_own():
    """Class 2 has collapsed and has four pairs, class 5 two pairs of black and white, class 6 one sample."""
    images = torch.cat([grey(50, 8), grey(0), grey(255), grey(0)])
    labels = torch.tensor([2] * 8 + [5] * 2 + [6])
    opposites = (C1 / (255**2 + C1)) ** WEIGHTS[2]
    result = measured(garment_set(images, labels))
    assert result.value == pytest.approx((4 + opposites) / 5, rel=1e-6)
    assert result.by_class[2] == pytest.approx(1.0, abs=1e-12)
    assert result.by_class[5] == pytest.approx(opposites, rel=1e-6)
    assert [label for label in range(10) if result.by_class[label] is not None] == [2, 5]
    assert result.interval is None


def test_without_two_samples_of_a_class_there_is_nothing_to_measure():
    samples = labelled(noise(3))
    assert WithinClassMsSsim().measure(samples, RealImages(samples, samples)) == {}


def test_it_depends_on_neither_order_nor_what_came_before_nor_the_random_state():
    images = torch.cat([noise(60), noise(20), grey(0, 20)])  # with repeats
    samples = labelled(images, bootstrap_samples=10)
    state = torch.get_rng_state()
    first = measured(samples, 3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert measured(labelled(images, bootstrap_samples=10), 3) == first
    shuffled = measured(samples.subset(torch.randperm(100, generator=torch.Generator().manual_seed(0))), 3)
    assert shuffled.value == pytest.approx(first.value, rel=1e-9)
    assert shuffled.interval == pytest.approx(first.interval, rel=1e-9)
    assert torch.equal(samples.images, images)


def test_the_interval_holds_the_value():
    result = measured(labelled(noise(200), bootstrap_samples=100))
    low, high = result.interval
    assert 0 < low < result.value < high < 1


def test_duplicated_samples_are_more_alike(real_train):
    samples = real_train.balanced(200)
    images, labels = samples.images[:, None].expand(-1, 5, 1, 28, 28).flatten(0, 1), samples.labels.repeat_interleave(5)
    assert measured(garment_set(images, labels)).value > measured(samples).value


def test_real_images_are_as_diverse_as_real_ones_and_blurred_ones_are_less_so(real_train, real_test):
    samples, reference = real_train.balanced(1000), measured(real_test.balanced(1000))
    blurred = F.avg_pool2d(samples.images.float(), 3, stride=1, padding=1).round().to(torch.uint8)
    assert measured(samples).value == pytest.approx(reference.value, abs=0.04)
    assert measured(garment_set(blurred, samples.labels)).value > reference.value + 0.05
    assert measured(garment_set(noise(1000), samples.labels)).value < reference.value - 0.2


def test_the_name_carries_the_number_of_samples():
    samples = labelled(noise(1000))
    assert list(WithinClassMsSsim(2).measure(samples, RealImages(samples, samples))) == ["ms_ssim_within_class"]


@pytest.mark.parametrize("given", [0, 1.5, "200"])
def test_a_wrong_number_of_pairs_is_refused(given):
    with pytest.raises(InvalidValueError, match="pairs_per_class"):
        WithinClassMsSsim(given)
