import base64
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fmcgan.analysis.section import Picture
from fmcgan.figure.png import write_png
from fmcgan.report.encoding import encode


def test_a_picture_of_a_file_is_shown_at_the_size_of_its_figure(tmp_path):
    figure = Figure(figsize=(5, 3))
    write_png(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        encoded = encode(Picture("a", image, "", ""))
    assert (encoded.width, encoded.height) == (480, 288)
    assert encode(Picture("a", figure, "", "")).width == 480
    assert encode(Picture("a", Image.new("L", (30, 20)), "", "")).width == 30


def test_a_picture_too_tall_for_webp_is_shown_as_png():
    assert encode(Picture("a", Image.new("L", (2, 16_384)), "", "")).uri.startswith("data:image/png")


def content(encoded):
    return base64.b64decode(encoded.uri.partition(",")[2])


def test_a_page_shows_each_pixel_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    encoded = encode(Picture("a", Image.fromarray(pixels), "", ""))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content(encoded)))), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded.files[".png"]))), pixels)


@pytest.mark.parametrize(("points", "kind"), [(10, "svg+xml"), (20_000, "webp")])
def test_a_drawing_of_few_lines_is_shown_as_lines(points, kind):
    figure = Figure(figsize=(5, 3))
    figure.subplots().scatter(np.arange(points), np.sin(np.arange(points)))
    encoded = encode(Picture("a", figure, "", "", vector=True))
    assert encoded.files.keys() == {".png", ".svg"}
    assert encoded.uri.startswith(f"data:image/{kind};")
    assert encode(Picture("a", figure, "", "")).files.keys() == {".png"}
