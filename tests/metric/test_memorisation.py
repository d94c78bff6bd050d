import json
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from fmcgan.metric import memorisation
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.memorisation import Memorisation, near_distance, nearest_training
from fmcgan.metric.neighbours import nearest
from tests.garments import garment_set


def flat_images(levels: list[int], labels: list[int] | None = None, bootstrap_samples: int = 0) -> ImageSet:
    """An image of one grey level each: on `quadrants`, points at twice the difference of their levels."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return garment_set(images, torch.tensor(labels or [0] * len(levels)), bootstrap_samples=bootstrap_samples)


@pytest.fixture(scope="module")
def small(real_train: ImageSet, real_test: ImageSet) -> RealImages:
    return RealImages(real_train.balanced(3000), real_test.balanced(1000))


@pytest.fixture(scope="module")
def held_out(real_train: ImageSet) -> ImageSet:
    """Training images that are not among those of `small`."""
    return real_train.subset(torch.arange(40_000, 41_000))


def with_noise(images: ImageSet, highest: int) -> ImageSet:
    noise = torch.randint(-highest, highest + 1, images.images.shape, generator=torch.Generator().manual_seed(0))
    return garment_set((images.images + noise).clamp(0, 255).to(torch.uint8), images.labels)


def test_three_samples_by_hand(quadrants):
    """Training images at 0, 100, 200, test images at 5, 90, 230 from them by 5, 10, 30: near is at most 5."""
    real = RealImages(flat_images([0, 100, 200]), flat_images([5, 90, 230]))
    measured = Memorisation({"q": quadrants}).measure(flat_images([10, 204, 129], [0, 0, 3]), real)
    assert list(measured) == [
        *("nearest_training_pixels", "near_copies_pixels"),
        *("nearest_training_quadrants", "near_copies_quadrants"),
    ]
    nobody = (None,) * 6
    for space, unit in (("pixels", 1), ("quadrants", 2)):
        median, near = measured[f"nearest_training_{space}"], measured[f"near_copies_{space}"]
        assert median.value == 10 * unit
        assert median.by_class == (7 * unit, None, None, 29 * unit, *nobody)
        assert near.value == pytest.approx(1 / 3, rel=1e-12)
        assert near.by_class == (0.5, None, None, 0.0, *nobody)
        assert median.interval is near.interval is None


def test_the_median_of_an_even_number_lies_between_the_middle_two(quadrants):
    real = RealImages(flat_images([0]), flat_images([5]))
    measured = Memorisation({}).measure(flat_images([1, 2, 4, 100]), real)
    assert measured["nearest_training_pixels"].value == 3


def test_pixel_distances_are_root_mean_squares_in_grey_levels():
    """A quarter of the pixels differs by 10: sqrt(100 / 4)."""
    training, sample = flat_images([50]), flat_images([50])
    images = sample.images.clone()
    images[:, :, :14, :14] += 10
    found = nearest_training(garment_set(images, sample.labels), RealImages(training, training), None)
    assert found["distance"].tolist() == [5.0]


def test_the_training_split_is_searched_whatever_the_reference_is(quadrants):
    train, test, samples = flat_images([0, 100]), flat_images([50, 51]), flat_images([48, 52])
    by_test, by_train = (
        Memorisation({"q": quadrants}).measure(samples, RealImages(train, test, split)) for split in ("test", "train")
    )
    assert by_test == by_train
    assert by_test["nearest_training_pixels"].value == 48
    assert by_test["near_copies_pixels"].value == 1.0  # the nearer test image is at 49
    real = RealImages(train, test, "test")
    assert Memorisation({}).real_samples(real) is test
    assert Memorisation({}).real_samples(real._replace(reference_split="train")) is test


def test_neighbours_are_those_of_the_whole_matrix(quadrants, small, held_out):
    for network, read in ((None, lambda images: images.images.flatten(1).float()), (quadrants, quadrants.features)):
        a, b = read(held_out).double().numpy(), read(small.train).double().numpy()
        matrix = cdist(a[:200], b)
        found = nearest_training(held_out, small, network)
        assert found["index"][:200].tolist() == matrix.argmin(axis=1).tolist()
        unit = 28 if network is None else 1
        np.testing.assert_allclose(found["distance"][:200], matrix.min(axis=1) / unit, rtol=1e-12)


def test_copies_are_found_out(quadrants, small):
    copies = small.train.subset(torch.arange(500, 1500))
    measured = Memorisation({"q": quadrants}).measure(copies, small)
    for space in ("pixels", "quadrants"):
        assert measured[f"near_copies_{space}"].value == 1.0
        assert measured[f"nearest_training_{space}"].value == 0.0
    found = nearest_training(copies, small, None)
    assert (found["distance"] == 0).all()
    assert found["index"].tolist() == list(range(500, 1500))


@pytest.mark.parametrize("highest", [1, 8])
def test_copies_under_noise_are_found_out(small, highest):
    copies = with_noise(small.train.subset(torch.arange(1000)), highest)
    measured = Memorisation({}).measure(copies, small)
    assert measured["near_copies_pixels"].value > 0.99
    everywhere = math.sqrt(highest * (highest + 1) / 3)  # the noise itself, of which black keeps only the upper half
    assert everywhere / 2 < measured["nearest_training_pixels"].value < everywhere


def test_new_real_images_are_no_copies(quadrants, small, held_out):
    score = Memorisation({"q": quadrants})
    of_test = score.measure(small.test, small)
    of_others = score.measure(held_out, small)
    for space in ("pixels", "quadrants"):
        assert of_test[f"near_copies_{space}"].value == 0.01  # by construction
        assert 0 < of_others[f"near_copies_{space}"].value < 0.05
        median = of_test[f"nearest_training_{space}"].value
        assert of_others[f"nearest_training_{space}"].value == pytest.approx(median, rel=0.1)


def test_noise_is_no_copy_and_farther_than_anything_real(small):
    noise = torch.randint(0, 256, (200, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    measured = Memorisation({}).measure(garment_set(noise, torch.arange(200) % 10), small)
    assert measured["near_copies_pixels"].value == 0.0
    assert measured["nearest_training_pixels"].value > 80


@pytest.mark.parametrize(("n", "expected"), [(1, 0), (99, 0), (100, 0), (199, 0), (200, 1), (1000, 9)])
def test_the_nearest_hundredth_ends_at_its_last(n, expected):
    distances = torch.arange(n, dtype=torch.float64)[torch.randperm(n, generator=torch.Generator().manual_seed(2))]
    assert near_distance(distances) == expected


def test_copies_are_found_out_even_if_the_test_images_are_copies():
    """The near distance is then 0, and a copy is still at most that far."""
    train = flat_images([0, 100])
    measured = Memorisation({}).measure(flat_images([100, 100, 99]), RealImages(train, flat_images([0, 0, 100])))
    assert measured["near_copies_pixels"].value == pytest.approx(2 / 3, rel=1e-12)


@pytest.mark.parametrize("bootstrap_samples", [0, 30])
def test_collapsed_sets_have_finite_scores(quadrants, bootstrap_samples):
    same = flat_images([3] * 20, bootstrap_samples=bootstrap_samples)
    for measured in Memorisation({"q": quadrants}).measure(same, RealImages(same, same)).values():
        assert measured.value in (0.0, 1.0)
        low, high = measured.interval if bootstrap_samples else (0, 1)
        assert low <= measured.value <= high


@pytest.mark.parametrize("n", [100, 101])
def test_the_interval_of_the_median_is_that_of_repeated_images(n):
    levels = torch.randint(0, 256, (n,), generator=torch.Generator().manual_seed(3)).tolist()
    samples = flat_images(levels, bootstrap_samples=40)
    measured = Memorisation({}).measure(samples, RealImages(flat_images([0]), flat_images([9])))
    value, interval = measured["nearest_training_pixels"].value, measured["nearest_training_pixels"].interval
    drawn = [np.repeat(levels, counts.int().tolist()) for counts in samples.resamples]
    low, middle, high = np.quantile([np.sort(each)[(n - 1) // 2] for each in drawn], [0.025, 0.5, 0.975])
    assert value == np.median(levels)
    assert value + low - middle > 0
    assert interval == pytest.approx((value + low - middle, value + high - middle), rel=1e-12)


def test_intervals_hold_their_value_and_stay_within_bounds():
    """Resamples of values that are either near or far: the median jumps, and rare copies are often not drawn."""
    real = RealImages(flat_images([0]), flat_images([5, 50]))
    for copies in (0, 1, 100, 101, 199, 200):
        for bootstrap_samples in range(2, 12):
            samples = flat_images([3] * copies + [60] * (200 - copies), bootstrap_samples=bootstrap_samples)
            median, share = Memorisation({}).measure(samples, real).values()
            assert share.value == copies / 200
            assert 0 <= share.interval[0] <= share.value <= share.interval[1] <= 1
            assert 0 <= median.interval[0] <= median.value <= median.interval[1]


def test_neighbours_of_samples_and_of_test_images_are_searched_once(quadrants, monkeypatch):
    sizes = []

    def counted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(a))
        return nearest(a, b)

    monkeypatch.setattr(memorisation, "nearest", counted)
    real = RealImages(flat_images([0, 9]), flat_images([1, 2, 3]))
    score, samples = Memorisation({"q": quadrants}), flat_images([5, 6, 7, 8])
    score.measure(samples, real)
    score.findings(samples, real)
    score.measure(samples, real)
    score.measure(score.real_samples(real), real)
    assert sorted(sizes) == [3, 3, 4, 4]  # on grey levels and on the network


def test_other_training_images_are_searched_anew(quadrants):
    """What is kept of a set is kept for the training images it was measured with."""
    samples, score, test = flat_images([10, 20]), Memorisation({"q": quadrants}), flat_images([5])
    first = score.measure(samples, RealImages(flat_images([0]), test))
    second = score.measure(samples, RealImages(flat_images([20]), test))
    assert first["nearest_training_pixels"].value == 15
    assert second["nearest_training_pixels"].value == 5


def test_findings_are_the_closest_pairs_one_for_each_training_image(quadrants):
    real = RealImages(flat_images([0, 100, 200]), flat_images([5]))
    samples = flat_images([103, 2, 101, 1, 190, 99], [4, 5, 6, 7, 8, 9])
    found = Memorisation({"q": quadrants}).findings(samples, real)["closest_pairs"]
    pairs = [(2, 1, 1.0, 6), (3, 0, 1.0, 7), (4, 2, 10.0, 8)]  # of equals (99 and 101) the first sample
    for space, unit in (("pixels", 1), ("quadrants", 2)):
        assert found[space] == [
            {"sample": sample, "training": training, "distance": distance * unit, "label": label}
            for sample, training, distance, label in pairs
        ]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_findings_are_ten_at_most_and_the_closest_of_all(small, held_out):
    pairs = Memorisation({}).findings(held_out, small)["closest_pairs"]["pixels"]
    distances = nearest_training(held_out, small, None)["distance"]
    assert len(pairs) == len({pair["training"] for pair in pairs}) == 10
    assert pairs[0]["distance"] == distances.min().item()
    assert [pair["distance"] for pair in pairs] == sorted(pair["distance"] for pair in pairs)
    for pair in pairs:
        difference = held_out.images[pair["sample"]].double() - small.train.images[pair["training"]].double()
        assert pair["distance"] == pytest.approx(difference.square().mean().sqrt().item(), rel=1e-12)
        assert pair["label"] == held_out.labels[pair["sample"]]


def test_the_order_of_the_samples_has_no_influence(quadrants, small, held_out):
    mixed = held_out.subset(torch.randperm(1000, generator=torch.Generator().manual_seed(4)))
    score = Memorisation({"q": quadrants})
    first, second = score.measure(held_out, small), score.measure(mixed, small)
    for name in first:
        assert first[name].value == pytest.approx(second[name].value, rel=1e-12)
        assert first[name].by_class == pytest.approx(second[name].by_class, rel=1e-12)


def test_the_same_bits_twice_and_nothing_random_touched(quadrants, small):
    state = torch.get_rng_state()
    score = Memorisation({"q": quadrants})
    sets = [flat_images(list(range(0, 250, 5)), bootstrap_samples=10) for _ in range(2)]
    first, second = (score.measure(each, small) for each in sets)
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
