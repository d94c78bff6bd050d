import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from fmcgan.metric.frechet import fitted_gaussian, resampled_distances
from fmcgan.metric.image_set import interval, resample_counts
from tests.metric.frechet_reference import frechet_distance, gaussian_statistics


def covariance(seed: int, size: int, rank: int) -> Tensor:
    factor = torch.randn(size, rank, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return factor @ factor.T / rank


def normal(seed: int, n: int, width: int) -> Tensor:
    return torch.randn(n, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_statistics_of_a_set_computed_by_hand():
    mean, root = fitted_gaussian(torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]]))
    assert mean.tolist() == [2.0, 2.0]
    expected = torch.tensor([[4.0, 3.0], [3.0, 3.0]]).double()  # divided by N - 1 = 2
    assert torch.allclose(root @ root.T, expected, rtol=1e-12)
    assert mean.dtype == root.dtype == torch.float64


def test_statistics_of_large_features_keep_their_small_variance():
    """In float32, or as E[x²] - E[x]², the variance of 1 beside a mean of 10⁶ would be lost."""
    features = torch.tensor([[1e6 - 1], [1e6], [1e6 + 1]])
    assert fitted_gaussian(features).root.item() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3,), (2, 3, 1)])
def test_statistics_need_two_features(shape):
    with pytest.raises(ValueError, match="N of at least 2"):
        fitted_gaussian(torch.zeros(shape))


def test_diagonal_gaussians_have_a_closed_form():
    """Sum of squared differences of the means and of the standard deviations: 9 + 16 + (1-2)² + (3-5)² = 30."""
    variance_a, variance_b = torch.tensor([1.0, 9.0]), torch.tensor([4.0, 25.0])
    distance = frechet_distance(
        torch.tensor([0.0, 0.0]), variance_a.diag(), torch.tensor([3.0, 4.0]), variance_b.diag()
    )
    assert distance == pytest.approx(30.0, rel=1e-12)


def test_scalar_covariances_differ_by_their_standard_deviations_in_every_direction():
    """F (σ_a - σ_b)² = 5 (3 - 0.5)²."""
    zero, one = torch.zeros(5), torch.eye(5)
    assert frechet_distance(zero, 9 * one, zero, 0.25 * one) == pytest.approx(5 * 2.5**2, rel=1e-12)


def test_turning_the_space_changes_nothing():
    turn = torch.linalg.qr(normal(0, 2, 2))[0]
    variance_a, variance_b = torch.tensor([1.0, 9.0]).double(), torch.tensor([4.0, 25.0]).double()
    turned = [turn @ variance.diag() @ turn.T for variance in (variance_a, variance_b)]
    mean = turn @ torch.tensor([3.0, 4.0]).double()
    assert frechet_distance(mean, turned[0], 0 * mean, turned[1]) == pytest.approx(30.0, rel=1e-12)


def test_a_set_moved_is_away_by_the_square_of_the_way():
    features = normal(0, 40, 6)
    moved = features + torch.tensor([1.0, 2.0, 0.0, 0.0, 0.0, -2.0])
    distance = frechet_distance(*gaussian_statistics(features), *gaussian_statistics(moved))
    assert distance == pytest.approx(9.0, rel=1e-9)


def test_general_2x2_gaussians_have_a_closed_form():
    """Tr (AB)^½ = sqrt(Tr AB + 2 sqrt(det A det B)) for 2×2: Tr AB = 8, det A = 3, det B = 5."""
    a, b = torch.tensor([[2.0, 1.0], [1.0, 2.0]]), torch.tensor([[2.0, -1.0], [-1.0, 3.0]])
    trace_of_product = 2 * 2 + 1 * -1 + 1 * -1 + 2 * 3
    expected = 1 + 4 + 5 - 2 * math.sqrt(trace_of_product + 2 * math.sqrt(3 * 5))
    assert frechet_distance(torch.tensor([1.0, 0.0]), a, torch.zeros(2), b) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rank", [76, 32])
def test_agrees_with_the_matrix_square_root_of_scipy(rank):
    a, b = covariance(1, 32, rank), covariance(2, 32, rank)
    mean = torch.linspace(-1, 1, 32, dtype=torch.float64)
    root = scipy.linalg.sqrtm((a @ b).numpy())
    expected = (4 * mean.square().sum() + a.trace() + b.trace()).item() - 2 * np.trace(root).real
    assert frechet_distance(mean, a, -mean, b) == pytest.approx(expected, rel=1e-6)


def test_agrees_with_torchmetrics_and_torch_fidelity_on_the_same_features():
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
    from torchmetrics.image.fid import _compute_fid

    generator = torch.Generator().manual_seed(3)
    a = torch.randn(200, 48, generator=generator)
    b = torch.randn(150, 48, generator=generator) * 1.5 + 0.1
    statistics_a, statistics_b = gaussian_statistics(a), gaussian_statistics(b)
    distance = frechet_distance(*statistics_a, *statistics_b)
    assert distance == pytest.approx(_compute_fid(*statistics_a, *statistics_b).item(), rel=1e-6)
    theirs = fid_statistics_to_metric(fid_features_to_statistics(a), fid_features_to_statistics(b), verbose=False)
    assert distance == pytest.approx(theirs[KEY_METRIC_FID], rel=1e-6)


