import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from fmcgan.figure.timelapse import MEGABYTE, evenly, timelapse


def grey(level, size=(20, 20)):
    return Image.new("L", size, level)


def noise(number, size=400):
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (size, size), dtype=np.uint8))


def read(content):
    film = Image.open(io.BytesIO(content))
    return film, [(frame.info["duration"], np.asarray(frame.convert("L"))) for frame in ImageSequence.Iterator(film)]


def test_frames_come_in_order_and_the_last_one_stays():
    film, frames = read(timelapse([grey(level) for level in (0, 100, 200, 255)], seconds=0.4, last_seconds=2))
    assert film.format == "GIF"
    assert film.info["loop"] == 0  # for ever
    assert [(time, picture.min(), picture.max()) for time, picture in frames] == [
        (400, 0, 0),
        (400, 100, 100),
        (400, 200, 200),
        (2000, 255, 255),
    ]


def test_pictures_are_kept_to_the_pixel():
    given = [noise(number, 64) for number in range(3)]
    _, frames = read(timelapse(given))
    for picture, (_, shown) in zip(given, frames, strict=True):
        np.testing.assert_array_equal(shown, np.asarray(picture))


def test_a_single_frame_and_frames_of_another_size():
    _, frames = read(timelapse([grey(7)]))
    assert len(frames) == 1
    _, frames = read(timelapse([grey(1, (30, 30)), grey(2), grey(3)]))
    assert [picture.max() for _, picture in frames] == [2, 3]


@pytest.mark.parametrize(
    ("n", "most", "expected"), [(3, 5, [0, 1, 2]), (9, 3, [0, 4, 8]), (7, 4, [0, 2, 4, 6]), (5, 2, [0, 4])]
)
def test_frames_are_chosen_evenly_with_the_first_and_the_last(n, most, expected):
    assert [frame.getpixel((0, 0)) for frame in evenly([grey(place) for place in range(n)], most)] == expected


def test_a_film_that_is_too_large_loses_frames_and_then_pixels():
    given = [noise(number) for number in range(12)]
    whole = timelapse(given, most_megabytes=100)
    _, frames = read(whole)
    assert [picture.shape for _, picture in frames] == [(400, 400)] * 12

    half = len(whole) / 2 / MEGABYTE
    content = timelapse(given, most_megabytes=1.1 * half)
    film, frames = read(content)
    assert len(content) <= 1.1 * half * MEGABYTE
    assert film.size == (400, 400)
    assert len(frames) == 6
    np.testing.assert_array_equal(frames[0][1], np.asarray(given[0]))
    np.testing.assert_array_equal(frames[-1][1], np.asarray(given[-1]))

    content = timelapse(given, most_megabytes=0.5 * half)
    film, frames = read(content)
    assert len(content) <= 0.5 * half * MEGABYTE
    assert film.size == (200, 200)
    assert len(frames) == 6

    film, _ = read(timelapse(given, most_megabytes=0.001))  # cannot be, and ends all the same
    assert film.size == (200, 200)


def test_what_makes_no_film_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        timelapse([])
    with pytest.raises(ValueError, match="most_frames must be a whole number of at least 2"):
        timelapse([grey(1)], most_frames=1)
    with pytest.raises(ValueError, match="seconds must be a number"):
        timelapse([grey(1)], seconds=0)
