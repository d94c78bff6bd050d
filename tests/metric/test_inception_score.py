import math

import pytest
import torch
from torch import Tensor, nn
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric
from torchmetrics.image.inception import InceptionScore as TorchmetricsInceptionScore

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.metric.inception_score import InceptionScore, inception_scores
from tests.garments import garment_set


def score_of(logits: Tensor) -> float:
    return inception_scores(logits, torch.ones(1, len(logits))).item()


def some_logits(n: int, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(n, 10, generator=torch.Generator().manual_seed(n))


@pytest.mark.filterwarnings("ignore::UserWarning")  # torchmetrics' hints on memory and on one split's deviation
@pytest.mark.parametrize("scale", [0.01, 3.0, 30.0])
def test_it_agrees_with_torch_fidelity_and_torchmetrics(scale):
    logits = some_logits(500, scale)
    ours = score_of(logits)
    assert ours == pytest.approx(isc_features_to_metric(logits, splits=1)[KEY_METRIC_ISC_MEAN], rel=1e-6)
    theirs = TorchmetricsInceptionScore(nn.Identity(), splits=1)
    theirs.update(logits.double())
    assert ours == pytest.approx(theirs.compute()[0].item(), rel=1e-6)


def test_the_bounds_and_a_value_between_by_hand():
    sure = 1000 * torch.eye(10)
    assert score_of(sure.repeat(7, 1)) == pytest.approx(10, rel=1e-12)
    assert score_of(sure.repeat(7, 1)) <= 10
    assert score_of(sure[[1, 8, 8, 1]]) == pytest.approx(2, rel=1e-12)
    assert score_of(some_logits(1).expand(50, -1)) == pytest.approx(1, rel=1e-12)
    assert score_of(some_logits(1).expand(50, -1)) >= 1
    # Half the answers are sure of class 0, half give 1/2 to each of 0 and 1: the mean answer is (3/4, 1/4).
    halves = torch.full((2, 10), -1000.0)
    halves[[0, 1, 1], [0, 0, 1]] = 0
    mean_entropy = 0.5 * math.log(2)
    entropy_of_mean = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert score_of(halves) == pytest.approx(math.exp(entropy_of_mean - mean_entropy), rel=1e-12)


def test_resamples_score_as_if_their_images_were_repeated():
    logits = some_logits(6)
    counts = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 3, 0, 2, 0, 1], [6, 0, 0, 0, 0, 0]])
    repeated = [score_of(logits.repeat_interleave(row, dim=0)) for row in counts]
    assert inception_scores(logits, counts.float()).tolist() == pytest.approx(repeated, rel=1e-12)
    assert len(set(repeated)) == 3


def test_no_resamples_give_no_scores():
    assert inception_scores(some_logits(6), torch.zeros(0, 6)).shape == (0,)


def test_real_images_are_far_from_collapsed_ones(real):
    images = real.test.balanced(500)
    samples = garment_set(images.images, images.labels, bootstrap_samples=100)
    before = torch.get_rng_state()
    measured = InceptionScore().measure(samples, real)
    assert torch.equal(torch.get_rng_state(), before)
    assert set(measured) == {"is_classifier"}
    value, (low, high), by_class = measured["is_classifier"]
    assert by_class is None
    assert 8 < low < value < high < 10
    assert high - low < 1
    collapsed = garment_set(images.images[:1].repeat(50, 1, 1, 1), torch.arange(50) % 10, bootstrap_samples=20)
    (of_collapsed,) = InceptionScore().measure(collapsed, real).values()
    assert of_collapsed.value == pytest.approx(1, abs=1e-6)
    assert of_collapsed.interval == pytest.approx((1, 1), abs=1e-6)
    assert min(of_collapsed.value, *of_collapsed.interval) >= 1


def test_labels_are_not_looked_at_and_real_samples_are_those_that_the_classifier_has_not_seen(real):
    images = real.test.images[:100]
    first, second = (
        InceptionScore().measure(garment_set(images, labels), real)
        for labels in (real.test.labels[:100], torch.zeros(100, dtype=torch.int64))
    )
    assert first == second
    for split in ("train", "test"):
        assert InceptionScore().real_samples(real._replace(reference_split=split)) is real.test


def test_mistakes_are_found_at_construction(tmp_path):
    with pytest.raises(UserError, match="no classifier weights"):
        InceptionScore(weights=tmp_path / "nowhere.pt")
    with pytest.raises(InvalidValueError, match="batch_size must be a whole number of at least 1, got 0"):
        InceptionScore(batch_size=0)
