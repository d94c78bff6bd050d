import base64
import io
import re

import numpy as np
from PIL import Image

from fmcgan.analysis.section import Map
from fmcgan.data.garments import GARMENTS
from fmcgan.report.interactive import draw_maps


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
