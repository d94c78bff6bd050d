from dataclasses import replace

import pytest

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS
from fmcgan.downstream.arms import AUGMENTED, NOTHING, ONLY_GENERATED, REPEATED, TOPPED_UP
from fmcgan.downstream.protocol import RealSize
from tests.downstream.drawn import PROTOCOL


def test_sizes_above_the_training_set_are_all_of_it_once():
    protocol = replace(PROTOCOL, sizes=[100, 500, 2000], long_tail=10, long_tail_sizes=[50, 700])
    assert protocol.real_sizes(600) == [RealSize(100), RealSize(500), RealSize(600), RealSize(50, 10)]
    assert protocol.real_sizes(500) == [RealSize(100), RealSize(500), RealSize(50, 10)]


def test_arms_of_both_kinds_of_sets():
    protocol = replace(PROTOCOL, ratios=[5, 0.5], augmented_ratios=[1], only_generated=True)
    even = protocol.arms(RealSize(100))
    assert [arm.ratio for arm in even] == [0, 0, 0.5, 5, 1, 1]
    assert (even[0], even[1], even[-1]) == (NOTHING, AUGMENTED, ONLY_GENERATED)
    assert protocol.arms(RealSize(100, 10)) == [NOTHING, AUGMENTED, REPEATED, TOPPED_UP]


def test_the_choice_of_images_is_that_of_a_training():
    subset = RealSize(100, 10).subset(3)
    assert (subset.n, subset.long_tail, subset.seed, subset.per_class) == (100, 10, 3, None)


def test_every_parameter_of_the_training_is_in_its_description():
    changes = [{}, {"network": "quick_cnn"}, {"steps": 61}, {"batch_size": 33}, {"learning_rate": 0.01}]
    told = {replace(PROTOCOL, **change).training(GARMENTS) for change in changes}
    assert len(told) == len(changes)
    assert PROTOCOL.training(replace(GARMENTS, flips=False)) not in told  # what augmentation does


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizes": [1]},
        {"sizes": []},
        {"sizes": [10, 10]},
        {"ratios": [0]},
        {"ratios": [-1]},
        {"augmented_ratios": [1e9]},
        {"seeds": [0]},
        {"seeds": [0, -1]},
        {"seeds": [1, 1]},
        {"long_tail": 0.5},
        {"long_tail_sizes": [0]},
        {"network": "vgg"},
        {"steps": 1},
        {"batch_size": 0},
        {"learning_rate": 0},
    ],
)
def test_mistakes_are_found_at_construction(wrong):
    with pytest.raises(InvalidValueError, match=f"protocol.{next(iter(wrong))}"):
        replace(PROTOCOL, **wrong)
