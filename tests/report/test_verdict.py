"""The verdict says what the numbers support, and nothing else."""

import pytest

from fmcgan.analysis.effect import Difference, Effect, Words
from fmcgan.analysis.findings import adjust_effects, select_findings
from fmcgan.analysis.section import Alarm, NearMiss, Section
from fmcgan.data.garments import GARMENTS
from fmcgan.report.verdict import nearest_to_an_alarm, verdict

SHIRT, COAT = GARMENTS.parse_classes(["shirt", "coat"])
WORDS = Words("shirts", "are less symmetric than real ones", "0.8 against 0.9")


def effect(key, size=1.0, classes=(), p_value=1e-9, error=0.02, words=None):
    return Effect(key, f"{key}.", Difference(size, error, p_value), Difference(0.0, 0.01, 0.5), classes, words=words)


def judged(*effects, sections=None, control=""):
    adjusted = adjust_effects(effects)
    clauses = verdict(sections or {}, adjusted, select_findings(adjusted), GARMENTS.plural, control)
    return [each.text for each in clauses]


@pytest.mark.parametrize(
    ("size", "p_value", "error", "said"),
    [
        (0.13, 1e-9, 0.02, "almost real one by one"),  # 0.09 to 0.17: below 0.2
        (0.25, 1e-9, 0.02, "nearly real one by one"),
        (0.47, 1e-9, 0.02, "not quite real one by one"),  # 0.43 to 0.51: medium cannot be excluded
        (0.82, 1e-9, 0.02, "not quite real one by one"),  # 0.78 to 0.86: large is not sure
        (0.90, 1e-9, 0.02, "unlike real images one by one"),
        (0.10, 0.5, 0.10, "no difference from real ones found one by one"),
        (0.10, 0.5, 0.30, "too few samples to judge one by one"),  # up to 0.69
    ],
)
def test_samples_one_by_one(size, p_value, error, said):
    other = effect("bias/shirt/symmetry", 1.0, (SHIRT,), words=WORDS)
    found = judged(effect("two_sample/all/auc", size, p_value=p_value, error=error), other)
    assert found == [said, "largest difference: shirts are less symmetric than real ones"]


def test_the_worse_of_two_measurements_of_single_images_counts():
    found = judged(effect("two_sample/all/auc", 0.2), effect("holes/all/outliers", 1.5))
    assert found[0] == "unlike real images one by one"
    alone = judged(effect("holes/all/outliers", 0.0, p_value=1.0), effect("holes/all/holes", 0.5))
    assert alone == ["no more outliers than among real images found", "some of the variety missing"]


def test_clusters_that_lack_samples_are_counted():
    marks = {"clusters/a/1": "missing", "clusters/a/2": "rare", "clusters/a/3": "rare", "clusters/a/4": ""}
    sections = {"clusters": Section("Clusters", "", values={"marks": marks})}
    effects = [effect("clusters/a/1", -1.0), effect("clusters/a/2", -0.5)]
    uncertain = effect("clusters/a/3", -0.5, p_value=0.5)  # marked, but not after correction
    assert judged(*effects, uncertain, effect("clusters/a/4", 0.3), sections=sections) == [
        "of 4 kinds (clusters of real images) 1 missing and 1 too rare"
    ]
    fine = sections | {"clusters": Section("Clusters", "", values={"marks": dict.fromkeys(marks, "")})}
    assert judged(effect("clusters/a/4", 0.3), sections=fine) == [
        "none of 4 kinds (clusters of real images) found missing"
    ]
    holes = effect("holes/all/holes", 0.4)
    assert judged(effect("clusters/a/4", 0.3), holes, sections=fine)[0] == "some of the variety missing"


def test_confused_classes_are_named():
    pairs = [effect(f"confusions/shirt/{n}", 0.9 - n / 10, (SHIRT, COAT)) for n in range(4)]
    assert judged(pairs[0]) == ["shirts taken for coats"]
    assert judged(*pairs)[0].endswith(" and 2 more confusions")
    rarer = effect("confusions/shirt/coat", -0.9, (SHIRT, COAT))
    assert judged(rarer) == ["no confusion of classes found beyond that of real images"]
    poor = effect("confusions/shirt/agreement", -0.9, (SHIRT,))
    assert judged(poor, rarer) == ["shirts recognised less often"]


def test_copies():
    near = effect("neighbours/all/near_copies_pixels", 0.5)
    assert judged(near) == ["more near copies than expected"]
    none = effect("neighbours/all/near_copies_pixels", 0.0, p_value=1.0)
    assert judged(none, effect("confusions/shirt/coat", 0.9, (SHIRT, COAT)))[-1] == "no sign of copying"


def test_membership_counts_where_it_was_measured():
    near = effect("neighbours/all/near_copies_pixels", 0.5)
    assert judged(near, effect("membership/inversion", 0.3))[-1] == "training images can be told from held-out ones"
    assert judged(near, effect("membership/inversion", 0.0, p_value=1.0))[-2:] == [
        "more near copies than expected",
        "no sign of memorised training images",
    ]


def test_alarms_come_first_and_nothing_found_is_said():
    alarms = {"sample_check": Section("Check", "", alarms=[Alarm("mode collapse", "It did.", "so")])}
    found = judged(effect("two_sample/all/auc", 3.0), sections=alarms)
    assert found == ["alarm: mode collapse", "unlike real images one by one"]
    nothing = effect("two_sample/all/auc", 0.0, p_value=1.0)
    assert judged(nothing) == ["no difference from real images found in 1 comparisons"]
    assert judged(nothing, control="real test images") == [
        "a control: these are real test images",
        "no difference from real images found in 1 comparisons",
    ]
    assert judged() == []


def test_the_nearest_alarm_of_all_sections():
    near = {name: Section(name, "", near_miss=NearMiss(share, name)) for name, share in (("a", 0.2), ("b", 0.7))}
    assert nearest_to_an_alarm({"c": Section("c", ""), **near}) == ("b", NearMiss(0.7, "b"))
    assert nearest_to_an_alarm({"c": Section("c", "")}) is None
