import pytest

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo

DIGITS = DatasetInfo("digits", tuple("0123456789"), size=16, flips=False)


def info(**changes: object) -> DatasetInfo:
    return DatasetInfo(**{"name": "x", "class_names": ("cat", "dog"), "channels": 3, "size": 32} | changes)


def test_facts() -> None:
    assert info().num_classes == 2
    assert list(info().labels) == [0, 1]
    assert info().shape == (3, 32, 32)
    assert info().pixels == 3 * 32 * 32
    assert DatasetInfo.from_config(info().as_config()) == info()


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 2},
        {"channels": 4},
        {"size": 30},
        {"size": 12},
        {"size": 68},
        {"class_names": ("cat",)},
        {"class_names": tuple(map(str, range(1001)))},
        {"class_names": ("cat", "Cat")},
        {"class_names": ("cat", " ")},
        {"class_names": ("cat", "d\nog")},
        {"class_names": ("cat", "d" * 61)},
        {"class_names": ("cat", "${oc.env:HOME}")},
    ],
    ids=repr,
)
def test_what_no_network_can_draw_is_refused_in_one_line(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError) as refused:
        info(**wrong)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("size", [16, 20, 28, 32, 64])
@pytest.mark.parametrize("classes", [2, 1000])
def test_sizes_and_numbers_of_classes(size: int, classes: int) -> None:
    assert info(size=size, class_names=tuple(map(str, range(classes)))).num_classes == classes


@pytest.mark.parametrize(
    "damage",
    [
        {"name": 1},
        {"class_names": "cat"},
        {"class_names": ["cat", 1]},
        {"channels": True},
        {"size": "28"},
        {"flips": 1},
    ],
    ids=repr,
)
def test_a_file_with_other_types_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(damage))):
        DatasetInfo.from_config(info().as_config() | damage)


def test_a_name_precedes_a_label() -> None:
    numbered = info(class_names=("1", "2", "3"))
    assert numbered.parse_classes("1") == [0]
    assert numbered.parse_classes("0") == [0]
    assert numbered.parse_classes(["3", "2"]) == [2, 1]
    assert DIGITS.parse_classes([7, "3"]) == [7, 3]


def test_columns_are_words_and_differ() -> None:
    named = info(class_names=("t-shirt", "t shirt", "bag"))
    assert [named.column(label) for label in named.labels] == ["t_shirt_0", "t_shirt_1", "bag_2"]


def test_differences() -> None:
    assert not info().differences(info(name="y", flips=False))
    assert "shape" in info().differences(info(size=28))
    assert "classes" in info().differences(info(class_names=("cat", "cow")))


def test_many_classes_make_a_short_list() -> None:
    assert len(info(class_names=tuple(f"class {i}" for i in range(1000))).choices()) < 300
