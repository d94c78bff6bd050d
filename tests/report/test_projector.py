import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fmcgan.analysis.section import Map
from fmcgan.data.garments import GARMENTS
from fmcgan.figure.confusions import agreement_figure
from fmcgan.figure.files import png_bytes
from fmcgan.report.projector import MOST_POINTS, write_agreement, write_projector


def some_map(n: int, name: str = "umap") -> Map:
    """Half real, half generated; image i has the grey level i in one corner."""
    draw = np.random.default_rng(n)
    images = draw.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    vectors = draw.normal(size=(n, 5)).astype(np.float32)
    return Map(
        *(name, "UMAP", "", vectors[:, :2].astype(np.float64), images, np.arange(n) % 10, np.arange(n) >= n // 2),
        GARMENTS.class_names,
        vectors=vectors,
    )


def named_files(folder) -> dict[str, str]:
    """What the projector's configuration names: field -> value."""
    return dict(re.findall(r'(\w+): "([^"]*)"', (folder / "projector_config.pbtxt").read_text(encoding="utf-8")))


def test_the_configuration_names_what_exists_and_it_is_the_map(tmp_path):
    points = some_map(60)
    write_projector(points, tmp_path / "deep" / "folder")
    folder = tmp_path / "deep" / "folder"
    assert list(folder.glob("events.out.tfevents.*"))
    named = named_files(folder)
    assert named["tensor_name"] == "umap:00000"
    np.testing.assert_allclose(np.loadtxt(folder / named["tensor_path"]), points.vectors, rtol=1e-6)
    header, *rows = (folder / named["metadata_path"]).read_text(encoding="utf-8").splitlines()
    assert header == "class\torigin"
    assert rows[0] == "t-shirt\treal"
    assert rows[38] == "bag\tgenerated"
    assert len(rows) == 60
    assert "single_image_dim: 28\n    single_image_dim: 28" in (folder / "projector_config.pbtxt").read_text(
        encoding="utf-8"
    )


def test_the_sprite_holds_every_image_exactly_row_by_row(tmp_path):
    points = some_map(60)
    write_projector(points, tmp_path)
    sprite = np.asarray(Image.open(tmp_path / named_files(tmp_path)["image_path"]))
    assert sprite.shape == (8 * 28, 8 * 28, 3)
    tiles = sprite.reshape(8, 28, 8, 28, 3).transpose(0, 2, 1, 3, 4).reshape(64, 28, 28, 3)
    for channel in range(3):
        np.testing.assert_array_equal(tiles[:60, :, :, channel], points.images)
    assert (tiles[60:] == 0).all()


def test_a_large_map_is_thinned_evenly(tmp_path):
    write_projector(some_map(2 * MOST_POINTS), tmp_path)
    named = named_files(tmp_path)
    rows = (tmp_path / named["metadata_path"]).read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) == MOST_POINTS
    assert sum("generated" in row for row in rows) == MOST_POINTS / 2
    sprite = Image.open(tmp_path / named["image_path"])
    assert sprite.size == (45 * 28, 45 * 28)
    assert max(sprite.size) <= 8192
    with (tmp_path / named["tensor_path"]).open() as file:
        assert sum(1 for _ in file) == MOST_POINTS


def test_written_again_it_is_replaced_without_a_word(tmp_path, capsys):
    write_projector(some_map(60), tmp_path)
    write_projector(some_map(20), tmp_path)
    named = named_files(tmp_path)
    assert len((tmp_path / named["metadata_path"]).read_text(encoding="utf-8").splitlines()) == 21
    assert (tmp_path / "projector_config.pbtxt").read_text(encoding="utf-8").count("embeddings") == 1
    assert capsys.readouterr().out == ""


def test_refuses_a_map_without_vectors(tmp_path):
    with pytest.raises(ValueError, match="umap"):
        write_projector(replace(some_map(20), vectors=None), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.train
def test_the_agreement_is_an_image_of_its_figure(tmp_path):
    counts = 90 * np.eye(10, dtype=int) + 1
    once, again = (agreement_figure(counts, names=GARMENTS.class_names) for _ in range(2))
    write_agreement(once, tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["images"] == ["agreement"]
    (image,) = events.Images("agreement")
    (tmp_path / "expected.png").write_bytes(png_bytes(again))
    (tmp_path / "found.png").write_bytes(image.encoded_image_string)
    found, expected = (Image.open(tmp_path / f"{name}.png").convert("RGB") for name in ("found", "expected"))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_a_sprite_in_colour(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    names = ["sky", "<i>", "c", "d", "e"]
    plane = np.arange(8.0).reshape(4, 2)
    about = images, np.array([0, 4, 1, 1]), np.arange(4) > 1, names
    points = Map("a", "A", "", plane, *about, vectors=plane.astype(np.float32))
    write_projector(points, tmp_path)
    named = named_files(tmp_path)
    sprite = np.asarray(Image.open(tmp_path / named["image_path"]))
    tiles = sprite.reshape(2, 32, 2, 32, 3).transpose(0, 2, 1, 3, 4).reshape(4, 32, 32, 3)
    np.testing.assert_array_equal(tiles, images)
    rows = (tmp_path / named["metadata_path"]).read_text(encoding="utf-8").splitlines()
    assert rows[1:] == ["sky\treal", "e\treal", "<i>\tgenerated", "<i>\tgenerated"]
