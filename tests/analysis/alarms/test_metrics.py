import math

import pytest

from fmcgan.analysis.alarms.curves import Facts, curve_alarms
from fmcgan.analysis.alarms.metrics import (
    history,
    ignored_below,
    labels_ignored,
    mode_collapse,
    not_the_best,
    still_improving,
)
from tests.analysis.alarms.planted_rows import rows, scores


@pytest.mark.parametrize(
    ("recall", "floors", "alarmed"),
    [
        ([0.6, 0.31], True, False),
        ([0.6, 0.29], True, True),
        ([0.089], True, False),  # a tenth of 0.88 is 0.088
        ([0.087], True, True),
        ([0.087], False, False),
        ([0.0, 0.7], True, False),
        ([0.7, 0.0], False, True),
    ],
)
def test_collapse_is_measured_against_the_best_and_against_real_images(recall, floors, alarmed):
    assert bool(mode_collapse(scores(floors, recall=recall))) == alarmed
    both = mode_collapse(scores(floors, recall=recall, coverage=[0.9] * len(recall)))
    assert bool(both) == alarmed
    assert "coverage" not in (both.statement if both else "")


@pytest.mark.parametrize(
    ("agreement", "floors", "alarmed"),
    [
        ([0.47], True, False),
        ([0.46], True, True),
        ([0.21], False, False),
        ([0.19], False, True),
        ([0.1, 0.9], True, False),
    ],
)
def test_label_agreement_by_hand(agreement, floors, alarmed):
    assert bool(labels_ignored(scores(floors, label_agreement=agreement), chance=0.1)) == alarmed


def test_a_taken_back_learning_rate_means_that_the_run_ended_as_planned():
    improving = scores(fd=[3.0, 2.0])
    assert still_improving(rows() + improving)
    assert still_improving(rows(learning_rate__generator=lambda t: 1 - 0.8 * t) + improving)
    assert not still_improving(rows(learning_rate__generator=lambda t: 1 - t) + improving)
    assert not still_improving(rows() + scores(fd=[3.0, 2.9]))
    assert not still_improving(rows() + scores(fd=[3.0]))
    assert not curve_alarms(rows() + improving, Facts(finished=True, planned_epochs=10))[1:]


@pytest.mark.parametrize(("fd", "alarmed"), [([1.0, 1.09], False), ([1.0, 1.11], True), ([1.0, 2.0, 0.9], False)])
def test_not_the_best_by_hand(fd, alarmed):
    found = not_the_best(scores(fd=fd))
    assert bool(found) == alarmed
    assert not found or "after epoch 5 (1)" in found.statement


def test_history_takes_our_classifier_of_several_networks_and_leaves_gaps_out():
    known = [
        {
            "epoch": 1.0,
            "score/fd_inception_10k_test": 30.0,
            "score/fd_classifier_10k_test": 3.0,
            "floor/fd_classifier_10k_test": 0.1,
        },
        {"epoch": 2.0, "score/fd_inception_10k_test": 20.0, "score/fd_classifier_10k_test": None},
        {"epoch": 3.0, "score/class_fd_classifier_10k_test": 5.0, "score/fd_classifier_10k_test": math.inf},
        {"epoch": 4.0, "score/fd_classifier_10k_test": 2.0},
    ]
    name = "fd_classifier_10k_test"
    assert history(known, "fd") == [(1.0, 3.0, 0.1, name), (4.0, 2.0, None, name)]
    assert history(known, "recall") == []


@pytest.mark.parametrize(
    ("real", "chance", "limit"),
    [
        (0.9, 0.1, 0.45),
        (None, 0.1, 0.2),
        (0.98, 0.5, 0.74),  # half of it would be below chance
        (None, 0.5, 0.75),  # and twice chance would be 1
        (0.9, 1 / 3, 0.45),
        (None, 0.001, 0.002),
    ],
)
def test_the_limit_of_label_agreement_depends_on_chance(real, chance, limit):
    assert ignored_below(real, chance) == pytest.approx(limit)
