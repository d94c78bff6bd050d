"""Samples mixed with real images, and a strip of images."""

import numpy as np

from fmcgan.figure.grid import GAP, PAPER
from fmcgan.figure.quiz import draw_quiz
from fmcgan.figure.strip import strip

BLUE = (0, 114, 178)


def tiles(picture, rows, columns, side=56):
    """The tiles of a grid at the right and bottom of a picture, [rows, columns, side, side, 3]."""
    pixels, step = np.asarray(picture.convert("RGB")), side + GAP
    top, left = (end - 10 - count * step + GAP for end, count in zip(pixels.shape, (rows, columns), strict=False))
    cut = [[pixels[top + r * step :, left + c * step :][:side, :side] for c in range(columns)] for r in range(rows)]
    return np.array(cut)


def test_every_image_is_there_once_and_the_frames_are_those_of_the_real_ones():
    generated = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3, 1, 1).repeat(28, 2).repeat(28, 3)
    drawn = draw_quiz(generated, generated + 100, ["bag", "boot"], seed=0)
    question, answers = (tiles(each, 2, 6) for each in (drawn.question, drawn.answers))
    levels = question[:, :, 28, 28, 0]
    assert [sorted(row) for row in levels.tolist()] == [[0, 1, 2, 100, 101, 102], [3, 4, 5, 103, 104, 105]]
    assert (question == levels[..., None, None, None]).all()
    np.testing.assert_array_equal(answers[:, :, 28, 28, 0], levels)
    framed = (answers[:, :, 0, 0] == BLUE).all(axis=-1)
    np.testing.assert_array_equal(framed, levels >= 100)
    for row, words in enumerate(drawn.words.split("; ")):
        assert [int(place) - 1 for place in words.partition(": ")[2].split(", ")] == np.flatnonzero(
            framed[row]
        ).tolist()
    assert not np.array_equal(framed[0], framed[1]) or not np.array_equal(framed[0], np.arange(6) >= 3)  # mixed
    again = draw_quiz(generated, generated + 100, ["bag", "boot"], seed=0)
    assert again.question.tobytes() == drawn.question.tobytes()


def test_colour_images_are_mixed_too():
    images = np.random.default_rng(0).integers(0, 256, (1, 2, 32, 32, 3), dtype=np.uint8)
    drawn = draw_quiz(images, 255 - images, ["a"], seed=1)
    assert drawn.question.mode == drawn.answers.mode == "RGB"
    assert drawn.question.size == drawn.answers.size


def test_a_strip_holds_the_images_in_their_order():
    images = np.array([10, 20], dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    pixels = np.asarray(strip(images))
    assert pixels.shape == (56, 2 * 56 + GAP)
    assert (pixels[:, :56] == 10).all()
    assert (pixels[:, 56 : 56 + GAP] == PAPER).all()
    assert (pixels[:, 56 + GAP :] == 20).all()
    assert strip(np.zeros((1, 32, 32, 3), dtype=np.uint8)).mode == "RGB"
