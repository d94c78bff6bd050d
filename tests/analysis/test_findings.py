"""Which effects are told."""

from dataclasses import replace

import pytest

from fmcgan.analysis.effect import Difference, Effect, Words
from fmcgan.analysis.findings import adjust_effects, select_findings


def effect(key, size=1.0, p_value=1e-9, error=0.05, floor=0.0):
    return Effect(key, f"{key}.", Difference(size, error, p_value), Difference(floor, 0.05, 0.5))


def told(*effects, **choice):
    return [each.effect.key for each in select_findings(adjust_effects(effects), **choice)]


def test_the_largest_come_first_whatever_their_sign():
    assert told(effect("a/1", 0.5), effect("b/1", -2.0), effect("c/1", 1.0)) == ["b/1", "c/1", "a/1"]


def test_a_large_effect_that_is_hardly_known_stands_behind_a_sure_one():
    assert told(effect("a/1", 3.0, error=1.2), effect("b/1", 1.5)) == ["b/1", "a/1"]


def test_no_more_than_a_few_of_one_section():
    many = [effect(f"a/{i}", 2.0 + i) for i in range(9)]
    others = [effect(f"b/{i}", 0.9 - i / 10) for i in range(3)]
    assert told(*many, *others, most=6) == ["a/8", "a/7", "a/6", "b/0", "b/1", "b/2"]
    assert told(*many, *others, most=8) == ["a/8", "a/7", "a/6", "b/0", "b/1", "b/2", "a/5", "a/4"]
    assert told(*many, most=5, max_per_section=9) == ["a/8", "a/7", "a/6", "a/5", "a/4"]


def test_a_difference_that_is_sure_but_tiny_is_not_told():
    assert told(effect("a/1", 0.09, error=0.001), effect("b/1", -0.11, error=0.001)) == ["b/1"]


def test_chance_is_not_told():
    """Of 1,000 comparisons without any difference ten have a p-value below 0.01; none is a finding."""
    by_chance = [effect(f"a/{i}", 1.0, p_value=(i + 1) / 1001) for i in range(1000)]
    assert sum(each.difference.p_value < 0.01 for each in by_chance) == 10
    assert told(*by_chance) == []


def test_what_real_images_show_too_is_not_told():
    assert told(effect("a/1", 0.5, floor=0.5), effect("b/1", 0.5)) == ["b/1"]


def test_nothing_and_twice_the_same():
    assert adjust_effects([]) == []
    with pytest.raises(ValueError, match="a/1"):
        adjust_effects([effect("a/1"), effect("a/1")])


def of_class(label, size, shared="are darker than real ones", part="bias", error=0.05, **more):
    name = f"{part}/{label}/{shared}"
    words = Words(f"class{label}s", shared, f"mean {size}")
    difference, floor = Difference(size, error, 1e-9), Difference(0.0, 0.01, 0.5)
    return Effect(name, f"{name}.", difference, floor, (label,), words=words)


def findings(*effects):
    return select_findings(adjust_effects(effects))


def test_effects_that_say_the_same_of_several_classes_are_one_finding():
    """Classes 0 to 6 are darker, 7 is brighter, 8 and 9 are as real ones; another part says something else."""
    dark = [of_class(label, -0.5 - label / 10, error=0.01) for label in range(7)]
    none = [of_class(label, 0.01, "are brighter than real ones") for label in (8, 9)]
    others = of_class(7, 0.9, "are brighter than real ones"), of_class(0, -0.4, part="spectrum")
    first, second, third = findings(*dark, *none, *others)
    assert first.statement == (
        "In 7 of 10 classes, generated images are darker than real ones, most of all class6s: mean -1.1."
    )
    assert first.classes == (6, 5, 4, 3, 2, 1, 0)
    assert second.statement == "bias/7/are brighter than real ones."
    assert (third.section, third.classes) == ("spectrum", (0,))


@pytest.mark.parametrize(
    ("sizes", "error", "said"),
    [
        ((0.9, 0.6, 0.5), 0.05, "most of all class0s: mean 0.9"),  # 0.80 to 1.00 lies above 0.50 to 0.70
        (
            (0.9, 0.85, 0.5),
            0.05,
            "most of all class0s or class1s (numbers for class0s): mean 0.9",
        ),  # 0.80 to 1.00 and 0.75 to 0.95
        ((0.9, 0.85, 0.8), 0.05, "for example class0s: mean 0.9"),  # all three overlap
        ((0.9, 0.89, 0.88, 0.87, 0.3), 0.05, "for example class0s: mean 0.9"),  # too many share the first place
    ],
)
def test_a_class_stands_out_only_if_the_intervals_say_so(sizes, error, said):
    (finding,) = findings(*(of_class(label, size, error=error) for label, size in enumerate(sizes)))
    count = len(sizes)
    assert finding.statement == f"In all {count} classes, generated images are darker than real ones, {said}."


def test_an_effect_of_all_images_leads_those_of_its_classes():
    whole = Effect("bias/all/x", "Images are darker, 3.", Difference(0.5, 0.01, 1e-9), Difference(0, 0.01, 0.5))
    whole = replace(whole, words=Words("images", "are darker than real ones", "3"))
    rest = of_class(2, 0.0)
    (finding,) = findings(whole, *(of_class(label, 0.9 - label / 2) for label in (0, 1)), rest)
    by_class = "By class, it holds for 2 of 3 classes, most of all class0s: mean 0.9."
    assert finding.statement == f"Images are darker, 3. {by_class}"
    (one,) = findings(whole, of_class(0, 0.9), rest)
    assert one.statement == "Images are darker, 3. By class, it holds for class0s: mean 0.9."
    (alone,) = findings(whole, rest)
    assert alone.statement == "Images are darker, 3."
    assert alone.classes == ()


def test_a_finding_of_one_group_leaves_room_for_three_of_its_part():
    """Seven effects of one attribute used to be seven of ten findings."""
    same = [of_class(label, 3.0) for label in range(7)]
    others = [of_class(0, 2.0 - i / 10, f"differ in way {i}") for i in range(4)]
    told = findings(*same, *others, effect("other/1", 0.3))
    assert [each.section for each in told] == ["bias", "bias", "bias", "other", "bias", "bias"]


def test_a_finding_names_the_cells_of_its_classes_and_confusions():
    words = Words("shirts", "are confused more often than real ones", "2")
    confused = [replace(effect(f"c/{k}", 1 - k / 10), classes=(6, k), predicted=k, words=words) for k in (2, 4)]
    pair, other, whole = findings(*confused, replace(effect("b/1", 0.7), classes=(1, 3)), effect("a/1", 0.6))
    assert pair.cells == ((6, 2), (6, 4))
    assert other.cells == ((1, None), (3, None))
    assert whole.cells == ()
