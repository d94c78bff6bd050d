import json
import math

import pytest
import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.metric.feature.classifier_network import SHIPPED_WEIGHTS
from fmcgan.metric.gan_test import GanTest, agreement_share, count_agreement
from fmcgan.metric.image_set import ImageSet
from tests.garments import garment_set


class Answers:
    """A classifier that gives the same answers to whatever images."""

    name, version = "classifier", "answers"

    def __init__(self, logits: Tensor) -> None:
        self._logits = logits

    def logits(self, images: ImageSet) -> Tensor:
        return self._logits


def answered(logits: Tensor) -> GanTest:
    score = GanTest()
    score.classifier = Answers(logits)
    return score


def black(labels: list[int], bootstrap_samples: int = 0) -> ImageSet:
    images = torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8)
    return garment_set(images, torch.tensor(labels), bootstrap_samples=bootstrap_samples)


@pytest.fixture(scope="module")
def samples(real_test) -> ImageSet:
    return real_test.balanced(1000)


def test_both_numbers_by_hand(real):
    # Of a sample asked for with logit log 9 where the nine others are 0, p = 9 / (9 + 9) = 1/2.
    logits = torch.zeros(4, 10)
    logits[[0, 1, 2], [4, 4, 7]] = math.log(9)
    measured = answered(logits).measure(black([4, 2, 7, 0]), real)
    assert set(measured) == {"label_agreement_classifier", "label_cross_entropy_classifier"}
    agreement, cross_entropy = measured.values()
    # A tie is read as the first class, as argmax does.
    assert agreement == (0.75, None, (1.0, None, 0.0, None, 1.0, None, None, 1.0, None, None))
    assert cross_entropy.value == pytest.approx((math.log(2) + math.log(18) + math.log(2) + math.log(10)) / 4)
    assert cross_entropy.interval is None
    by_class = [each for each in cross_entropy.by_class if each is not None]
    assert by_class == pytest.approx([math.log(10), math.log(18), math.log(2), math.log(2)])


def test_the_interval_is_that_of_a_share(real):
    logits = torch.eye(10)[torch.arange(1000) % 10]
    labels = torch.arange(1000) % 10
    labels[:200] = 0  # every class asked for loses 20 of its 100 to class 0, of which 20 are right
    agreement, cross_entropy = answered(logits).measure(black(labels.tolist(), bootstrap_samples=500), real).values()
    assert agreement.value == 0.82
    assert agreement.interval == pytest.approx(
        (0.82 - 0.0238, 0.82 + 0.0238), abs=0.0015
    )  # 1.96 sqrt(0.82 0.18 / 1000)
    # Within classes only class 0 varies: 280 samples of which 100 are right.
    spread = 1.96 * math.sqrt(280 * (100 / 280) * (180 / 280)) / 1000
    # An answer has cross entropy log(e + 9) - 1 if it agrees, and 1 more if it does not.
    expected = math.log(math.e + 9) - 0.82
    assert cross_entropy.value == pytest.approx(expected)
    assert cross_entropy.interval == pytest.approx((expected - spread, expected + spread), abs=0.003)


def test_extreme_answers_give_finite_numbers(real):
    sure = torch.zeros(4, 10)
    sure[:, 3] = 1e4
    for label, agreement, cross_entropy in ((3, 1.0, 0.0), (5, 0.0, 1e4)):
        measured = answered(sure).measure(black([label] * 4, bootstrap_samples=10), real)
        assert [each.value for each in measured.values()] == [agreement, cross_entropy]
        (low, high), of_cross_entropy = (each.interval for each in measured.values())
        assert low <= agreement <= high
        assert of_cross_entropy == (cross_entropy,) * 2


def test_agreement_of_real_images_is_the_accuracy_and_shuffled_labels_drop_it_to_chance(samples, real):
    record = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    agreement, cross_entropy = GanTest().measure(samples, real).values()
    # Three standard deviations of a share of 0.93 among 1,000 are 0.024.
    assert agreement.value == pytest.approx(record["test_accuracy"], abs=0.025)
    assert min(range(10), key=agreement.by_class.__getitem__) == 6  # shirts are the hard class of Fashion-MNIST
    assert 0.1 < cross_entropy.value < 0.3
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(1))
    shuffled = GanTest().measure(garment_set(samples.images, samples.labels[order]), real)
    assert shuffled["label_agreement_classifier"].value == pytest.approx(0.1, abs=0.03)
    assert shuffled["label_cross_entropy_classifier"].value > math.log(10)  # worse than knowing nothing


def test_the_findings_are_the_counts_of_the_samples(samples, real):
    matrix = GanTest().findings(samples, real)["agreement_matrix"]
    assert [sum(row) for row in matrix] == [100] * 10  # a row for each class asked for
    agreement = GanTest().measure(samples, real)["label_agreement_classifier"]
    assert tuple(matrix[label][label] / 100 for label in range(10)) == pytest.approx(agreement.by_class)
    assert sum(matrix[label][label] for label in range(10)) / 1000 == agreement.value
    assert json.loads(json.dumps(matrix)) == matrix


def test_counts_by_hand():
    logits = torch.eye(10)[[4, 4, 7, 0]]
    counts = count_agreement(torch.tensor([4, 2, 7, 7]), logits)
    assert counts.nonzero().tolist() == [[2, 4], [4, 4], [7, 0], [7, 7]]
    assert agreement_share(counts) == 0.5


def test_the_batch_size_is_of_no_influence_and_the_global_random_state_stays(samples, real):
    few = garment_set(samples.images[:100], samples.labels[:100])
    again = garment_set(few.images, few.labels)
    before = torch.get_rng_state()
    expected = GanTest().measure(few, real)
    measured = GanTest(batch_size=33).measure(again, real)
    assert torch.equal(torch.get_rng_state(), before)
    for name in expected:
        assert measured[name].value == pytest.approx(expected[name].value, rel=1e-4)


def test_real_samples_are_those_that_the_classifier_has_not_seen(real):
    for split in ("train", "test"):
        assert GanTest().real_samples(real._replace(reference_split=split)) is real.test


def test_mistakes_are_found_at_construction(tmp_path):
    with pytest.raises(UserError, match="no classifier weights"):
        GanTest(weights=tmp_path / "nowhere.pt")
    with pytest.raises(InvalidValueError, match="batch_size must be a whole number of at least 1, got 0"):
        GanTest(batch_size=0)
