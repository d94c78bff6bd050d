import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric import manifold
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.manifold import Manifold, membership
from fmcgan.metric.neighbours import distances_to_others
from tests.garments import garment_set


def flat_images(levels: list[int], labels: list[int] | None = None, bootstrap_samples: int = 0) -> ImageSet:
    """An image of one grey level each: on `quadrants`, points at twice the difference of their levels."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return garment_set(images, torch.tensor(labels or [0] * len(levels)), bootstrap_samples=bootstrap_samples)


def quarters(seed: int, n: int, highest: int = 255) -> ImageSet:
    """Images of four even quarters: any four whole numbers, on `quadrants`."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, highest + 1, (n, 1, 2, 2), dtype=torch.uint8, generator=generator)
    images = levels.repeat_interleave(14, dim=2).repeat_interleave(14, dim=3)
    return garment_set(images, torch.arange(n) % 10, bootstrap_samples=20)


def against(reference: ImageSet) -> RealImages:
    return RealImages(flat_images([0]), reference)


def shares(samples: Tensor, reference: Tensor, near: int = 3, far: int = 5) -> list[float]:
    """Precision, recall, density and coverage by `membership`."""
    own, radii = distances_to_others(samples, near), distances_to_others(reference, max(near, far))
    found = membership(samples, reference, own[:, near - 1], radii[:, near - 1], radii[:, far - 1])
    density = found.surrounding.double().mean() / far
    return [found.precise.double().mean(), found.recalled.double().mean(), density, found.covered.double().mean()]


def definition(samples: Tensor, reference: Tensor, near: int = 3, far: int = 5) -> list[float]:
    """The same as the papers write it, on whole matrices."""
    x, y = reference.double().numpy(), samples.double().numpy()

    def radii(points: np.ndarray, k: int) -> np.ndarray:
        return np.sort(cdist(points, points), axis=1)[:, k]  # number 0 is the point itself

    across = cdist(x, y)
    precision = (across <= radii(x, near)[:, None]).any(axis=0).mean()
    recall = (across <= radii(y, near)[None]).any(axis=1).mean()
    density = (across <= radii(x, far)[:, None]).sum() / (far * len(y))
    coverage = (across.min(axis=1) <= radii(x, far)).mean()
    return [precision, recall, density, coverage]


def values(measured: dict) -> list[float]:
    return [measurement.value for measurement in measured.values()]


@pytest.mark.parametrize(("n", "m", "shift"), [(300, 250, 0.0), (120, 400, 0.3), (300, 300, 1.0), (200, 200, 30.0)])
def test_it_is_the_definition_of_the_papers_on_whole_matrices(n, m, shift):
    generator = torch.Generator().manual_seed(n)
    samples = torch.randn(n, 12, generator=generator) * 1.1 + shift
    reference = torch.randn(m, 12, generator=generator)
    expected = definition(samples, reference)
    np.testing.assert_allclose(shares(samples, reference), expected, rtol=1e-12)
    assert all(value > 0 for value in expected) or shift == 30.0


@pytest.mark.parametrize("highest", [2, 9, 255])
def test_it_is_the_definition_also_where_many_distances_are_equal(quadrants, highest):
    """Whole numbers from a small range: balls whose edges are crowded, and balls of no size."""
    samples, reference = quarters(1, 150, highest), quarters(2, 200, highest)
    measured = Manifold({"q": quadrants}).measure(samples, against(reference))
    expected = definition(quadrants.features(samples), quadrants.features(reference))
    np.testing.assert_allclose(values(measured), expected, rtol=1e-12)


