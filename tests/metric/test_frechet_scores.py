import math

import pytest
import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.frechet import ClassFrechetDistance, FrechetDistance, reference_gaussian
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages, interval
from tests.garments import garment_set
from tests.metric.frechet_reference import frechet_distance, gaussian_statistics


class Pixels(FeatureNetwork):
    name = "pixels"
    version = "1"
    num_features = 784
    batch_size = 7

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": images.flatten(1).float()}


def drawn(levels: Tensor, labels: Tensor | None = None, bootstrap_samples: int = 0) -> ImageSet:
    """Images whose four quarters have these grey levels [N, 4], and so these features; labels 0..9 in turn."""
    quarters = levels.round().clamp(0, 255).to(torch.uint8).view(-1, 1, 2, 2)
    images = quarters.repeat_interleave(14, dim=2).repeat_interleave(14, dim=3)
    return garment_set(
        images, torch.arange(len(levels)) % 10 if labels is None else labels, bootstrap_samples=bootstrap_samples
    )


def normal(seed: int, n: int, mean: float = 120, spread: float = 20) -> Tensor:
    return mean + spread * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def real_images(reference: ImageSet, split: str = "test") -> RealImages:
    other = drawn(normal(99, 10))
    return RealImages(*((other, reference) if split == "test" else (reference, other)), reference_split=split)


@pytest.fixture
def real() -> RealImages:
    return real_images(drawn(normal(0, 400)))


@pytest.fixture
def frechet(quadrants) -> FrechetDistance:
    return FrechetDistance({"quadrants": quadrants})


@pytest.fixture
def by_class(quadrants) -> ClassFrechetDistance:
    return ClassFrechetDistance({"quadrants": quadrants})


def the(measured):
    (measurement,) = measured.values()
    return measurement


@pytest.mark.parametrize("split", ["test", "train"])
def test_images_three_levels_brighter_are_36_away_from_the_reference_split(frechet, quadrants, split):
    """Four features, each 3 further: 4 · 3²."""
    levels = normal(0, 60)
    measured = frechet.measure(drawn(levels + 3), real_images(drawn(levels), split))
    assert set(measured) == {"fd_quadrants"}
    assert {each.better for each in frechet.quantities.values()} == {"lower"}
    assert the(measured).value == pytest.approx(36.0, rel=1e-9)


def test_it_is_the_distance_of_the_statistics(frechet, quadrants, real):
    samples = drawn(normal(1, 200, mean=130, spread=25))
    sides = [gaussian_statistics(quadrants.features(images)) for images in (samples, real.reference)]
    expected = frechet_distance(*sides[0], *sides[1])
    assert the(frechet.measure(samples, real)).value == pytest.approx(expected, rel=1e-9)


def test_every_network_is_measured_and_told_in_the_protocol(quadrants, real):
    inception = type("Inception", (Pixels,), {"name": "inception", "abbreviations": {"frechet": "fid"}})()
    samples = drawn(normal(1, 20))
    networks = {"a": quadrants, "b": inception}
    assert set(FrechetDistance(networks).measure(samples, real)) == {"fd_quadrants", "fid_inception"}
    per_class = ClassFrechetDistance(networks)
    assert set(per_class.measure(samples, real)) == {"class_fd_quadrants", "class_fid_inception"}
    assert "quadrants 1, inception 1" in per_class.protocol
    assert per_class.protocol != FrechetDistance(networks).protocol


def test_order_and_batch_size_do_not_matter(frechet, by_class, quadrants, real):
    levels, labels = normal(1, 200, mean=130), torch.arange(200) % 10
    order = torch.randperm(200, generator=torch.Generator().manual_seed(2))
    for score in (frechet, by_class):
        quadrants.batch_size = 100
        value = the(score.measure(drawn(levels, labels), real)).value
        quadrants.batch_size = 7
        assert the(score.measure(drawn(levels[order], labels[order]), real)).value == pytest.approx(value, rel=1e-9)


