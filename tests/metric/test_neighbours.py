import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.neighbours import distances_to_others, nearest, squared_distances

BLOCKS = [(7, 13), (64, 3), (1000, 1000)]


def normal(seed: int, n: int, width: int = 20, shift: float = 0.0) -> Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) + shift


def grey(seed: int, n: int, width: int = 784) -> Tensor:
    return torch.randint(0, 256, (n, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_on_a_line_by_hand():
    index, distance = nearest(torch.tensor([[0.0], [4.5], [6.0]]), torch.tensor([[-2.0], [4.0], [9.0]]))
    assert index.tolist() == [0, 1, 1]
    assert distance.tolist() == [2.0, 0.5, 2.0]


@pytest.mark.parametrize("make", [normal, grey])
@pytest.mark.parametrize("block", BLOCKS)
def test_the_nearest_are_those_of_the_whole_matrix(make, block):
    a, b = make(1, 40), make(2, 90)
    matrix = cdist(a.double().numpy(), b.double().numpy())
    index, distance = nearest(a, b, block)
    assert index.tolist() == matrix.argmin(axis=1).tolist()
    np.testing.assert_allclose(distance, matrix.min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("make", [normal, grey])
@pytest.mark.parametrize("block", BLOCKS)
def test_a_copy_is_at_a_distance_of_exactly_nothing(make, block):
    b = make(3, 60)
    index, distance = nearest(b[[5, 59, 0]], b, block)
    assert index.tolist() == [5, 59, 0]
    assert distance.tolist() == [0.0, 0.0, 0.0]


def test_features_far_from_the_origin_keep_their_neighbours():
    """Squared norms of 2·10¹⁷ leave float64 with steps of 32, where squared distances are about 20."""
    a, b = (normal(seed, n).double() + 1e8 for seed, n in ((4, 40), (5, 90)))
    assert nearest(a, b)[0].tolist() == cdist(a, b).argmin(axis=1).tolist()


@pytest.mark.parametrize("block", BLOCKS)
def test_of_equally_near_grey_images_the_first_is_taken(block):
    b = grey(6, 10).repeat(3, 1)
    assert nearest(b[20:], b, block)[0].tolist() == list(range(10))


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_grey_levels_are_exact_in_the_worst_case_and_whatever_torch_may_round(precision):
    """Of images of 784 pixels a single grey level decides: a squared distance of 1 beside norms of 10⁷."""
    white = torch.full((1, 784), 255, dtype=torch.uint8)
    almost = white.repeat(3, 1)
    almost[0, :2] -= 1
    almost[1, 100] -= 1
    almost[2, 783] -= 2
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        index, distance = nearest(torch.cat([white, almost, 255 - almost]), torch.cat([almost, 255 - almost]))
    finally:
        torch.set_float32_matmul_precision(before)
    assert index.tolist() == [1, 0, 1, 2, 3, 4, 5]
    assert distance.tolist() == [1.0, 0, 0, 0, 0, 0, 0]


def test_distances_to_others_on_a_line_by_hand():
    found = distances_to_others(torch.tensor([[0.0], [1.0], [3.0], [7.0]]), 2)
    assert found.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6]]
    assert found.dtype == torch.float64


@pytest.mark.parametrize("block", BLOCKS)
def test_distances_to_others_are_those_of_the_whole_matrix(block):
    points = normal(7, 80)
    matrix = cdist(points.double().numpy(), points.double().numpy())
    np.fill_diagonal(matrix, np.inf)
    np.testing.assert_allclose(distances_to_others(points, 5, block), np.sort(matrix, axis=1)[:, :5], rtol=1e-12)


@pytest.mark.parametrize("block", BLOCKS)
def test_distances_of_some_points_are_those_of_all(block):
    points, some = torch.cat([normal(7, 80), normal(7, 3)]), torch.tensor([40, 2, 2, 82, 0])
    assert torch.equal(distances_to_others(points, 4, block, some), distances_to_others(points, 4, block)[some])


@pytest.mark.parametrize("block", BLOCKS)
def test_copies_of_a_point_are_others(block):
    points = torch.cat([normal(8, 3).repeat(4, 1), normal(9, 1)])
    found = distances_to_others(points, 4, block)
    assert (found[:12, :3] == 0).all()
    assert (found[:12, 3] > 1).all()
    assert (found[12] > 1).all()


def test_a_point_needs_as_many_others_as_it_has_neighbours():
    assert distances_to_others(normal(10, 4), 3).shape == (4, 3)
    with pytest.raises(InvalidValueError, match=r"at least 4 images, got 3"):
        distances_to_others(normal(10, 3), 3)


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_of_squared_distances_make_up_the_whole_matrix(block):
    a, b = normal(11, 50), normal(12, 70, shift=2.0)
    matrix = torch.full((50, 70), torch.nan, dtype=torch.float64)
    for rows, columns, distances in squared_distances(a, b, block):
        assert matrix[rows, columns].isnan().all()
        matrix[rows, columns] = distances
    np.testing.assert_allclose(matrix, cdist(a.double().numpy(), b.double().numpy()) ** 2, rtol=1e-10)


@pytest.mark.parametrize(("width", "shift"), [(3, 0.0), (96, 0.0), (96, 1000.0), (2048, 1.0)])
def test_a_ball_that_reaches_to_the_kth_other_holds_it_despite_rounding(width, shift):
    """The radius comes from a difference and the distance from a product: equal numbers, other rounding."""
    points = normal(13, 300, width, shift)
    radii = distances_to_others(points, 5)[:, -1]
    inside = torch.zeros(300, dtype=torch.int64)
    for _, columns, distances in squared_distances(points, points, (50, 70)):
        inside[columns] += (distances <= radii[columns].square()).sum(dim=0)
    assert (inside == 6).all()  # five others and itself


@pytest.mark.parametrize("other", [torch.zeros(3, 4), torch.zeros(3, 5, dtype=torch.float64), torch.zeros(5)])
def test_sets_of_different_spaces_are_refused(other):
    with pytest.raises(ValueError, match="one width and dtype"):
        nearest(torch.zeros(3, 5), other)


def test_nothing_random_is_touched_and_nothing_changed():
    a, b = normal(14, 30), normal(15, 30)
    before, state = (a.clone(), b.clone()), torch.get_rng_state()
    first, second = nearest(a, b), nearest(a, b)
    distances_to_others(a, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])
    assert all(map(torch.equal, first, second))
