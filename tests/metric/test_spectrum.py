import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.spectrum import FLOOR, Spectrum, decibels, radial_power, spectrum_distance
from fmcgan.metric.value import MetricValue
from tests.garments import garment_set

HALVING = 20 * math.log10(2)


def labelled(images: Tensor, **options) -> ImageSet:
    return garment_set(images, torch.arange(len(images)) % 10, **options)


def flat(grey: int, n: int = 20, **options) -> ImageSet:
    return labelled(torch.full((n, 1, 28, 28), grey, dtype=torch.uint8), **options)


def noise(n: int, seed: int = 0, high: int = 256) -> Tensor:
    return torch.randint(high, (n, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def measured(samples: ImageSet, reference: ImageSet) -> MetricValue:
    (measurement,) = Spectrum().measure(samples, RealImages(reference, reference)).values()
    return measurement


def frequencies_at(radius: int) -> int:
    """How many of the 784 frequencies are in a ring."""
    return sum(round(math.hypot(x, y)) == radius for x in range(-14, 14) for y in range(-14, 14))


def wave(levels: list[int], across: bool) -> Tensor:
    """An image that repeats some grey levels along one axis."""
    line = torch.tensor(levels, dtype=torch.uint8).repeat(28 // len(levels))
    image = line.expand(28, 28) if across else line[:, None].expand(28, 28)
    return image.reshape(1, 1, 28, 28).contiguous()


@pytest.mark.parametrize("across", [True, False])
def test_the_power_of_a_wave_is_in_its_ring(across):
    """128 + 100 cos(2π 7 x / 28): two frequencies of magnitude 14 · 100 / 255 in the ring of radius 7."""
    power = radial_power(wave([228, 128, 28, 128], across))[0]
    expected = torch.zeros(15, dtype=torch.float64)
    expected[0] = (28 * 128 / 255) ** 2
    expected[7] = 2 * (14 * 100 / 255) ** 2 / frequencies_at(7)
    assert torch.allclose(power, expected, rtol=1e-9, atol=1e-12)


def test_the_last_ring_is_the_nyquist_frequency():
    """Stripes of one pixel: one frequency of magnitude 28 · 100 / 255."""
    power = radial_power(wave([228, 28], across=True))[0]
    assert power[14].item() == pytest.approx((28 * 100 / 255) ** 2 / frequencies_at(14), rel=1e-9)
    assert power[1:14].max() < 1e-12


def test_the_corners_are_left_out():
    """A chessboard has all but its mean at (14, 14), of radius 19.8."""
    cells = torch.arange(28)
    board = (((cells[:, None] + cells) % 2) * 255).to(torch.uint8).view(1, 1, 28, 28)
    power = radial_power(board)[0]
    assert power[0].item() == pytest.approx(784 / 4, rel=1e-9)
    assert power[1:].max() < 1e-12


def test_a_wave_between_the_axes_is_in_the_ring_of_its_length():
    """Frequencies (3, 4) lie at 5."""
    x = torch.arange(28, dtype=torch.float64)
    phase = 2 * math.pi * (3 * x[:, None] + 4 * x) / 28
    power = radial_power((128 + 100 * phase.cos()).round().to(torch.uint8).view(1, 1, 28, 28))[0]
    assert power[5].item() == pytest.approx(2 * (14 * 100 / 255) ** 2 / frequencies_at(5), rel=1e-2)
    assert power[[1, 2, 3, 4, *range(6, 15)]].max() < 1e-3 * power[5]


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    variance = (256**2 - 1) / 12 / 255**2
    spectrum = radial_power(noise(2000)).mean(dim=0)
    assert spectrum[1:].numpy() == pytest.approx(np.full(14, variance), rel=0.06)  # ring 1 has a standard error of 1 %
    assert spectrum[0].item() == pytest.approx(784 / 4 + variance, rel=0.01)


def test_images_are_read_one_by_one():
    images = noise(2003)
    assert torch.allclose(radial_power(images)[2001:], radial_power(images[2001:]), rtol=1e-9)


def test_the_distance_of_two_spectra_computed_by_hand():
    a, b = torch.zeros(15, dtype=torch.float64), torch.zeros(2, 15, dtype=torch.float64)
    b[0, 3], b[0, 14], b[1] = 3.0, -6.0, 2.0
    assert spectrum_distance(a, b).tolist() == pytest.approx([math.sqrt(45 / 15), 2.0], rel=1e-12)


def test_decibels_are_ten_a_decade_above_the_floor():
    power = torch.tensor([1.0, 10.0, 0.01, FLOOR, FLOOR / 2, 0.0], dtype=torch.float64)
    floor = -10 * math.log10(12 * 255**2)
    assert decibels(power).tolist() == pytest.approx([0.0, 10.0, -20.0, floor, floor, floor], rel=1e-12)


def test_half_the_contrast_is_six_decibels():
    images = noise(50) & 0xFE  # even levels, so that half of them is exact
    reference = labelled(images)
    assert radial_power(images // 2).mean(dim=0).min() > FLOOR
    result = measured(labelled(images // 2), reference)
    assert result.value == pytest.approx(HALVING, rel=1e-9)
    found = Spectrum().findings(labelled(images // 2), RealImages(reference, reference))["spectrum"]
    assert found["radius"] == list(range(15))
    difference = np.array(found["reference_db"]) - np.array(found["samples_db"])
    assert difference == pytest.approx(np.full(15, HALVING), rel=1e-9)


def test_black_and_white_differ_in_their_mean_alone():
    """White has the power 784 at radius 0 and nothing elsewhere; black has the floor everywhere."""
    expected = 10 * math.log10(784 / FLOOR) / math.sqrt(15)
    for samples, reference in ((flat(0, bootstrap_samples=5), flat(255)), (flat(255, bootstrap_samples=5), flat(0))):
        result = measured(samples, reference)
        assert result.value == pytest.approx(expected, rel=1e-9)
        assert result.interval == pytest.approx((expected, expected), rel=1e-9)


def test_a_set_is_at_no_distance_from_itself_its_duplicate_or_its_mirror_image():
    samples = labelled(noise(30))
    twice = labelled(noise(30).repeat(2, 1, 1, 1))
    assert measured(samples, samples).value == 0.0
    assert measured(twice, samples).value == pytest.approx(0.0, abs=1e-9)
    assert measured(labelled(samples.images.flip(3)), samples).value == pytest.approx(0.0, abs=1e-9)
    assert measured(flat(0), flat(0, 30)).value == 0.0


def test_a_collapsed_set_has_the_spectrum_of_its_image():
    image, reference = noise(1), labelled(noise(40, seed=1, high=200))
    expected = spectrum_distance(decibels(radial_power(image)[0]), decibels(radial_power(reference.images).mean(dim=0)))
    result = measured(labelled(image.repeat(50, 1, 1, 1), bootstrap_samples=10), reference)
    assert result.value == pytest.approx(expected.item(), rel=1e-9)
    assert result.interval == pytest.approx((result.value, result.value), rel=1e-9)


def test_a_resample_scores_as_the_set_of_the_images_it_drew():
    samples, reference = labelled(noise(40), bootstrap_samples=2), labelled(noise(40, seed=1, high=200))
    drawn = [samples.subset(torch.arange(40).repeat_interleave(counts.long())) for counts in samples.resamples]
    first, second = sorted(measured(each, reference).value for each in drawn)
    value, spread = measured(samples, reference)[0], 0.475 * (second - first)  # quantiles between two values
    assert measured(samples, reference).interval == pytest.approx((value - spread, value + spread), rel=1e-9)


def test_it_depends_on_neither_order_nor_what_came_before_nor_the_random_state():
    samples, reference = labelled(noise(50), bootstrap_samples=5), labelled(noise(40, seed=1, high=200))
    state = torch.get_rng_state()
    first = Spectrum().measure(samples, RealImages(reference, reference))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    again = labelled(noise(40, seed=1, high=200))
    assert Spectrum().measure(labelled(noise(50), bootstrap_samples=5), RealImages(again, again)) == first
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    shuffled = measured(samples.subset(order), reference.subset(order[order < 40]))
    assert shuffled.value == pytest.approx(first["spectrum_distance"].value, rel=1e-9)
    assert torch.equal(samples.images, noise(50))


def test_real_images_are_closer_to_real_ones_than_blurred_noisy_or_darker_ones(real_train, real_test):
    samples, reference = real_train.balanced(1000), real_test.balanced(1000)
    pixels = samples.images.float()
    blurred = F.avg_pool2d(pixels, 3, stride=1, padding=1)
    noisy = (pixels + 20 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255)
    value = measured(samples, reference).value
    assert 0 < value < 0.2
    for worse in (blurred, noisy, pixels * 0.9):
        assert measured(garment_set(worse.round().to(torch.uint8), samples.labels), reference).value > 3 * value
