import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fmcgan.analysis.section import Map, NearestImages
from fmcgan.data.garments import GARMENTS
from fmcgan.figure.map import OTHER_CLASSES
from fmcgan.figure.palette import CLASS_COLOURS
from fmcgan.report import interactive
from fmcgan.report.interactive import colours_of, link_maps


def a_map(name, images, **options):
    positions = np.array([[0.0, 5.0], [10.0, 0.0], [2.5, 2.0]])
    labels, generated = np.array([0, 9, 9]), np.array([True, False, True])
    return Map(name, name, "", positions, images, labels, generated, GARMENTS.class_names, **options)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def tiles(sprite, count):
    """Cuts a sprite as ``map.js`` does."""
    content = base64.b64decode(sprite["uri"].partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    width, height = sprite["width"], sprite["height"]
    corners = [(index % sprite["columns"] * width, index // sprite["columns"] * height) for index in range(count)]
    return np.stack([pixels[y : y + height, x : x + width] for x, y in corners])


def test_the_axes_of_a_map_have_one_scale():
    found = link_maps([a_map("a", noise(3, 28, 28))])
    assert found.data["planes"] == {
        "a": {"x": [0, 10_000, 2500], "y": [0, 5000, 3000], "width": 10_000, "height": 5000}
    }
    assert found.ratios == {"a": 2.0}
    alike = replace(a_map("a", noise(3, 28, 28)), positions=np.full((3, 2), 7.0))
    assert link_maps([alike]).data["planes"]["a"] == {"x": [0] * 3, "y": [0] * 3, "width": 0, "height": 0}


def test_a_sprite_holds_every_image_exactly():
    for images in (noise(3, 28, 28), noise(5, 32, 32, 3), noise(1, 6, 9)):
        sprite = interactive._sprite(images)
        found = tiles(sprite, len(images))
        expected = images if images.ndim == 4 else images[..., None].repeat(3, axis=3)
        np.testing.assert_array_equal(found, expected)


def test_a_large_sprite_has_losses_and_then_smaller_thumbnails(monkeypatch):
    large = interactive._sprite(noise(2, 130, 130))
    assert (large["width"], large["height"]) == (32, 32)  # at most 64
    images = noise(50, 32, 32).astype(int) // 64 + 100  # nearly even: smaller with losses
    images[25:] += 50
    images = images.astype(np.uint8)
    exact = interactive._sprite(images)
    monkeypatch.setattr(interactive, "SPRITE", len(exact["uri"]) - 1)
    lossy = interactive._sprite(images)
    assert lossy["width"] == 32
    assert len(lossy["uri"]) < len(exact["uri"])
    means = tiles(lossy, 50).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, images.mean(axis=(1, 2)), atol=3)
    monkeypatch.setattr(interactive, "SPRITE", len(lossy["uri"]) - 1)
    assert interactive._sprite(images)["width"] < 32
    monkeypatch.setattr(interactive, "SPRITE", 1)
    assert interactive._sprite(images)["width"] == 4


def test_thumbnails_are_means_of_squares():
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    np.testing.assert_array_equal(interactive._shrunk(image, 2), [[[2, 4], [10, 12]]])  # 2.5, 4.5, 10.5 and 12.5
    np.testing.assert_array_equal(interactive._shrunk(image, 1), image)
    assert interactive._shrunk(noise(2, 5, 7, 3), 2).shape == (2, 2, 3, 3)


def test_points_carry_classes_and_nearest_training_images():
    training = noise(2, 28, 28)
    index, distance = np.array([[0], [1], [1]]), np.array([[1.234], [0], [9]])
    known = {"predicted": np.array([6, 9, 9]), "confidence": np.array([0.5, 1, 1])}
    known["nearest"] = NearestImages(training, np.array([3, 4]), index, distance, "levels")
    given = a_map("a", noise(3, 28, 28), **known)
    data = link_maps([given, replace(given, name="b")]).data
    assert data["predicted"] == [6, 9, 9]
    assert data["generated"] == [True, False, True]
    about = {key: value for key, value in data["nearest"].items() if key != "images"}
    assert about == {"labels": [3, 4], "index": [[0], [1], [1]], "distance": [[1.23], [0], [9]], "unit": "levels"}
    np.testing.assert_array_equal(tiles(data["nearest"]["images"], 2)[..., 0], training)
    assert list(data["planes"]) == ["a", "b"]


def test_the_matrix_counts_samples_only():
    labels = np.array([0, 0, 0, 2, 2])
    generated = np.array([True, True, False, True, True])
    predicted = np.array([0, 2, 2, 2, 2])
    given = Map("a", "a", "", np.zeros((5, 2)), noise(5, 8, 8), labels, generated, ["bag", "boot", "coat"], predicted)
    found = link_maps([given])
    assert found.heads == ["bag", "coat"]
    cells = {name: [(cell.label, cell.predicted, cell.count, cell.share) for cell in row] for name, row in found.matrix}
    assert cells == {"bag": [(0, 0, 1, 0.5), (0, 2, 1, 0.5)], "coat": [(2, 0, 0, 0.0), (2, 2, 2, 1.0)]}
    assert link_maps([replace(given, predicted=None)]).matrix == []


def test_maps_of_other_images_are_refused():
    with pytest.raises(ValueError, match="others in b"):
        link_maps([a_map("a", noise(3, 28, 28)), a_map("b", 255 - noise(3, 28, 28))])


def test_the_colours_of_many_classes():
    names = [f"</script> {label}" for label in range(26)]
    about = np.zeros((3, 2)), noise(3, 32, 32, 3), np.array([1, 25, 2]), np.array([True, False, True]), names
    given = Map("a", "a", "", *about, coloured=[1, 2])
    assert colours_of(given) == dict(zip([1, 2], CLASS_COLOURS, strict=False))
    found = link_maps([given])
    assert found.data["colours"] == [CLASS_COLOURS[0], OTHER_CLASSES, CLASS_COLOURS[1]]
    legend = [("1", "</script> 1", CLASS_COLOURS[0]), ("2", "</script> 2", CLASS_COLOURS[1])]
    assert found.legend == [*legend, ("25", "other classes", OTHER_CLASSES)]
