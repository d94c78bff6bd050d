import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from fmcgan.metric.frechet import frechet_distance, gaussian_statistics


def covariance(seed: int, size: int, rank: int) -> Tensor:
    factor = torch.randn(size, rank, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return factor @ factor.T / rank


def test_statistics_of_a_set_computed_by_hand():
    mean, cov = gaussian_statistics(torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]]))
    assert mean.tolist() == [2.0, 2.0]
    assert cov.tolist() == [[4.0, 3.0], [3.0, 3.0]]  # divided by N - 1 = 2
    assert mean.dtype == cov.dtype == torch.float64


def test_statistics_of_large_features_keep_their_small_variance():
    """In float32, or as E[x²] - E[x]², the variance of 1 beside a mean of 10⁶ would be lost."""
    features = torch.tensor([[1e6 - 1], [1e6], [1e6 + 1]])
    assert gaussian_statistics(features)[1].item() == 1.0


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3,), (2, 3, 1)])
def test_statistics_need_two_features(shape):
    with pytest.raises(ValueError, match="N of at least 2"):
        gaussian_statistics(torch.zeros(shape))


def test_diagonal_gaussians_have_a_closed_form():
    """Sum of squared differences of the means and of the standard deviations: 9 + 16 + (1-2)² + (3-5)² = 30."""
    variance_a, variance_b = torch.tensor([1.0, 9.0]), torch.tensor([4.0, 25.0])
    distance = frechet_distance(
        torch.tensor([0.0, 0.0]), variance_a.diag(), torch.tensor([3.0, 4.0]), variance_b.diag()
    )
    assert distance == pytest.approx(30.0, rel=1e-12)


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