def test_the_same_samples_give_the_same_bits_and_leave_the_random_state_alone(frechet, by_class, real):
    levels, state = normal(1, 200), torch.get_rng_state()
    for score in (frechet, by_class):
        first = score.measure(drawn(levels, bootstrap_samples=20), real)
        assert first == score.measure(drawn(levels, bootstrap_samples=20), real)
    assert torch.equal(state, torch.get_rng_state())


def test_collapsed_and_duplicated_sets_are_finite_and_not_negative(frechet, by_class, real):
    """One grey image is away by the distance from the mean and all of the reference's spread."""
    mean, cov = gaussian_statistics(normal(0, 400).round().clamp(0, 255))
    collapsed = drawn(torch.full((50, 4), 100.0), bootstrap_samples=10)
    expected = ((mean - 100).square().sum() + cov.trace()).item()
    measured = the(frechet.measure(collapsed, real))
    assert measured.value == pytest.approx(expected, rel=1e-9)
    assert measured.interval == pytest.approx((expected, expected), rel=1e-9)  # no resample differs
    doubled = drawn(normal(0, 400).repeat(2, 1), bootstrap_samples=10)
    for images in (collapsed, doubled):
        for measured in (the(frechet.measure(images, real)), the(by_class.measure(images, real))):
            assert 0 <= measured.value < math.inf
            assert 0 <= measured.interval[0] <= measured.value <= measured.interval[1] < math.inf
    assert the(frechet.measure(doubled, real)).value < 0.01


def test_two_collapsed_sets_are_apart_by_their_means_alone(frechet, by_class):
    real = real_images(drawn(torch.full((40, 4), 100.0)))
    samples = drawn(torch.full((20, 4), 105.0), bootstrap_samples=5)
    assert the(frechet.measure(samples, real)).value == the(by_class.measure(samples, real)).value == 100.0


def test_no_resamples_and_wide_networks_give_no_interval(frechet, by_class, real):
    assert the(frechet.measure(drawn(normal(1, 40)), real)).interval is None
    assert the(by_class.measure(drawn(normal(1, 40)), real)).interval is None
    samples, wide = drawn(normal(1, 40), bootstrap_samples=10), {"pixels": Pixels()}
    assert the(frechet.measure(samples, real)).interval is not None
    assert the(FrechetDistance(wide).measure(samples, real)).interval is None
    assert the(ClassFrechetDistance(wide).measure(samples, real)).interval is None


def test_the_interval_lies_around_the_value(frechet, by_class, real):
    samples = drawn(normal(1, 200, mean=130), bootstrap_samples=50)
    for score in (frechet, by_class):
        value, (low, high), _ = the(score.measure(samples, real))
        assert 0 < low < value < high
        assert high - low < value


def moved(ways: Tensor, spread: float = 1.0) -> tuple[ImageSet, ImageSet]:
    """Ten images a class, and the same stretched about the mean of all and moved by a way for each class."""
    levels, labels = normal(3, 100, spread=8).round(), torch.arange(10).repeat_interleave(10)
    return drawn(levels, labels), drawn(120 + spread * (levels - 120) + ways[labels][:, None], labels)


def test_the_distance_of_each_class_by_hand(by_class):
    """Class c is c levels brighter in all four features: 4c² away, 114 on average."""
    reference, samples = moved(torch.arange(10.0))
    measured = by_class.measure(samples, real_images(reference))
    assert set(measured) == {"class_fd_quadrants"}
    assert the(measured).by_class == pytest.approx([4.0 * c**2 for c in range(10)], rel=1e-9, abs=1e-5)
    assert the(measured).value == pytest.approx(4 * 285 / 10, rel=1e-9)


def test_twice_the_spread_of_a_class_is_away_by_its_variance(by_class, quadrants):
    """With C and 4C the roots commute: |m_a - m_b|² + Tr C."""
    reference, samples = moved(torch.zeros(10), spread=2.0)
    expected = []
    for label in range(10):
        mean, cov = gaussian_statistics(quadrants.features(reference)[reference.of_class(label)])
        expected.append(((mean - 120).square().sum() + cov.trace()).item())
    measured = the(by_class.measure(samples, real_images(reference)))
    assert measured.by_class == pytest.approx(expected, rel=1e-6)
    assert measured.value == pytest.approx(sum(expected) / 10, rel=1e-6)


