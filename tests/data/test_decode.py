import numpy as np
import pytest
from PIL import Image

from fmcgan.app.errors import UserError
from fmcgan.data.decode import decode, is_colour

GREY = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
RED = np.full((2, 3, 3), (200, 0, 0), np.uint8)


def reread(image: Image.Image, path, **options: object) -> Image.Image:
    image.save(path, **options)
    return Image.open(path)


def test_grey_of_every_depth(tmp_path) -> None:
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert deep.mode.startswith("I;16")
    for name, image in (("8", Image.fromarray(GREY)), ("16", deep)):
        read = reread(image, tmp_path / f"{name}.png")
        assert not is_colour(read)
        assert np.array_equal(decode(read, "L"), GREY), name
    assert np.array_equal(decode(Image.fromarray(GREY.astype(np.int32) * 257), "L"), GREY)
    bits = reread(Image.fromarray(GREY > 127), tmp_path / "1.png")
    assert bits.mode == "1"
    assert np.array_equal(decode(bits, "L"), 255 * (GREY > 127))


def test_grey_as_colour_and_colour_as_grey() -> None:
    assert np.array_equal(decode(Image.fromarray(GREY), "RGB"), GREY[..., None].repeat(3, axis=2))
    assert np.asarray(decode(Image.fromarray(RED), "L"))[0, 0] == 60  # 0.299 of 200, ITU-R 601


def test_palettes(tmp_path) -> None:
    grey = reread(Image.fromarray(GREY).convert("P"), tmp_path / "grey.png")
    red = reread(Image.fromarray(RED).quantize(4), tmp_path / "red.png")
    assert grey.mode == red.mode == "P"
    assert not is_colour(grey)
    assert is_colour(red)
    assert np.array_equal(decode(grey, "L"), GREY)
    assert np.array_equal(decode(red, "RGB"), RED)


def test_transparent_pixels_become_black(tmp_path) -> None:
    alpha = np.array([[0, 255, 255], [255, 255, 0]], np.uint8)
    read = reread(Image.fromarray(np.dstack([RED, alpha])), tmp_path / "rgba.png")
    assert is_colour(read)
    assert np.array_equal(decode(read, "RGB"), RED * (alpha[..., None] > 0))
    grey = reread(Image.fromarray(np.dstack([GREY, alpha]), "LA"), tmp_path / "la.png")
    assert not is_colour(grey)
    assert np.array_equal(decode(grey, "L"), GREY * (alpha > 0))


def test_print_colours(tmp_path) -> None:
    read = reread(Image.fromarray(RED).convert("CMYK"), tmp_path / "cmyk.jpg", quality=100)
    assert read.mode == "CMYK"
    assert np.abs(np.asarray(decode(read, "RGB")).astype(int) - RED).max() < 30


def test_turned_as_the_camera_says(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees to the right
    read = reread(Image.fromarray(GREY), tmp_path / "turned.png", exif=exif)
    assert np.array_equal(decode(read, "L"), np.rot90(GREY, -1))


def test_floating_point_is_refused() -> None:
    with pytest.raises(UserError, match="floating point"):
        decode(Image.fromarray(GREY.astype(np.float32)), "L")