def test_it_is_symmetric_also_for_different_ranks():
    a, b, zero = covariance(4, 16, 5), covariance(5, 16, 40), torch.zeros(16)
    assert frechet_distance(zero, a, zero, b) == pytest.approx(frechet_distance(zero, b, zero, a), rel=1e-6)


@pytest.mark.parametrize("rank", [4, 200])
def test_the_distance_of_a_set_to_itself_is_nothing(rank):
    cov = covariance(6, 96, rank)
    distance = frechet_distance(torch.ones(96), cov, torch.ones(96), cov)
    assert 0 <= distance < 1e-6 * cov.trace().item()


def test_a_collapsed_set_leaves_the_means_and_the_spread_of_the_other():
    """One image repeated has no covariance, so the distance is |m_a - m_b|² + Tr C_b, exactly."""
    spread = torch.randn(50, 8, generator=torch.Generator().manual_seed(7))
    mean, cov = gaussian_statistics(spread)
    collapsed = gaussian_statistics(torch.full((50, 8), 0.5))
    expected = ((mean - 0.5).square().sum() + cov.trace()).item()
    assert frechet_distance(*collapsed, mean, cov) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(*collapsed, *collapsed) == 0.0


@pytest.mark.parametrize(("n", "width"), [(60, 7), (20, 30)])
def test_a_resample_is_as_far_as_the_set_with_its_repeats(n, width):
    features, reference = normal(1, n, width) * 2 + 5, normal(2, n + 5, width)
    counts = torch.cat([torch.ones(1, n), resample_counts(torch.arange(n) % 2, 3)])
    distances = resampled_distances(features, counts, fitted_gaussian(reference))
    written_out = [features.repeat_interleave(each.long(), dim=0) for each in counts]
    expected = [frechet_distance(*gaussian_statistics(set_), *gaussian_statistics(reference)) for set_ in written_out]
    assert distances.tolist() == pytest.approx(expected, rel=1e-7)  # of the roots of rounded zeros
    assert len(set(expected)) == 4


@pytest.mark.parametrize(("n", "width"), [(40, 8), (8, 40)])
def test_the_fitted_gaussian_has_the_covariance_of_the_set(n, width):
    features = normal(3, n, width) + 7
    mean, cov = gaussian_statistics(features)
    fitted = fitted_gaussian(features)
    assert torch.equal(fitted.mean, mean)
    assert torch.allclose(fitted.root @ fitted.root.T, cov, rtol=1e-12, atol=1e-12)
    assert fitted.root.shape == (width, min(n, width))


def test_rounding_never_makes_a_resampled_distance_negative():
    """Each of these sets is compared with itself; about half of the unbounded values would be below 0."""
    sets = [normal(seed, 50, 8) + 3 for seed in range(20)]
    distances = [resampled_distances(each, torch.ones(1, 50), fitted_gaussian(each)).item() for each in sets]
    assert min(distances) == 0.0
    assert max(distances) < 1e-9


def test_collapsed_resamples_are_finite_and_computed_by_hand():
    """A collapsed set at (0.5, ...) and a resample of a single image leave |m - m_b|² + Tr C_b."""
    reference = normal(4, 50, 8)
    fitted, (mean, cov) = fitted_gaussian(reference), gaussian_statistics(reference)
    collapsed = resampled_distances(torch.full((5, 8), 0.5), torch.ones(1, 5), fitted)
    assert collapsed.item() == pytest.approx(((mean - 0.5).square().sum() + cov.trace()).item(), rel=1e-12)
    features = normal(5, 3, 8)
    single = resampled_distances(features, torch.tensor([[0.0, 3.0, 0.0]]), fitted)
    assert single.item() == pytest.approx(((features[1] - mean).square().sum() + cov.trace()).item(), rel=1e-12)
    to_collapsed = fitted_gaussian(torch.full((50, 8), 0.5))
    assert resampled_distances(torch.full((5, 8), 0.5), torch.ones(1, 5), to_collapsed).item() == 0.0


def test_resamples_of_none_are_none_and_of_one_image_are_refused():
    fitted = fitted_gaussian(normal(6, 9, 3))
    assert resampled_distances(normal(7, 9, 3), torch.zeros(0, 9), fitted).shape == (0,)
    with pytest.raises(ValueError, match="N of at least 2"):
        resampled_distances(normal(7, 1, 3), torch.ones(1, 1), fitted)


def test_neither_distances_nor_resamples_change_what_they_are_given():
    features, reference, counts = normal(8, 30, 4), fitted_gaussian(normal(9, 30, 4)), torch.ones(2, 30)
    before = [each.clone() for each in (features, counts, *reference)]
    first = resampled_distances(features, counts, reference)
    assert all(torch.equal(old, new) for old, new in zip(before, (features, counts, *reference), strict=True))
    assert torch.equal(first, resampled_distances(features, counts, reference))


def test_the_interval_is_as_wide_as_fresh_draws_scatter():
    reference, once = fitted_gaussian(normal(10, 1000, 8)), torch.ones(1, 300)
    draws = [normal(seed, 300, 8) * 1.2 + 0.3 for seed in range(100, 150)]
    values = [resampled_distances(features, once, reference).item() for features in draws]
    counts = resample_counts(torch.arange(300) % 10, 100)
    intervals = [interval(values[i], resampled_distances(draws[i], counts, reference), lowest=0) for i in range(10)]
    half_width = sum(high - low for low, high in intervals) / 20
    assert 1 / 1.5 < half_width / (1.96 * np.std(values, ddof=1)) < 1.5
