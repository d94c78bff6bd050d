import json

import pytest
import torch

from fmcgan.errors import UserError
from fmcgan.metric.classifier import SHIPPED_WEIGHTS
from fmcgan.metric.classifier_scores import ClassifierScores, agreement_share, count_agreement
from fmcgan.metric.score import LabelledImages, class_balanced

DISTANCE, AGREEMENT = "fd_classifier_500_test", "label_agreement_classifier_500"


def first(real: LabelledImages, n: int) -> LabelledImages:
    chosen = class_balanced(real.labels, n)
    return LabelledImages(real.images[chosen], real.labels[chosen])


@pytest.fixture(scope="module")
def score(real_train: LabelledImages, real_test: LabelledImages) -> ClassifierScores:
    score = ClassifierScores()
    score.prepare(real_train, first(real_test, 1000), n=500)
    return score


@pytest.fixture(scope="module")
def samples(real_test: LabelledImages) -> LabelledImages:
    """Five hundred real images that are neither in the floor nor in the reference."""
    return first(LabelledImages(real_test.images[-3000:], real_test.labels[-3000:]), 500)


def noise(n: int) -> LabelledImages:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return LabelledImages(images, torch.arange(n) % 10)


def test_real_images_score_like_the_floor_and_noise_far_from_it(score, samples):
    floors, real, far = score.floors(), score.measure(samples), score.measure(noise(500))
    assert set(floors) == set(real) == {DISTANCE, AGREEMENT}
    assert (real[DISTANCE].better, real[AGREEMENT].better) == ("lower", "higher")
    assert 0 < floors[DISTANCE] < 1
    assert real[DISTANCE].value == pytest.approx(floors[DISTANCE], abs=1)
    assert far[DISTANCE].value > 30 * floors[DISTANCE]


def test_agreement_of_real_images_is_the_accuracy_and_shuffled_labels_drop_it_to_chance(score, samples):
    record = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text())
    # Three standard deviations of a share of 0.93 among 500 are 0.034.
    assert score.measure(samples)[AGREEMENT].value == pytest.approx(record["test_accuracy"], abs=0.035)
    assert score.floors()[AGREEMENT] == pytest.approx(record["test_accuracy"], abs=0.035)
    order = torch.randperm(500, generator=torch.Generator().manual_seed(1))
    shuffled = score.measure(LabelledImages(samples.images, samples.labels[order]))
    assert shuffled[AGREEMENT].value == pytest.approx(0.1, abs=0.04)
    assert shuffled[DISTANCE] == score.measure(samples)[DISTANCE]  # the distance does not see labels


def test_fewer_kinds_of_images_are_further_away(score, samples):
    """One class instead of ten, and one image repeated: both must be finite and worse than the floor."""
    of_one_class = samples.images[samples.labels == 8][torch.arange(500) % 50]
    collapsed = samples.images[:1].expand(500, -1, -1, -1)
    far, further = (
        score.measure(LabelledImages(images, samples.labels))[DISTANCE].value for images in (of_one_class, collapsed)
    )
    assert 10 * score.floors()[DISTANCE] < far < further < float("inf")


def test_the_agreement_matrix_is_of_the_last_measurement(score, samples):
    measured = score.measure(samples)
    assert score.agreement_matrix.sum(dim=1).tolist() == [50] * 10  # a row for each class asked for
    assert score.agreement_matrix.diag().sum().item() / 500 == measured[AGREEMENT].value
    worst = (score.agreement_matrix.diag()).argmin().item()
    assert worst == 6  # shirts are the hard class of Fashion-MNIST
    before = score.agreement_matrix.clone()
    score._floors = None
    score.floors()
    assert torch.equal(score.agreement_matrix, before)


def test_counts_by_hand():
    logits = torch.eye(10)[[4, 4, 7, 0]]
    counts = count_agreement(torch.tensor([4, 2, 7, 7]), logits)
    assert counts.nonzero().tolist() == [[2, 4], [4, 4], [7, 0], [7, 7]]
    assert agreement_share(counts) == 0.5


def test_the_batch_size_changes_nothing_and_the_global_random_state_stays(score, samples, real_train, real_test):
    before = torch.get_rng_state()
    other = ClassifierScores(batch_size=77)
    other.prepare(real_train, first(real_test, 1000), n=500)
    measured, expected = other.measure(samples), score.measure(samples)
    assert measured[DISTANCE].value == pytest.approx(expected[DISTANCE].value, rel=1e-4)
    assert measured[AGREEMENT] == expected[AGREEMENT]
    assert other.floors()[DISTANCE] == pytest.approx(score.floors()[DISTANCE], rel=1e-4)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_small_data_set_is_measured_with_what_it_has():
    score = ClassifierScores()
    score.prepare(noise(200), noise(100), n=300, device="cpu")
    assert set(score.floors()) == {"fd_classifier_300_test", "label_agreement_classifier_300"}
    assert set(score.measure(noise(300))) == set(score.floors())


def test_mistakes_are_found_at_construction(tmp_path):
    with pytest.raises(UserError, match="no classifier weights"):
        ClassifierScores(weights=tmp_path / "nowhere.pt")
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got 0"):
        ClassifierScores(batch_size=0)