def test_four_samples_and_four_real_images_by_hand(quadrants):
    """In units of four levels, with k = 1.

    Real 0, 1, 3, 7 have the balls [-1, 1], [0, 2], [1, 5], [3, 11]; samples 1/2, 3/4, 8, 12 have [1/4, 3/4], [1/2, 1],
    [4, 12], [8, 16]. The first two samples lie in two real balls each, the third in one, the last in none; the ball of
    the real image at 3 holds no sample; the real images at 1 (an edge) and 7 lie in balls of samples.
    """
    samples = flat_images([2, 3, 32, 48], [0, 0, 1, 1])
    reference = flat_images([0, 4, 12, 28], [0, 0, 1, 9])
    measured = Manifold({"q": quadrants}, 1, 1).measure(samples, against(reference))
    precision, recall, density, coverage = measured.values()
    assert list(measured) == [f"{share}_k1_quadrants" for share in ("precision", "recall", "density", "coverage")]
    assert [precision.value, recall.value, density.value, coverage.value] == [0.75, 0.5, 1.25, 0.75]
    nobody = (None,) * 8
    assert precision.by_class == (1.0, 0.5, *nobody)
    assert density.by_class == (2.0, 0.5, *nobody)
    assert recall.by_class == (0.5, 0.0, *nobody[:7], 1.0)
    assert coverage.by_class == (1.0, 0.0, *nobody[:7], 1.0)


def test_names_carry_both_k_the_count_and_the_split(quadrants):
    real = RealImages(quarters(3, 60), quarters(4, 60), "train")
    names = list(Manifold({"q": quadrants}, 2, 7).measure(quarters(5, 50), real))
    expected = ["precision_k2", "recall_k2", "density_k7", "coverage_k7"]
    assert names == [f"{share}_quadrants" for share in expected]


@pytest.mark.parametrize("collapsed", [False, True])
def test_a_set_compared_with_itself_is_all_there(quadrants, collapsed):
    """Every point lies in its own ball and is among the neighbours of k others on average: density (k + 1) / k."""
    images = flat_images([7] * 20) if collapsed else quarters(6, 50)
    precision, recall, density, coverage = values(Manifold({"q": quadrants}).measure(images, against(images)))
    assert precision == recall == coverage == 1.0
    assert density == pytest.approx(20 / 5 if collapsed else 6 / 5, rel=1e-12)


def test_a_collapsed_set_elsewhere_is_nowhere_and_finite(quadrants):
    measured = Manifold({"q": quadrants}).measure(
        flat_images([7] * 20, bootstrap_samples=10), against(flat_images([9] * 20))
    )
    assert values(measured) == [0.0] * 4
    assert measured["precision_k3_quadrants"].interval == (0.0, pytest.approx(0.161, abs=1e-3))  # Wilson's
    assert measured["density_k5_quadrants"].interval == (0.0, 0.0)


def test_samples_of_the_same_distribution_have_the_density_and_coverage_of_the_theory():
    """Any order of the others is as likely, so the nearest k are all real in prod (M - i) / (M + N - i)."""
    n, m, k = 60, 40, 3
    generator = torch.Generator().manual_seed(7)
    runs = [
        shares(torch.randn(n, 3, generator=generator), torch.randn(m, 3, generator=generator), far=k)
        for _ in range(300)
    ]
    density, coverage = np.array(runs)[:, 2], np.array(runs)[:, 3]
    expected = 1 - math.prod((m - i) / (m + n - i) for i in range(1, k + 1))
    for found, value in ((density, 1.0), (coverage, expected)):
        error = found.std() / math.sqrt(len(found))
        assert error < 0.01
        assert found.mean() == pytest.approx(value, abs=4 * error)


def test_real_images_get_what_the_theory_says_and_a_single_spot_covers_nothing(quadrants, real_train, real_test):
    score, real = Manifold({"q": quadrants}), against(real_test.balanced(1000))
    precision, recall, density, coverage = values(score.measure(real_train.balanced(1000), real))
    assert 0.85 < precision < 1
    assert 0.85 < recall < 1
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(1 - 2**-5, abs=0.02)
    # Noise is the same middle grey in every quarter: precise, since real images are around it, and no more than that.
    noise = torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(8))
    precision, recall, _, coverage = values(score.measure(garment_set(noise, torch.arange(1000) % 10), real))
    assert precision > 0.8
    assert max(recall, coverage) < 0.1


def test_missing_classes_lower_recall_and_coverage_where_they_miss(quadrants):
    """Ten well separated groups of images, of which samples show five."""
    levels = [25 * label + i for label in range(10) for i in range(10)]
    labels = [label for label in range(10) for _ in range(10)]
    measured = Manifold({"q": quadrants}).measure(
        flat_images(levels[:50], labels[:50]), against(flat_images(levels, labels))
    )
    precision, recall, _, coverage = measured.values()
    assert precision.value == 1.0
    assert recall.by_class == coverage.by_class == (1.0,) * 5 + (0.0,) * 5
    assert recall.value == coverage.value == 0.5
    assert precision.by_class == (1.0,) * 5 + (None,) * 5


