from pathlib import Path

import pytest

from fmcgan.comparison.grouping import Group, group_runs, letter, short_names
from fmcgan.comparison.runs import Run


def run(*overrides, seed=0):
    return Run(Path("x"), overrides, seed, (), None)


@pytest.mark.parametrize(
    ("runs", "labels"),
    [
        ([["loss=a", "seed=0"], ["loss=b", "seed=0"], ["loss=a", "seed=1"]], ["loss=a", "loss=b"]),
        ([["loss=a", "epochs=3"], ["epochs=3", "loss=b", "width=9"]], ["loss=a", "loss=b, width=9"]),
        ([["loss=a"], []], ["loss=a", "default"]),
        ([["loss=a", "epochs=3"], ["loss=a"]], ["epochs=3", "default"]),
        ([["loss=a", "epochs=3", "seed=1"]], ["loss=a, epochs=3"]),
        ([["seed=1"], ["seed=2"]], ["default"]),
        ([["a=1", "b=2"], ["b=2", "a=1"]], ["a=1, b=2"]),
        ([["loss=a", "ckpt_path=x/last.ckpt"], ["loss=a", "data.root=y"]], ["loss=a"]),
        ([["lr=1", "lr=2"], ["lr=2"]], ["lr=2"]),
        ([["+a.b=1", "seed=0"], ["~callback.c", "++seed=4"]], ["+a.b=1", "~callback.c"]),
    ],
)
def test_labels(runs, labels):
    assert [group.label for group in group_runs([run(*overrides) for overrides in runs])] == labels


def test_runs_of_a_group_are_sorted_by_seed():
    group = group_runs([run("seed=10", seed=10), run(seed=None), run("seed=2", seed=2)])[0]
    assert group.seeds == (2, 10, None)


def test_letters():
    assert [letter(place) for place in (0, 25, 26, 27, 52, 701, 702)] == ["A", "Z", "AA", "AB", "BA", "ZZ", "AAA"]


def test_short_names_are_told_apart_by_their_letter():
    label = "experiment=quick, trainer.precision=bf16-mixed"
    names = short_names([Group(label, ()), Group(label + "!", ()), Group("loss=a", ())])
    assert names == ["A: experiment=quick ...", "B: experiment=quick ...", "C: loss=a"]
