"""What `compare` prints: ten lines that name the winner."""

import pytest

from fmcgan.comparison.results import gather
from fmcgan.comparison.summary import summary, verdict


def score(value, better="lower"):
    return {"value": value, "floor": 1.5, "better": better, "n": 10_000}


@pytest.fixture
def two(write_run, tmp_path):
    """Writes runs of two losses with the given scores of three seeds."""

    def write(hinge, wgan, more=()):
        for loss, values in (("hinge", hinge), ("wgan_gp", wgan)):
            for seed, value in enumerate(values):
                scores = {"fd": score(value)} | {name: score(1.0 + seed) for name in more}
                run = f"{loss}-{seed}"
                write_run(run, [f"loss={loss}", f"seed={seed}"], final=(1000, value), seed=seed, scores=scores)
        return gather([tmp_path / "runs"])

    return write


def test_a_clear_winner_is_named(two, tmp_path):
    comparison = two([2.0, 2.1, 2.2], [3.0, 3.2, 3.1])
    assert verdict(comparison) == "winner: A: loss=hinge, clear by 1 of 1 score"
    lines = summary(comparison, tmp_path, 80).splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines[:-1])) <= 80  # the path of the page may be long
    assert lines[-1].endswith("comparison.html")
    (row,) = (line for line in lines if line.startswith("fd"))
    assert row.split() == ["fd", "↓", "clear", "A", "2.100", "±", "0.100", "B", "3.100", "±", "0.100"]


def test_no_significant_difference_is_a_tie(two):
    assert verdict(two([2.0, 3.0, 2.2], [2.5, 2.4, 2.6])).startswith("tie: no group is significantly better")


def test_one_seed_cannot_be_tested(two):
    assert verdict(two([2.0], [3.0])).startswith("tie: ")


def test_one_group_has_no_winner(write_run, tmp_path):
    write_run("a", ["seed=0"], final=(1000, 2.0))
    comparison = gather([tmp_path / "runs"])
    assert verdict(comparison) == "no winner: one group"
    assert "2.000" in summary(comparison, tmp_path, 80)


def test_many_scores_and_groups_stay_within_about_ten_lines(write_run, tmp_path):
    for width in range(9):
        for seed in (0, 1):
            scores = {f"score_{name}": score(float(width * name + seed)) for name in range(12)}
            overrides = [f"network.width={width}", f"optimizer@training.generator_optimizer=rmsprop_{width}"]
            write_run(f"{width}-{seed}", overrides, final=(1000, 1.0), seed=seed, scores=scores)
    lines = summary(gather([tmp_path / "runs"]), tmp_path, 80).splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines[:-1])) <= 80