def test_only_the_distance_by_class_sees_exchanged_labels(frechet, by_class):
    """Classes are 12 levels apart; each image asked for as the next class is 4 · 12² away, the last one 4 · 108²."""
    labels = torch.arange(10).repeat_interleave(10)
    levels = normal(4, 10, mean=60, spread=5).repeat(10, 1).round() + 12 * labels[:, None]
    real = real_images(drawn(levels, labels))
    exchanged = drawn(levels, (labels + 1) % 10)
    assert the(frechet.measure(exchanged, real)).value == pytest.approx(0, abs=1e-4)
    assert the(by_class.measure(drawn(levels, labels), real)).value == pytest.approx(0, abs=1e-4)
    expected = (9 * 4 * 12**2 + 4 * 108**2) / 10
    assert the(by_class.measure(exchanged, real)).value == pytest.approx(expected, rel=1e-9)


def test_a_class_that_the_reference_lacks_is_left_out(by_class):
    reference, samples = moved(torch.arange(10.0))
    only = reference.subset(torch.arange(90))  # none of class 9
    measured = the(by_class.measure(samples, real_images(only)))
    assert [c for c in range(10) if measured.by_class[c] is None] == [9]
    assert measured.by_class[:9] == pytest.approx([4.0 * c**2 for c in range(9)], rel=1e-9, abs=1e-5)
    assert measured.value == pytest.approx(sum(4 * c**2 for c in range(9)) / 9, rel=1e-9)


def test_a_class_that_the_samples_lack_is_not_passed_over(by_class):
    reference, samples = moved(torch.arange(10.0))
    fewer = samples.subset(torch.cat([torch.arange(11), torch.arange(20, 100)]))  # one image of class 1
    with pytest.raises(InvalidValueError, match="2 samples of each class, got fewer of trouser"):
        by_class.measure(fewer, real_images(reference))


def test_the_interval_by_class_is_of_the_mean_of_the_classes_resampled(by_class, quadrants):
    samples, reference = drawn(normal(1, 60, mean=130), bootstrap_samples=5), drawn(normal(2, 80))
    features, means = quadrants.features(samples), []
    for counts in samples.resamples.long():
        distances = []
        for label in range(10):
            resample = features[label::10].repeat_interleave(counts[label::10], dim=0)
            of_class = gaussian_statistics(quadrants.features(reference)[label::10])
            distances.append(frechet_distance(*gaussian_statistics(resample), *of_class))
        means.append(sum(distances) / 10)
    measured = the(by_class.measure(samples, real_images(reference)))
    expected = interval(measured.value, torch.tensor(means, dtype=torch.float64))
    assert measured.interval == pytest.approx(expected, rel=1e-6)


def test_the_interval_by_class_is_as_wide_as_fresh_draws_scatter(by_class, real):
    draws = [normal(seed, 300, mean=126) for seed in range(100, 150)]
    scatter = torch.tensor([the(by_class.measure(drawn(levels), real)).value for levels in draws]).std().item()
    intervals = [the(by_class.measure(drawn(levels, bootstrap_samples=50), real)).interval for levels in draws[:5]]
    half_width = sum(high - low for low, high in intervals) / 10
    assert 1 / 1.5 < half_width / (1.96 * scatter) < 1.5


def test_the_reference_is_read_once_and_kept(quadrants, real):
    kept = reference_gaussian(quadrants, real.reference)
    assert reference_gaussian(quadrants, real.reference).root is kept.root
    of_class = reference_gaussian(quadrants, real.reference, label=3)
    mean, cov = gaussian_statistics(quadrants.features(real.reference)[3::10])
    assert torch.equal(of_class.mean, mean)
    assert torch.allclose(of_class.root @ of_class.root.T, cov, rtol=1e-12)
    assert not torch.equal(of_class.mean, kept.mean)
