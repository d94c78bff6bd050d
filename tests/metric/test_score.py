import logging

import pytest
import torch

from fmcgan.metric.score import LabelledImages, Measurement, Score, class_balanced, count_name


class MeanBrightness(Score):
    """Absolute difference of the mean grey levels: easy to compute in the head."""

    def _set_reference(self, test: LabelledImages) -> None:
        self.reference = test.images.double().mean().item()
        self.times_measured = 0

    def _measure(self, samples: LabelledImages) -> dict[str, Measurement]:
        self.times_measured += 1
        return {"difference": Measurement(abs(samples.images.double().mean().item() - self.reference), "lower")}


def grey(level: int, count: int) -> LabelledImages:
    return LabelledImages(torch.full((count, 1, 28, 28), level, dtype=torch.uint8), torch.arange(count) % 10)


@pytest.mark.parametrize(("n", "name"), [(10000, "10k"), (2500, "2500"), (2000, "2k"), (50000, "50k"), (64, "64")])
def test_the_count_as_names_carry_it(n, name):
    assert count_name(n) == name


def test_the_choice_is_balanced_and_takes_the_first_of_each_class():
    labels = torch.tensor([3, 3, 3, 0, 0, 7, 3, 7])
    assert class_balanced(labels, 3).tolist() == [0, 3, 5]
    assert class_balanced(labels, 5).tolist() == [0, 1, 3, 4, 5]  # the remainder goes to the lowest labels


def test_a_class_that_runs_out_is_made_up_for_by_the_others():
    labels = torch.tensor([3, 3, 3, 0, 3])
    assert class_balanced(labels, 3).tolist() == [0, 1, 3]
    assert class_balanced(labels, 100).tolist() == [0, 1, 2, 3, 4]


def test_real_choice_holds_as_many_of_every_class(real_train):
    chosen = class_balanced(real_train.labels, 10_000)
    assert real_train.labels[chosen].bincount().tolist() == [1000] * 10
    assert chosen.unique().numel() == 10_000


def test_the_reference_is_the_test_split_and_the_floor_scores_training_images_once():
    score = MeanBrightness()
    score.prepare(train=grey(100, 40), test=grey(90, 20), n=30)
    assert score.measure(grey(130, 30)) == {"difference": Measurement(40.0, "lower")}
    assert score.floors() == score.floors() == {"difference": 10.0}
    assert score.times_measured == 2


def test_a_floor_of_too_few_images_is_announced(caplog):
    score = MeanBrightness()
    with caplog.at_level(logging.WARNING):
        score.prepare(train=grey(100, 40), test=grey(90, 20), n=50)
    assert "40 training images" in caplog.text
    assert score.floors() == {"difference": 10.0}


def test_another_number_of_samples_than_the_name_says_is_refused():
    score = MeanBrightness()
    score.prepare(train=grey(100, 40), test=grey(90, 20), n=30)
    with pytest.raises(ValueError, match="the 30 images of the protocol, got 29 images with 29 labels"):
        score.measure(grey(130, 29))


@pytest.mark.parametrize("n", [1, 2.0, "10k"])
def test_n_must_be_a_whole_number_of_at_least_two(n):
    with pytest.raises(ValueError, match="n must be a whole number of at least 2"):
        MeanBrightness().prepare(grey(100, 40), grey(90, 20), n)
