import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.sliced_wasserstein import QuantileSteps, SlicedWasserstein
from tests.garments import garment_set


def sliced_wasserstein(a: Tensor, b: Tensor, directions: Tensor) -> Tensor:
    """The distance along each direction, [S]."""
    projected_a, projected_b = ((directions.double() @ each.double().T).sort(dim=1).values for each in (a, b))
    return QuantileSteps(projected_b, len(a)).squared_distance(projected_a).sqrt()


def points(seed: int, *size: int) -> Tensor:
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def noise(n: int, seed: int = 0, **options) -> ImageSet:
    images = torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return garment_set(images, torch.arange(n) % 10, **options)


def flat(n: int, grey: int, **options) -> ImageSet:
    return garment_set(torch.full((n, 1, 28, 28), grey, dtype=torch.uint8), torch.arange(n) % 10, **options)


def against(reference: ImageSet) -> RealImages:
    return RealImages(train=reference, test=reference)


def distance(samples: ImageSet, reference: ImageSet, **options) -> float:
    (measurement,) = SlicedWasserstein(**options).measure(samples, against(reference)).values()
    return measurement.value


def directions_of(score: SlicedWasserstein) -> Tensor:
    """Reads the directions off the projections of images with one white pixel each."""
    pixels = (torch.eye(784) * 255).to(torch.uint8).view(784, 1, 28, 28)
    values, order = score.sorted_projections(garment_set(pixels, torch.zeros(784, dtype=torch.int64)))
    return torch.empty_like(values).scatter_(1, order, values) / 255


def test_distances_of_two_sets_computed_by_hand():
    """{0, 1} and {0, 3, 6}: the quantile functions differ by 0, 3, 2 and 5 on 1/3, 1/6, 1/6 and 1/3: 63/6."""
    a, b = torch.tensor([[1.0], [0.0]]), torch.tensor([[3.0], [0.0], [6.0]])
    direction = torch.tensor([[1.0], [-2.0]])
    expected = math.sqrt((0 * 2 + 9 + 4 + 25 * 2) / 6)
    assert sliced_wasserstein(a, b, direction).tolist() == pytest.approx([expected, 2 * expected], rel=1e-12)
    assert sliced_wasserstein(b, a, direction).tolist() == pytest.approx([expected, 2 * expected], rel=1e-12)


def test_equal_sizes_agree_with_sorting():
    a, b, directions = points(1, 200, 5), points(2, 200, 5) * 2, points(3, 7, 5)
    expected = [np.sqrt(np.mean((np.sort(a.numpy() @ d) - np.sort(b.numpy() @ d)) ** 2)) for d in directions.numpy()]
    assert sliced_wasserstein(a, b, directions).numpy() == pytest.approx(np.array(expected), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(12, 18), (7, 11), (5, 20), (20, 5), (1, 9), (9, 1)])
