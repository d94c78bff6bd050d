import numpy as np
import pytest
import torch
from torch import nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.directions import Directions
from fmcgan.analysis.latent.attribute_slopes import Slopes, attribute_slopes, class_spreads
from fmcgan.app.errors import InvalidValueError
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.garments import garment_set

SIZE = 6


class Planted(nn.Module):
    """Dimension 0 makes a rectangle brighter, dimension 1 makes it wider, the others do next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = SIZE
        self.first = nn.Linear(SIZE, 2, bias=False)
        self.second = nn.Linear(2, 2)
        self.embedding = nn.Embedding(10, 1)
        with torch.no_grad():
            self.first.weight.copy_(0.01 * torch.ones(2, SIZE))
            self.first.weight[0, 0], self.first.weight[1, 1] = 1.0, 0.5
            self.second.weight.copy_(torch.eye(2))
            self.second.bias.zero_()

    def forward(self, latent, labels):
        level, wide = self.second(self.first(latent).tanh()).unbind(1)
        column = (torch.arange(28) - 13.5).abs().to(latent.dtype)
        inside = torch.sigmoid(4 * (8 + 4 * wide[:, None] - column))  # [B, 28]
        image = torch.zeros(len(latent), 28, 28, dtype=latent.dtype)
        image[:, 6:22] = ((0.5 + 0.3 * level)[:, None] * inside)[:, None]
        return image[:, None] * 2 - 1


def rectangles(n_per_class: int, seed: int) -> ImageSet:
    """Real images: rectangles whose grey level and width vary."""
    draw = np.random.default_rng(seed)
    images = torch.zeros(10 * n_per_class, 1, 28, 28, dtype=torch.uint8)
    for image in images:
        half, height = draw.integers(5, 12), draw.integers(14, 18)
        image[0, 6 : 6 + height, 14 - half : 14 + half] = int(draw.integers(80, 180))
    return garment_set(images, torch.arange(10).repeat_interleave(n_per_class))


@pytest.fixture
def subject(tmp_path):
    real = RealImages(rectangles(2, 0), rectangles(20, 1))
    return Subject(rectangles(2, 2), real, Planted(), None, 5, Store(tmp_path))


@pytest.fixture
def section(subject):
    return Directions(n_latents=20, n_directions=2, n_per_class=8, n_activations=500).analyse(subject)


def table_of(section, name):
    return next(table for table in section.tables if table.name == name)


def test_the_two_planted_dimensions_come_first_in_order_of_their_strength(section):
    rows = table_of(section, "dimensions").rows
    assert len(rows) == SIZE
    assert {row[0] for row in rows[:2]} == {0, 1}
    assert section.values["strongest_dimensions"] == [rows[0][0], rows[1][0]]
    assert "images_along" in section.values
    assert not any("garment" in key for key in section.values)
    assert rows[1][1] > 10 * rows[2][1]
    assert all(low <= change <= high for _, change, low, high in rows)


def test_both_ways_find_the_planted_directions_and_say_what_they_do(section):
    rows = {row[0]: row for row in table_of(section, "directions").rows}
    assert list(rows) == ["SeFa 1", "SeFa 2", "GANSpace 1", "GANSpace 2"]
    for source in ("SeFa", "GANSpace"):
        brighter, wider = rows[f"{source} 1"], rows[f"{source} 2"]
        assert "are brighter" in brighter[4]
        assert "wider" not in brighter[4]
        assert "are wider" in wider[4]
        assert "brighter" not in wider[4]
        assert min(brighter[3], wider[3]) > 0.97  # each is like its twin
    assert rows["SeFa 1"][1] == pytest.approx(1 / 1.25, abs=0.02)  # 1² of 1² + 0.5²


def test_figures_tables_and_values_are_complete_and_the_same_again(section, subject):
    names = [picture.name for picture in section.pictures]
    assert names == ["attributes", "sefa", "ganspace", "dimensions", "strongest_dimensions"]
    assert len(table_of(section, "attributes_by_class").rows) == 4 * 11
    for table in section.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    before = torch.get_rng_state()
    again = Directions(n_latents=20, n_directions=2, n_per_class=8, n_activations=500).analyse(subject)
    assert torch.equal(torch.get_rng_state(), before)
    assert [table.rows for table in again.tables] == [table.rows for table in section.tables]
    assert again.values == section.values


class Grey(nn.Module):
    """A flat image whose grey level rises by 10 with each standard deviation of the first dimension."""

    latent_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, latent, labels):
        return ((100 + 10 * latent[:, 0]) / 127.5 - 1)[:, None, None, None].expand(-1, 1, 28, 28)


def mean_level(images):
    return {"level": images.mean(axis=(1, 2, 3)), "none": np.full(len(images), np.nan)}


def test_a_slope_is_the_rise_over_the_spread_of_the_class():
    labels = torch.tensor([0, 0, 1, 1])
    spreads = np.full((10, 2), np.nan)
    spreads[:2, 0] = 20, 5
    found = attribute_slopes(Grey(), torch.eye(3)[:2], torch.randn(4, 3), labels, spreads, mean_level)
    assert found.names == ("level", "none")
    assert found.by_class[0, :2, 0].tolist() == pytest.approx([10 / 20, 10 / 5])
    assert found.mean[0, 0] == pytest.approx((0.5 + 2) / 2)
    assert found.mean[1, 0] == pytest.approx(0)
    assert np.isnan(found.mean[:, 1]).all()
    assert np.isnan(found.by_class[0, 2:]).all()
    values = np.array([0.5, 0.5, 2, 2])
    assert found.half[0, 0] == pytest.approx(1.959964 * values.std(ddof=1) / 2)
    assert found.half_by_class[0, 0, 0] == pytest.approx(0)


def test_spreads_are_those_of_each_class_alone():
    values = np.array([1.0, 3.0, np.nan, 7.0, 7.0, 2.0])
    spreads = class_spreads({"x": values}, torch.tensor([0, 0, 0, 1, 1, 2]), 10)
    assert spreads[0, 0] == pytest.approx(np.sqrt(2))
    assert np.isnan(spreads[1:, 0]).all()  # no spread, one value, no value


def slopes(mean, half):
    mean, half = np.array(mean), np.array(half)
    empty = np.zeros((len(mean), 10, mean.shape[1]))
    return Slopes(("brightness", "width", "colour"), mean, half, empty, empty)


def test_words_tell_the_strongest_sure_changes():
    found = slopes(
        [[0.3, -0.5, 0.0], [0.09, 0.2, 0.0], [0, 0, -0.4], [np.nan, 0.0, 0.0]],
        [[0.1] * 3, [0.3] * 3, [0.1] * 3, [0.1] * 3],
    )
    assert found.in_words(0) == "are narrower and are brighter"
    assert found.in_words(1) == "hardly change in these attributes"  # too small, and not sure
    assert found.in_words(2) == "have less colour"
    assert found.in_words(3) == "hardly change in these attributes"


def test_directions_are_turned_to_where_their_strongest_attribute_rises():
    turned, signs = slopes([[0.3, -0.5, 0.0], [0.4, -0.2, 0.0]], [[0.1] * 3] * 2).oriented()
    assert signs.tolist() == [-1, 1]
    assert turned.mean.tolist() == [[-0.3, 0.5, -0.0], [0.4, -0.2, 0.0]]


def test_a_linear_generator_has_no_activations_to_look_at(subject, tmp_path):
    generator = Subject(subject.samples, subject.real, _Linear(), None, 0, Store(tmp_path))
    section = Directions(n_latents=10, n_directions=1, n_per_class=2).analyse(generator)
    assert [row[0] for row in table_of(section, "directions").rows] == ["SeFa 1"]


class _Linear(nn.Module):
    latent_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 784)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.weight[300:500, 0] = 0.2
            self.layer.bias.zero_()

    def forward(self, latent, labels):
        return self.layer(latent).unflatten(1, (1, 28, 28))


def test_samples_of_a_file_have_no_latent_space(tmp_path):
    with pytest.raises(NotApplicable, match="give run="):
        Directions().analyse(Subject(rectangles(1, 0), None, None, None, 0, Store(tmp_path)))


@pytest.mark.parametrize("wrong", [{"n_directions": 0}, {"n_latents": 1}, {"n_per_class": 1}, {"n_activations": 99}])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(InvalidValueError, match="must be a whole number"):
        Directions(**wrong)
