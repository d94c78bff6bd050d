import math

import pytest
import torch
from torch import Tensor

from fmcgan.metric import kernel
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.kernel import KernelDistance, kernel_means, reference_term, within_means
from tests.garments import garment_set


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """The whole distance of two sets of features."""
    return (within_means(a).mean() + within_means(b).mean() - 2 * kernel_means(a, b).mean()).item()


def normal(seed: int, n: int, width: int = 4) -> Tensor:
    return torch.randn(n, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def drawn(levels: Tensor, bootstrap_samples: int = 0) -> ImageSet:
    """Images whose four quarters have these grey levels [N, 4], and so these features; labels 0..9 in turn."""
    quarters = levels.round().clamp(0, 255).to(torch.uint8).view(-1, 1, 2, 2)
    images = quarters.repeat_interleave(14, dim=2).repeat_interleave(14, dim=3)
    return garment_set(images, torch.arange(len(levels)) % 10, bootstrap_samples=bootstrap_samples)


@pytest.fixture
def real() -> RealImages:
    return RealImages(drawn(120 + 20 * normal(0, 50)), drawn(120 + 20 * normal(1, 400)))


@pytest.fixture
def score(quadrants) -> KernelDistance:
    return KernelDistance({"quadrants": quadrants})


def the(measured):
    (measurement,) = measured.values()
    return measurement


def test_two_pairs_by_hand():
    """(x·y/2 + 1)³: within a 27 for 4/2, within b 1 for 0/2, across 8, 1, 8, 1 for 2/2 and 0/2: 27 + 1 - 2 · 4.5."""
    a, b = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert within_means(a).tolist() == [27.0, 27.0]
    assert within_means(b).tolist() == [1.0, 1.0]
    assert kernel_means(a, b).tolist() == [4.5, 4.5]
    assert kernel_means(b, a).tolist() == [8.0, 1.0]
    assert kernel_distance(a, b) == kernel_distance(b, a) == 19.0


def test_sets_of_different_sizes_written_out_as_sums():
    a, b = normal(1, 7, 3), normal(2, 5, 3) + 1
    k = lambda x, y: (float(x @ y) / 3 + 1) ** 3  # noqa: E731 (as the paper writes it)
    within_a = sum(k(a[i], a[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
    within_b = sum(k(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    across = sum(k(x, y) for x in a for y in b) / 35
    assert kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * across, rel=1e-12)


def test_agrees_with_torchmetrics_and_torch_fidelity_on_the_same_features():
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric
    from torchmetrics.image.kid import poly_mmd

    a, b = normal(3, 150, 48), normal(4, 150, 48) * 1.1 + 0.1
    distance = kernel_distance(a, b)
    assert distance == pytest.approx(poly_mmd(b, a).item(), rel=1e-6)
    theirs = kid_features_to_metric(a, b, kid_subsets=1, kid_subset_size=150, verbose=False)
    assert distance == pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-6)


def test_blocks_give_the_sums_of_the_whole_matrix(monkeypatch):
    a, b = normal(5, 35), normal(6, 53) + 0.3
    monkeypatch.setattr(kernel, "BLOCK", 10)
    matrix = (a @ b.T / 4 + 1) ** 3
    assert torch.allclose(kernel_means(a, b), matrix.mean(dim=1), rtol=1e-12)
    own = (a @ a.T / 4 + 1) ** 3
    assert torch.allclose(within_means(a), (own.sum(dim=1) - own.diag()) / 34, rtol=1e-12)


def test_float32_features_are_computed_on_as_float64():
    a, b = normal(7, 40).float() + 30, normal(8, 40).float() + 30
    assert kernel_distance(a, b) == kernel_distance(a.double(), b.double())
    assert a.dtype == torch.float32


@pytest.mark.parametrize("n", [2, 5, 40])
def test_it_has_no_bias_for_any_number_of_samples(n):
    """Draws of one distribution scatter around 0, within four standard errors; V-statistics would all be above."""
    values = torch.tensor([kernel_distance(normal(2 * s, n), normal(2 * s + 1, n)) for s in range(400)])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(400)
    assert 0.3 < (values < 0).double().mean() < 0.9


def test_sets_with_equally_many_of_each_class_are_lower_by_as_much_as_the_docstring_says():
    """Two classes at ±2 in one feature: k is 5³ in a class and (-3)³ across, and 1/2 stands in place of 0.9."""
    balanced = torch.tensor([[2.0], [-2.0]]).repeat(10, 1)
    expected = -0.5 * (125 + 27) * (1 / 19 + 1 / 19)
    assert kernel_distance(balanced, balanced) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shapes", [((1, 4), (5, 4)), ((5, 4), (1, 4)), ((5, 4), (5, 3)), ((5,), (5, 4))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="features must be"):
        kernel_distance(*(torch.zeros(shape) for shape in shapes))


def test_the_score_is_the_kernel_distance_to_the_reference_split(score, quadrants, real):
    samples = drawn(125 + 20 * normal(2, 60))
    for split, reference in (("test", real.test), ("train", real.train)):
        measured = score.measure(samples, real._replace(reference_split=split))
        assert set(measured) == {"kd_quadrants"}
        expected = kernel_distance(quadrants.features(samples), quadrants.features(reference))
        assert the(measured).value == pytest.approx(expected, rel=1e-9)


def test_the_name_takes_the_abbreviation_of_the_network(quadrants, real):
    quadrants.abbreviations = {"frechet": "fid", "kernel": "kid"}
    score = KernelDistance({"any": quadrants})
    assert set(score.measure(drawn(120 + normal(2, 20)), real)) == {"kid_quadrants"}
    assert "quadrants 1" in score.protocol


def test_order_and_batch_size_do_not_matter(score, quadrants, real):
    levels = 125 + 20 * normal(2, 200)
    value = the(score.measure(drawn(levels), real)).value
    quadrants.batch_size = 7
    order = torch.randperm(200, generator=torch.Generator().manual_seed(2))
    assert the(score.measure(drawn(levels[order]), real)).value == pytest.approx(value, rel=1e-9)


def test_the_same_samples_give_the_same_bits_and_leave_the_random_state_alone(score, real):
    levels, state = 125 + 20 * normal(2, 200), torch.get_rng_state()
    first = score.measure(drawn(levels, bootstrap_samples=20), real)
    assert first == score.measure(drawn(levels, bootstrap_samples=20), real)
    assert torch.equal(state, torch.get_rng_state())


def test_a_collapsed_set_is_far_and_has_an_interval_of_no_width(score, real):
    """Also at the mean of the reference, where only the missing spread tells."""
    mean = 120.0
    measured = the(score.measure(drawn(torch.full((50, 4), mean), bootstrap_samples=10), real))
    assert 0 < measured.value < math.inf
    assert measured.interval == pytest.approx((measured.value, measured.value), rel=1e-9)


def test_two_collapsed_sets_by_hand(score):
    """Levels 2 and 1 in four features: k is 5³ and 2³ within and 3³ across."""
    two, one = drawn(torch.full((12, 4), 2.0)), drawn(torch.full((20, 4), 1.0))
    assert the(score.measure(two, RealImages(two, one))).value == 125 + 8 - 2 * 27
    assert the(score.measure(two, RealImages(one, two))).value == 0


def test_duplicates_are_finite(score, real):
    doubled = drawn((120 + 20 * normal(2, 100)).repeat(2, 1), bootstrap_samples=10)
    value, (low, high), _ = the(score.measure(doubled, real))
    assert -math.inf < low < value < high < math.inf


def test_no_resamples_give_no_interval(score, real):
    assert the(score.measure(drawn(120 + 20 * normal(2, 50)), real)).interval is None


@pytest.mark.parametrize("mean", [120, 126])
def test_the_interval_is_as_wide_as_fresh_draws_scatter(score, real, mean):
    """Samples of the reference's own distribution, and brighter ones."""
    measured = [
        the(score.measure(drawn(mean + 20 * normal(seed, 300), bootstrap_samples=100), real))
        for seed in range(100, 150)
    ]
    half_width = sum(high - low for _, (low, high), _ in measured) / 100
    scatter = torch.tensor([value for value, *_ in measured]).double().std().item()
    assert 1 / 1.5 < half_width / (1.96 * scatter) < 1.5


def test_the_term_of_the_reference_is_computed_once(quadrants, real, monkeypatch):
    term = reference_term(quadrants, real.reference)
    assert term == pytest.approx(within_means(quadrants.features(real.reference)).mean().item(), rel=1e-12)
    monkeypatch.setattr(kernel, "within_means", None)
    assert reference_term(quadrants, real.reference) == term
