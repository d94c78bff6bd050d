import math

import numpy as np
import pytest
from PIL import Image

from fmcgan.figure.grid import MARGIN, PAPER
from fmcgan.figure.pairs import HEAD, LINE, MAGNIFICATION, STEP, Pair, _distance, draw_pairs

SIDE = 28 * MAGNIFICATION


def pixels(path):
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        return np.asarray(image).astype(int)


def some_pairs(number, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (number, 2, 28, 28), dtype=np.uint8)
    return [Pair(sample, training, 1.5 * i, i % 10) for i, (sample, training) in enumerate(images)]


def left_of(picture, pairs):
    """Where the images of the widest group begin: they end at the margin."""
    return picture.shape[1] - MARGIN - len(pairs) * STEP + (STEP - SIDE)


def tile(picture, top, left):
    """A magnified image, made small again; all pixels that stand for one must be equal."""
    blocks = picture[top : top + SIDE, left : left + SIDE].reshape(28, MAGNIFICATION, 28, MAGNIFICATION)
    assert (blocks == blocks[:, :1, :, :1]).all()
    return blocks[:, 0, :, 0]


def test_sample_training_image_and_difference_stand_below_each_other_unblurred(tmp_path):
    pairs = some_pairs(3)
    draw_pairs({"pixels": pairs}, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    top = MARGIN + HEAD + MARGIN
    for place, pair in enumerate(pairs):
        left = left_of(picture, pairs) + place * STEP
        np.testing.assert_array_equal(tile(picture, top, left), pair.sample)
        np.testing.assert_array_equal(tile(picture, top + STEP, left), pair.training)
        wanted = np.abs(pair.sample.astype(int) - pair.training.astype(int))
        np.testing.assert_array_equal(tile(picture, top + 2 * STEP, left), wanted)


def test_a_copy_has_a_black_difference(tmp_path):
    image = np.full((28, 28), 200, np.uint8)
    draw_pairs({"pixels": [Pair(image, image, 0.0, 3)]}, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    assert (tile(picture, MARGIN + HEAD + MARGIN + 2 * STEP, left_of(picture, [1])) == 0).all()


def test_each_group_is_below_the_one_before_and_at_the_same_left(tmp_path):
    first, second = some_pairs(4), some_pairs(2, seed=1)
    for name, groups in {"both": {"pixels": first, "random": second}, "one": {"pixels": first}}.items():
        draw_pairs(groups, tmp_path / f"{name}.png")
    both, one = pixels(tmp_path / "both.png"), pixels(tmp_path / "one.png")
    step = len(one) - MARGIN
    assert both.shape == (2 * step + MARGIN, one.shape[1])
    np.testing.assert_array_equal(both[:step], one[:step])
    left, top = left_of(both, first), step + MARGIN + HEAD + MARGIN
    np.testing.assert_array_equal(tile(both, top, left), second[0].sample)
    np.testing.assert_array_equal(tile(both, top + STEP, left + STEP), second[1].training)


def test_captions_tell_class_and_distance_apart_for_each_pair(tmp_path):
    image = np.zeros((28, 28), np.uint8)

    def captions(*pairs):
        draw_pairs({"g": pairs}, tmp_path / "a.png")
        picture = pixels(tmp_path / "a.png")
        below = picture[MARGIN + HEAD + MARGIN + 3 * STEP :]
        left = left_of(picture, pairs)
        return [below[:, left + place * STEP :][:, :SIDE] for place in range(len(pairs))]

    same, other_class, other_distance = captions(
        Pair(image, image, 0.5, 1), Pair(image, image, 0.5, 2), Pair(image, image, 0.25, 1)
    )
    first_line = slice(0, LINE + 2)
    assert (same != PAPER).any()
    assert not np.array_equal(same[first_line], other_class[first_line])
    np.testing.assert_array_equal(same[LINE + 2 :], other_class[LINE + 2 :])
    np.testing.assert_array_equal(same[first_line], other_distance[first_line])
    assert not np.array_equal(same, other_distance)
    assert (same[:, [0, -1]] == PAPER).all()  # not as wide as the image, so neighbours do not touch


def test_the_first_ten_pairs_are_drawn(tmp_path):
    draw_pairs({"g": some_pairs(12)}, tmp_path / "twelve.png")
    draw_pairs({"g": some_pairs(12)[:10]}, tmp_path / "ten.png")
    assert (tmp_path / "twelve.png").read_bytes() == (tmp_path / "ten.png").read_bytes()


def test_a_group_without_pairs_says_so_and_long_names_are_not_cut(tmp_path):
    draw_pairs({"pixels": []}, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    assert (picture[MARGIN + HEAD :] < 128).any()
    draw_pairs({"a name that is wider than one image is " * 2: some_pairs(1)}, tmp_path / "b.png")
    assert (pixels(tmp_path / "b.png")[:, -MARGIN // 2 :] == PAPER).all()


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
    draw_pairs({"g": pairs}, tmp_path / "a.png")
    draw_pairs({"g": pairs}, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(before, [pair.sample for pair in pairs])


@pytest.mark.parametrize(
    ("sample", "training", "label", "message"),
    [
        (np.zeros((1, 28, 28), np.uint8), np.zeros((28, 28), np.uint8), 0, r"sample must be uint8 \[28, 28\]"),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 28)), 0, r"training must be uint8 \[28, 28\], got float64"),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 27), np.uint8), 0, r"got uint8 \[28, 27\]"),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8), 10, "label must be 0..9, got 10"),
        (np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8), -1, "label must be 0..9, got -1"),
    ],
)
def test_refuses_what_is_no_pair(sample, training, label, message):
    with pytest.raises(ValueError, match=message):
        Pair(sample, training, 0.0, label)


def test_refuses_no_group(tmp_path):
    with pytest.raises(ValueError, match="at least one group"):
        draw_pairs({}, tmp_path / "a.png")
