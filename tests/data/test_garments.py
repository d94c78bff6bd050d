import pytest
from torchvision.datasets import FashionMNIST

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS, info_of
from fmcgan.data.info import DatasetInfo


def test_names_are_torchvisions_in_the_same_order() -> None:
    theirs = [name.lower().removesuffix("/top").removeprefix("ankle ") for name in FashionMNIST.classes]
    assert list(GARMENTS.class_names) == theirs


def test_torchvisions_own_names_are_understood() -> None:
    assert GARMENTS.parse_classes(FashionMNIST.classes) == list(range(10))


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        (None, list(range(10))),
        ("all", list(range(10))),
        ("bag", [8]),
        (8, [8]),
        ("8", [8]),
        (["Bag", " dress ", 0, "9"], [8, 3, 0, 9]),
        (["boot", "bag", 9, "boot"], [9, 8]),
        (["trousers", "tshirt"], [1, 0]),
    ],
)
def test_names_and_labels(wanted: object, labels: list[int]) -> None:
    assert GARMENTS.parse_classes(wanted) == labels


@pytest.mark.parametrize("wrong", ["hat", 10, -1, "1.0", ["bag", "hat"], "²"])
def test_unknown_class_is_named_and_the_known_are_listed(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"unknown class .*0 t-shirt, .*9 boot"):
        GARMENTS.parse_classes(wrong)


def test_no_class_at_all() -> None:
    with pytest.raises(ValueError, match="classes is empty"):
        GARMENTS.parse_classes([])


def test_names_of_several_garments() -> None:
    assert [GARMENTS.plural(label) for label in (0, 1, 3, 8)] == ["t-shirts", "trousers", "dresses", "bags"]


@pytest.mark.parametrize(
    "classes",
    [
        1.0,
        [],
        {"bag": 1},
        [[1]],
        [1.0],
        [None],
        "",
        True,
        -1,
        10,
        "9" * 5000,
        "²",
        ["bag", {}],
        b"bag",
        ...,
        [b"bag"],
    ],
    ids=repr,
)
def test_anything_else_is_one_line(classes):
    with pytest.raises(InvalidValueError, match="bag") as refused:
        GARMENTS.parse_classes(classes)
    assert len(str(refused.value).splitlines()) == 1


def test_runs_of_before_are_of_garments() -> None:
    assert info_of({"data": {}}) is GARMENTS
    assert info_of({"dataset": GARMENTS.as_config()}).parse_classes("top") == [0]  # with its aliases
    with pytest.raises(InvalidValueError):
        info_of({"dataset": "digits"})
    digits = DatasetInfo("digits", tuple("0123456789"), size=16, flips=False)
    assert info_of({"dataset": digits.as_config()}) == digits
