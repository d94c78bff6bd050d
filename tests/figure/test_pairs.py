import math

import numpy as np
import pytest
from PIL import Image

from fmcgan.data.garments import GARMENTS
from fmcgan.figure.grid import GAP, magnification
from fmcgan.figure.image_rows import BETWEEN, COLUMN
from fmcgan.figure.pairs import Pair, _distance, draw_pairs

NAMES = GARMENTS.class_names
MAGNIFICATION = magnification(28, COLUMN)
SIDE = 28 * MAGNIFICATION
STEP = SIDE + GAP
ROW = SIDE + 4 + BETWEEN // 2


def pixels(path):
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)[:, :, 0].astype(int)


def some_pairs(number, seed=0):
    images = np.random.default_rng(seed).integers(0, 100, (number, 2, 28, 28), dtype=np.uint8)
    images[:, :, 0, 0] = 200
    return [Pair(sample, training, 1.5 * i, i % 10) for i, (sample, training) in enumerate(images)]


def find(picture, image):
    """Top and left of a magnified image, None if it is not in the picture."""
    large = image.repeat(MAGNIFICATION, 0).repeat(MAGNIFICATION, 1)
    tops, lefts = np.nonzero(picture[: -SIDE + 1, : -SIDE + 1] == large[0, 0])
    found = (
        (top, left)
        for top, left in zip(tops, lefts, strict=True)
        if (picture[top : top + SIDE, left : left + SIDE] == large).all()
    )
    return next(found, None)


def test_sample_training_image_and_difference_are_below_each_other_unblurred(tmp_path):
    pairs = some_pairs(3)
    draw_pairs({"pixels": pairs}, tmp_path / "a.png", names=NAMES)
    picture = pixels(tmp_path / "a.png")
    top, left = find(picture, pairs[0].sample)
    for place, pair in enumerate(pairs):
        assert find(picture, pair.sample) == (top, left + place * STEP)
        assert find(picture, pair.training) == (top + ROW, left + place * STEP)
        wanted = np.abs(pair.sample.astype(int) - pair.training.astype(int)).astype(np.uint8)
        shown = picture[top + 2 * ROW :][:SIDE, left + place * STEP :][:, :SIDE]
        np.testing.assert_array_equal(shown[::MAGNIFICATION, ::MAGNIFICATION], wanted)


def test_each_group_is_below_the_one_before_and_at_the_same_left(tmp_path):
    first, second = some_pairs(4), some_pairs(2, seed=1)
    draw_pairs({"pixels": first, "random": second}, tmp_path / "a.png", names=NAMES)
    picture = pixels(tmp_path / "a.png")
    (top, left), (below, same) = find(picture, first[0].sample), find(picture, second[0].sample)
    assert same == left
    assert below >= top + 3 * ROW


def test_words_name_class_and_distance(tmp_path):
    image = np.zeros((28, 28), np.uint8)
    for name, pair in (("a", Pair(image, image, 0.5, 1)), ("b", Pair(image, image, 0.5, 2))):
        draw_pairs({"g": [pair]}, tmp_path / f"{name}.png", names=NAMES)
    assert not np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))


def test_the_first_ten_pairs_are_drawn(tmp_path):
    draw_pairs({"g": some_pairs(12)}, tmp_path / "twelve.png", names=NAMES)
    draw_pairs({"g": some_pairs(12)[:10]}, tmp_path / "ten.png", names=NAMES)
    assert (tmp_path / "twelve.png").read_bytes() == (tmp_path / "ten.png").read_bytes()


def test_a_group_without_pairs_says_so(tmp_path):
    draw_pairs({"pixels": []}, tmp_path / "a.png", names=NAMES)
    assert (pixels(tmp_path / "a.png") < 128).any()


def test_long_distances_are_short_and_those_that_are_none_say_so():
    distances = (0.0, 1234.5678, 0.000123456, 1e-9, math.nan, math.inf)
    assert [_distance(each) for each in distances] == [
        "0",
        "1235",
        "0.0001235",
        "1e-09",
        "not finite",
        "not finite",
    ]


def test_pairs_have_equal_bytes_for_equal_pairs_and_are_left_unchanged(tmp_path):
    pairs = some_pairs(3)
    before = [pair.sample.copy() for pair in pairs]
    draw_pairs({"g": pairs}, tmp_path / "a.png", names=NAMES)
    draw_pairs({"g": pairs}, tmp_path / "b.png", names=NAMES)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(before, [pair.sample for pair in pairs])


@pytest.mark.parametrize(
    ("sample", "training", "label", "message"),
    [
        (np.zeros((1, 28, 28), np.uint8), np.zeros((28, 28), np.uint8), 0, r"sample must be uint8 \[H, W\]"),
        (
            np.zeros((28, 28), np.uint8),
            np.zeros((28, 28)),
            0,
            r"training must be uint8 \[H, W\] or \[H, W, 3\], got float64",
        ),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 27), np.uint8), 0, r"\[28, 28\] and \[28, 27\]"),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8), 10, "label must be 0..9, got 10"),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8), -1, "label must be 0..9, got -1"),
    ],
)
def test_refuses_what_is_no_pair(sample, training, label, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        draw_pairs({"g": [Pair(sample, training, 0.0, label)]}, tmp_path / "a.png", names=NAMES)


def test_refuses_no_group(tmp_path):
    with pytest.raises(ValueError, match="at least one group"):
        draw_pairs({}, tmp_path / "a.png", names=NAMES)


def test_pairs_in_colour_and_of_other_classes(tmp_path):
    sample = np.random.default_rng(0).integers(0, 100, (32, 32, 3), dtype=np.uint8)
    training = sample + np.array([0, 50, 100], dtype=np.uint8)
    draw_pairs({"pixels": [Pair(sample, training, 1.0, 25)]}, tmp_path / "a.png", names=[*map(str, range(26))])
    with Image.open(tmp_path / "a.png") as image:
        picture = np.asarray(image)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (96, 96), axis=(0, 1))
    for wanted in (sample, training, np.broadcast_to(np.uint8([0, 50, 100]), (32, 32, 3))):
        large = wanted.repeat(3, axis=0).repeat(3, axis=1).transpose(2, 0, 1)
        candidates = np.argwhere((windows[:, :, :, 0, 0] == large[:, 0, 0]).all(axis=2))
        assert sum((windows[y, x] == large).all() for y, x in candidates) == 1