def test_intervals_are_of_precision_and_density_and_stay_within_bounds(quadrants):
    samples, reference = quarters(9, 200), quarters(10, 200)
    precision, recall, density, coverage = Manifold({"q": quadrants}).measure(samples, against(reference)).values()
    assert recall.interval is None
    assert coverage.interval is None
    for measured in (precision, density):
        low, high = measured.interval
        assert 0 < low < measured.value < high
    assert precision.interval[1] <= 1
    assert precision.interval[1] - precision.interval[0] == pytest.approx(
        3.92 * math.sqrt(precision.value * (1 - precision.value) / 200), rel=0.4
    )


@pytest.mark.parametrize(("outside", "value"), [(1, 0.995), (199, 0.005)])
def test_an_interval_of_a_share_does_not_reach_beyond_0_and_1(quadrants, outside, value):
    """One of 200 samples is another than the rest: many resamples do not have it, and in few its share is its own."""
    reference = flat_images(list(range(50)))
    for bootstrap_samples in range(2, 12):
        samples = flat_images([20] * (200 - outside) + [255] * outside, bootstrap_samples=bootstrap_samples)
        measured = Manifold({"q": quadrants}).measure(samples, against(reference))
        precision, density = (measured[f"{share}_quadrants"] for share in ("precision_k3", "density_k5"))
        assert precision.value == value
        assert 0 <= precision.interval[0] <= value <= precision.interval[1] <= 1
        assert 0 <= density.interval[0] <= density.value <= density.interval[1]


def test_the_order_of_the_samples_has_no_influence(quadrants):
    samples, reference = quarters(11, 150), quarters(12, 150)
    mixed = samples.subset(torch.randperm(150, generator=torch.Generator().manual_seed(0)))
    score = Manifold({"q": quadrants})
    first, second = score.measure(samples, against(reference)), score.measure(mixed, against(reference))
    np.testing.assert_allclose(values(first), values(second), rtol=1e-12)
    for name in first:
        np.testing.assert_allclose(first[name].by_class, second[name].by_class, rtol=1e-12)


def test_the_balls_of_the_reference_are_measured_once(quadrants, monkeypatch):
    sizes = []

    def counted(features: Tensor, k: int) -> Tensor:
        sizes.append(len(features))
        return distances_to_others(features, k)

    monkeypatch.setattr(manifold, "distances_to_others", counted)
    score, real = Manifold({"q": quadrants}), against(quarters(13, 90))
    score.measure(quarters(14, 40), real)
    score.measure(quarters(15, 50), real)
    assert sorted(sizes) == [40, 50, 90]


@pytest.mark.parametrize(("n", "m"), [(3, 20), (20, 5)])
def test_too_few_images_for_a_ball_are_refused(quadrants, n, m):
    with pytest.raises(InvalidValueError, match=f"at least {n + 1 if n == 3 else 6} images, got {min(n, m)}"):
        Manifold({"q": quadrants}).measure(quarters(16, n), against(quarters(17, m)))


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_a_k_that_is_no_neighbour_is_refused(quadrants, k):
    with pytest.raises(InvalidValueError, match="k_precision_recall must be a whole number"):
        Manifold({"q": quadrants}, k_precision_recall=k)
    with pytest.raises(InvalidValueError, match="k_density_coverage must be a whole number"):
        Manifold({"q": quadrants}, k_density_coverage=k)


def test_the_protocol_tells_both_k_and_the_version_of_the_network(quadrants):
    protocols = {Manifold({"q": quadrants}, *k).protocol for k in ((3, 5), (3, 4), (2, 5))}
    assert len(protocols) == 3
    assert all("quadrants 1" in protocol for protocol in protocols)


def test_the_same_bits_twice_and_nothing_random_touched(quadrants):
    state = torch.get_rng_state()
    first, second = (Manifold({"q": quadrants}).measure(quarters(18, 80), against(quarters(19, 80))) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