def test_unequal_sizes_agree_with_both_sets_repeated_to_a_common_multiple(n, m):
    a, b, directions = points(4, n, 3), points(5, m, 3) + 1, points(6, 4, 3)
    both = math.lcm(n, m)
    expected = []
    for direction in directions.numpy():
        of_a = np.sort(np.repeat(a.numpy() @ direction, both // n))
        of_b = np.sort(np.repeat(b.numpy() @ direction, both // m))
        expected.append(np.sqrt(np.mean((of_a - of_b) ** 2)))
    assert sliced_wasserstein(a, b, directions).numpy() == pytest.approx(np.array(expected), rel=1e-9)


@pytest.mark.parametrize("m", [40_000, 50_000])
def test_two_gaussians_have_a_closed_form(m):
    """W² = (m1 - m2)² + (s1 - s2)² = 9 + 4; a standard error of the means is 0.016."""
    a, b = points(7, 40_000, 1), 3 * points(8, m, 1) + 3
    assert sliced_wasserstein(a, b, torch.ones(1, 1)).item() == pytest.approx(math.sqrt(13), abs=0.07)


@pytest.mark.parametrize(("n", "shift"), [(50, 3.5), (50, -7.0), (33, 0.0)])
def test_a_translation_is_at_the_length_of_its_projection(n, shift):
    a, directions = points(9, n, 784), points(10, 16, 784)
    expected = (shift * directions.sum(dim=1)).abs()
    assert torch.allclose(sliced_wasserstein(a + shift, a, directions), expected, rtol=1e-9, atol=1e-9)


def test_the_score_of_a_translation_is_the_root_mean_square_of_its_projections():
    images = noise(40).images // 2
    dark, bright = garment_set(images, noise(40).labels), garment_set(images + 20, noise(40).labels)
    sums = directions_of(SlicedWasserstein()).sum(dim=1)
    assert distance(bright, dark) == pytest.approx(20 * sums.square().mean().sqrt().item(), rel=1e-9)
    assert distance(bright, dark, n_directions=4000) == pytest.approx(20, rel=0.05)  # |v| / sqrt(784)


def test_directions_have_length_1_and_no_preference():
    directions = directions_of(SlicedWasserstein(n_directions=2000, seed=5))
    assert directions.norm(dim=1).numpy() == pytest.approx(np.ones(2000), rel=1e-12)
    assert directions.mean(dim=0).abs().max() < 5 / math.sqrt(2000 * 784)
    assert directions.square().mean(dim=0).numpy() == pytest.approx(np.full(784, 1 / 784), rel=0.2)


@pytest.mark.parametrize("m", [60, 45])
def test_a_resample_scores_as_the_set_of_the_images_it_drew(m):
    samples, reference = noise(60, seed=1, bootstrap_samples=5), noise(m, seed=2)
    score = SlicedWasserstein(n_directions=16)
    quantiles = QuantileSteps(score.sorted_projections(reference)[0], 60)
    got = quantiles.resampled(*score.sorted_projections(samples), samples.resamples).sqrt()
    expected = []
    for counts in samples.resamples:
        drawn = samples.subset(torch.arange(60).repeat_interleave(counts.long()))
        expected.append(distance(drawn, reference, n_directions=16))
    assert got.tolist() == pytest.approx(expected, rel=1e-9)


def test_the_interval_lies_around_the_value():
    samples, reference = noise(100, bootstrap_samples=50), flat(80, 100)
    measured = SlicedWasserstein(16).measure(samples, against(reference))["sliced_wasserstein_pixels"]
    low, high = measured.interval
    assert 0 < low < measured.value < high < 1.2 * measured.value


def test_no_replicates_give_no_interval():
    (measured,) = SlicedWasserstein(16).measure(noise(20), against(noise(30, 1))).values()
    assert measured.interval is None


def test_a_set_is_at_no_distance_from_itself_or_its_duplicate():
    samples, twice = noise(30), noise(30)
    twice = garment_set(twice.images.repeat(2, 1, 1, 1), twice.labels.repeat(2))
    assert distance(samples, samples) == 0.0
    assert distance(twice, samples) == pytest.approx(0.0, abs=1e-9)
    assert distance(samples, twice) == pytest.approx(0.0, abs=1e-9)


def test_flat_sets_have_a_closed_form_and_an_interval_of_one_point():
    sums = directions_of(SlicedWasserstein()).sum(dim=1)
    black, white = flat(20, 0, bootstrap_samples=10), flat(30, 255, bootstrap_samples=10)
    for samples, reference in ((black, white), (white, black)):
        (measured,) = SlicedWasserstein().measure(samples, against(reference)).values()
        assert measured.value == pytest.approx(255 * sums.square().mean().sqrt().item(), rel=1e-9)
        assert measured.interval == pytest.approx((measured.value, measured.value), rel=1e-9)
    assert distance(black, black) == 0.0


def test_it_depends_on_neither_order_nor_what_came_before_nor_the_random_state():
    samples, reference = noise(50, 1, bootstrap_samples=5), noise(40, 2)
    state = torch.get_rng_state()
    first = SlicedWasserstein().measure(samples, against(reference))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert SlicedWasserstein().measure(samples, against(noise(40, 2))) == first
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    other = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    shuffled = distance(samples.subset(order), reference.subset(other))
    assert shuffled == pytest.approx(first["sliced_wasserstein_pixels"].value, rel=1e-9)
    assert torch.equal(samples.images, noise(50, 1).images)


def test_another_seed_takes_other_directions_and_the_protocol_says_so():
    samples, reference = noise(20, 1), noise(20, 2)
    assert distance(samples, reference, seed=1) != distance(samples, reference, seed=0)
    protocols = {SlicedWasserstein(*given).protocol for given in ((128, 0), (128, 1), (64, 0))}
    assert len(protocols) == 3


def test_one_reference_serves_scores_with_other_directions():
    samples, reference = noise(20, 1), noise(25, 2)
    alone = [distance(samples, noise(25, 2), seed=seed) for seed in (0, 1)]
    assert [distance(samples, reference, seed=seed) for seed in (0, 1)] == alone


def test_real_images_are_closer_to_real_ones_than_blurred_or_darker_ones(real_train, real_test):
    samples, reference = real_train.balanced(1000), real_test.balanced(2000)
    blurred = F.avg_pool2d(samples.images.float(), 3, stride=1, padding=1).round().to(torch.uint8)
    darker = (samples.images.float() * 0.9).round().to(torch.uint8)
    value = distance(samples, reference)
    assert 0 < value < 6
    for worse in (blurred, darker):
        assert distance(garment_set(worse, samples.labels), reference) > 1.5 * value


@pytest.mark.parametrize("given", [{"n_directions": 0}, {"n_directions": 1.5}, {"seed": -1}])
def test_a_wrong_value_is_refused(given):
    with pytest.raises(InvalidValueError, match=next(iter(given))):
        SlicedWasserstein(**given)
