import pytest
import torch

from fmcgan.downstream.arms import AUGMENTED, NOTHING, ONLY_GENERATED, REPEATED, TOPPED_UP, ratio_arm, reference_of


@pytest.mark.parametrize(
    ("ratio", "title"), [(0.5, "m = n/2"), (1, "m = n"), (5, "m = 5n"), (1.5, "m = 3n/2"), (0.1, "m = n/10")]
)
def test_titles_say_the_ratio(ratio, title):
    assert ratio_arm(ratio).title == title
    assert ratio_arm(ratio, augmented=True).title == f"{title}, augmented"


def test_generated_images_have_the_proportions_of_the_real_ones():
    counts = torch.tensor([60, 30, 10])
    assert ratio_arm(0.5).generated_counts(counts) == [30, 15, 5]
    assert ratio_arm(5).generated_counts(counts) == [300, 150, 50]
    assert ONLY_GENERATED.generated_counts(counts) == [60, 30, 10]
    for arm in (NOTHING, AUGMENTED, REPEATED):
        assert arm.generated_counts(counts) == [0, 0, 0]
        assert not arm.uses_generated


def test_topping_up_makes_every_class_as_large_as_the_largest():
    assert TOPPED_UP.generated_counts(torch.tensor([60, 30, 0])) == [0, 30, 60]
    labels = torch.tensor([0] * 5 + [1] * 2 + [2])
    chosen = REPEATED.real_indices(labels)
    assert labels[chosen].bincount().tolist() == [5, 5, 5]
    assert chosen[labels[chosen] == 1].tolist() == [5, 6, 5, 6, 5]


def test_only_generated_has_no_real_image():
    labels = torch.arange(4)
    assert len(ONLY_GENERATED.real_indices(labels)) == 0
    assert ratio_arm(1).real_indices(labels).tolist() == [0, 1, 2, 3]


def test_what_costs_nothing_is_the_second_reference():
    assert reference_of(ratio_arm(1)) == reference_of(ONLY_GENERATED) == AUGMENTED
    assert reference_of(TOPPED_UP) == REPEATED
    assert [reference_of(arm) for arm in (NOTHING, AUGMENTED, REPEATED)] == [None] * 3
