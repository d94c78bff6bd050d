import base64
import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from fmcgan.analysis.section import Picture
from fmcgan.report.encoding import encode


def test_a_picture_too_tall_for_webp_is_shown_as_png():
    assert encode(Picture("a", Image.new("L", (2, 16_384)), "", "")).uri.startswith("data:image/png")


def content(encoded):
    return base64.b64decode(encoded.uri.partition(",")[2])


def test_a_page_shows_each_pixel_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    encoded = encode(Picture("a", Image.fromarray(pixels), "", ""))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content(encoded)))), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded.files[".png"]))), pixels)


def test_a_figure_is_a_chart_and_a_huge_one_is_shown_as_pixels(monkeypatch):
    figure = Figure(figsize=(5, 3))
    figure.subplots().plot([0, 1], [1, 0])
    encoded = encode(Picture("a", figure, "", ""))
    assert encoded.files.keys() == {".png", ".svg", ".pdf"}
    assert encoded.chart is not None
    assert encoded.uri == ""
    assert encoded.page_bytes == encoded.chart.size > 0
    monkeypatch.setattr("fmcgan.report.encoding.LARGEST_CHART", 1)
    pixels = encode(Picture("a", figure, "", ""))
    assert pixels.chart is None
    assert pixels.uri.startswith("data:image/webp")
    assert (pixels.width, pixels.height) == (480, 288)
