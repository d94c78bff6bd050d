import base64
import io
import re

import numpy as np
from PIL import Image

from fmcgan.analysis.section import Map
from fmcgan.data.garments import GARMENTS
from fmcgan.figure.map import OTHER_CLASSES
from fmcgan.figure.palette import CLASS_COLOURS
from fmcgan.report.html import _legend
from fmcgan.report.interactive import colours_of, draw_maps


def a_map(name, images, notes=()):
    labels = np.array([0, 9, 9])
    return Map(
        name, name, "", np.zeros((3, 2)), images, labels, np.array([True, False, True]), GARMENTS.class_names, notes
    )


def test_maps_of_the_same_images_share_them():
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    drawn = draw_maps(
        {"s": [a_map("a", images), a_map("b", images), a_map("c", 255 - images), a_map("d", images, "xyz")]}
    )
    assert set(drawn.divs) == {("s", "a"), ("s", "b"), ("s", "c"), ("s", "d")}
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", drawn.script)
    assert len(found) == 9
    decoded = {Image.open(io.BytesIO(base64.b64decode(each))).tobytes() for each in found}
    assert decoded == {image.tobytes() for image in [*images, *(255 - images)]}
    assert sorted(set(re.findall(r'"points/s/\d"', drawn.script))) == ['"points/s/0"', '"points/s/1"', '"points/s/2"']


def test_text_in_a_map_cannot_end_its_script():
    images = np.zeros((3, 28, 28), dtype=np.uint8)
    drawn = draw_maps({"s": [a_map("a", images, ["</script><b>", "", ""])]})
    assert drawn.script.count("</script>") == 1


def test_colour_images_and_the_colours_of_many_classes():
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    names = [f"</script> {label}" for label in range(26)]
    about = np.zeros((3, 2)), images, np.array([1, 25, 2]), np.array([True, False, True]), names
    given = Map("a", "a", "", *about, coloured=[1, 2])
    drawn = draw_maps({"s": [given]})
    assert drawn.script.count("</script>") == 1
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", drawn.script)
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]
    np.testing.assert_array_equal(decoded, images)
    assert colours_of(given) == dict(zip([1, 2], CLASS_COLOURS, strict=False))
    assert all(colour in drawn.script for colour in (*CLASS_COLOURS[:2], OTHER_CLASSES))
    legend = [("1", "</script> 1", CLASS_COLOURS[0]), ("2", "</script> 2", CLASS_COLOURS[1])]
    assert _legend([given]) == [*legend, ("25", "other classes", OTHER_CLASSES)]
