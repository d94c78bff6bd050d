"""Order and ties of submissions with values and resamples by hand."""

import pytest
import torch

from fmcgan.ranking.standing import difference, ranked, ties_in_words
from tests.ranking.drawn import LIMITS, NAME, OTHER, SAME, N, scored


def ranks(*submissions, floor=0.0):
    return {each.scored.name: each.rank for each in ranked(submissions, NAME, floor, LIMITS, N)}


def test_equal_noise_of_the_real_images_cancels():
    """The intervals of both overlap, that of their difference is 0.5 wide of nothing."""
    first, second = scored("a", 2.0, SAME), scored("b", 2.5, SAME)
    assert ranks(second, first) == {"a": 1, "b": 2}
    keys = [torch.cat([torch.tensor([each.results[NAME]["value"]]), each.resampled]) for each in (first, second)]
    assert difference(*keys) == pytest.approx((0.5, 0.5))


def test_independent_noise_is_a_tie():
    """The difference of the resamples is -1.5, 0.5 and 2.5 in turn."""
    assert ranks(scored("a", 2.0, SAME), scored("b", 2.5, OTHER), scored("c", 20.0, SAME)) == {"a": 1, "b": 1, "c": 3}


def test_neighbours_share_a_rank_in_a_chain():
    places = ranked([scored(str(k), 1.5 * k, (SAME, OTHER)[k % 2]) for k in range(4)], NAME, 0.0, LIMITS, N)
    assert [place.rank for place in places] == [1, 1, 1, 1]
    assert places[0].tied_with == ("1", "2", "3")
    (words,) = ties_in_words(places)
    assert all(f"{k}" in words for k in range(4))


def test_the_same_samples_twice_are_a_tie():
    assert ranks(scored("b", 2.0, SAME), scored("a", 2.0, SAME)) == {"a": 1, "b": 1}


@pytest.mark.parametrize(("better", "order"), [("lower", "abc"), ("higher", "cba"), ("real", "bca")])
def test_the_direction_is_that_of_the_metric(better, order):
    """Real images have 6: b differs by 1, c by 3, a by 5."""
    none = [0.0] * 30
    found = ranks(*(scored(name, value, none, better) for name, value in zip("abc", (1, 5, 9), strict=True)), floor=6.0)
    assert "".join(sorted(found, key=found.get)) == order


def test_copies_have_no_rank_and_do_not_part_a_tie():
    places = ranked(
        [scored("a", 2.0, SAME), scored("copier", 2.2, SAME, test_copies=1), scored("b", 2.5, OTHER)],
        NAME,
        0.0,
        LIMITS,
        N,
    )
    assert [(each.scored.name, each.rank) for each in places] == [("a", 1), ("copier", None), ("b", 1)]
    assert places[1].copies == ("1 of 100 are test images",)


def test_near_copies_are_marked_if_there_are_more_than_of_real_images():
    """Wilson's interval of 4 of 100 begins at 0.016, that of 3 at 0.010 and that of 2 at 0.006."""
    (few, many) = ranked(
        [scored("a", 1.0, SAME, near_copies=2), scored("b", 9.0, SAME, near_copies=4)], NAME, 0.0, LIMITS, N
    )
    assert (few.near_copies, many.near_copies) == (False, True)
    assert (few.rank, many.rank) == (1, 2)
