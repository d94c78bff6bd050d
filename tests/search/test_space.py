"""Sweeps of the command line as distributions, and the search spaces that come with the package."""

import re

import pytest

from fmcgan.app.errors import UserError
from fmcgan.search.space import read_space

kinds = pytest.importorskip("optuna", reason="Optuna is not installed").distributions


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("interval(0.5, 2.0)", kinds.FloatDistribution(0.5, 2.0)),
        ("interval(1, 10)", kinds.FloatDistribution(1, 10)),
        ("int(interval(1, 10))", kinds.IntDistribution(1, 10)),
        ("tag(log, interval(1e-4, 1e-2))", kinds.FloatDistribution(1e-4, 1e-2, log=True)),
        ("tag(log, int(interval(1, 100)))", kinds.IntDistribution(1, 100, log=True)),
        ("range(8, 65, 8)", kinds.IntDistribution(8, 64, step=8)),  # without its end, as in Hydra
        ("range(3, 0, -1)", kinds.IntDistribution(1, 3)),
        ("range(0.0, 1.0, 0.25)", kinds.FloatDistribution(0.0, 0.75, step=0.25)),
        ("range(3, 4)", kinds.CategoricalDistribution([3])),
        ("hinge,wgan_gp", kinds.CategoricalDistribution(["hinge", "wgan_gp"])),
        ("choice(1, 2.5, true)", kinds.CategoricalDistribution([1, 2.5, True])),
        ("1,null", kinds.CategoricalDistribution([1, "null"])),
        ("[a,b],[c]", kinds.CategoricalDistribution(["[a,b]", "[c]"])),
    ],
)
def test_a_sweep_is_a_distribution(sweep, expected):
    assert read_space([f"key={sweep}"]).distributions == {"key": expected}


def test_overrides_of_a_trial_are_the_fixed_ones_and_its_values():
    space = read_space(["loss=hinge", "+x.y=interval(0.0, 1.0)", "~penalty", "schedule@a.b=linear,cosine", "seed=1,2"])
    assert list(space.distributions) == ["+x.y", "schedule@a.b", "seed"]
    values = {"+x.y": 0.25, "schedule@a.b": "cosine", "seed": 2}
    assert space.overrides(values) == ["loss=hinge", "~penalty", "+x.y=0.25", "schedule@a.b=cosine", "seed=2"]


def test_the_last_override_of_a_key_counts():
    space = read_space(["a=interval(0.0, 1.0)", "b=1,2", "a=7", "b=3,4"])
    assert space.fixed == ("a=7",)
    assert space.distributions == {"b": kinds.CategoricalDistribution([3, 4])}


@pytest.mark.parametrize("sweep", ["interval(2.0, 1.0)", "tag(log, interval(0.0, 1.0))", "range(3, 3)"])
def test_an_empty_or_impossible_sweep_is_one_line(sweep):
    with pytest.raises(UserError, match=rf"^key={re.escape(sweep)}: .*"):
        read_space([f"key={sweep}"])
