from scipy import stats

from study import paired
from study.arms import BASE, Table

NAME = "assigned_recall_classifier_10k_test"
TABLE = Table({"label": (BASE, "study/shuffled")}, "page", scores={"recall": NAME}, paired=True)


def entry(arm, seed, value):
    by_class = [value + label / 100 for label in range(10)]
    return {"arm": arm, "seed": seed, "scores": {NAME: {"value": value, "better": "higher", "by_class": by_class}}}


def test_differences_are_paired_by_seed_with_students_interval():
    base, arm = {1: 0.50, 2: 0.30, 3: 0.70, 4: 0.9}, {1: 0.40, 2: 0.19, 3: 0.58}
    entries = [entry(BASE, *each) for each in base.items()] + [entry("study/shuffled", *each) for each in arm.items()]
    of_all, method = paired.blocks(entries, TABLE)
    _, by_class, _ = paired.class_blocks(entries, TABLE)
    gaps = [-0.10, -0.11, -0.12]
    low, high = stats.t.interval(0.95, 2, loc=-0.11, scale=stats.sem(gaps))
    head, _, row = of_all.splitlines()
    assert "`study/shuffled` (3 pairs)" in head
    mean, ends = row.strip("|").split("|")[1].split(maxsplit=1)
    assert float(mean.strip("*")) == -0.11
    assert mean.startswith("**")
    assert [round(float(end), 3) for end in ends.strip(" []").split(",")] == [round(low, 3), round(high, 3)]
    assert sum(line.startswith("|") for line in by_class.splitlines()) == 12
    assert BASE in method


def test_an_interval_with_0_is_not_marked_and_one_pair_has_none():
    assert "*" not in paired.difference([1.0, -1.0, 0.5], 1.0)
    assert "[" not in paired.difference([1.0], 1.0)
    assert paired.blocks([entry(BASE, 1, 0.5)], TABLE) == paired.class_blocks([entry(BASE, 1, 0.5)], TABLE) == []
