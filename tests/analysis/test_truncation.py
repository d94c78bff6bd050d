from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.latent.smoothness import mean_squared_distance
from fmcgan.analysis.truncation import Truncation, best_psi
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.images import to_float
from fmcgan.metric.feature.classifier import load_classifier
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import MetricValue
from fmcgan.training.latent import draw_latents
from tests.garments import garment_set

SIZE = 4


class Corners(FeatureNetwork):
    """The first four pixels, which are the four latent dimensions of `Pixels`."""

    name = "corners"
    version = "1"
    num_features = SIZE
    batch_size = 500

    def _extract(self, images):
        return {"features": images[:, 0, 0, :SIZE].float()}


class Pixels(nn.Module):
    """Shows its latent vector: in the first row, 40 grey levels for each standard deviation."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = SIZE
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, latent, labels):
        image = torch.zeros(len(latent), 1, 28, 28)
        image[:, 0, 0, :SIZE] = latent * 40 / 127.5
        image[:, 0, 9, 0] = labels / 20
        return image


def real_images(seed: int, n_per_class: int = 40) -> ImageSet:
    """What `Pixels` shows of other latent vectors: a faultless generator's real images."""
    latents = draw_latents(seed, 0, 10 * n_per_class, SIZE)
    labels = torch.arange(10).repeat(n_per_class)
    with torch.no_grad():
        images = ((Pixels()(latents, labels) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return garment_set(images, labels)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    real = RealImages(real_images(1), real_images(2))
    return Subject(real_images(3), real, Pixels(), None, 7, Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def section(subject):
    return Truncation(Corners(), None, 300, (0.0, 0.2, 1.0), (0.0, 1.0), 6).analyse(subject)


def test_shrinking_gains_precision_and_loses_recall(section):
    sweep = section.values["sweep"]
    assert sweep["0.2"]["precision"] > sweep["1"]["precision"] > 0.5
    assert sweep["0"]["recall"] < sweep["0.2"]["recall"] < 0.3 < sweep["1"]["recall"]
    assert sweep["0.2"]["coverage"] < sweep["1"]["coverage"]


def test_a_faultless_generator_is_where_real_images_are(section):
    faultless, real = section.values["sweep"]["1"], section.values["real"]
    for share in ("precision", "recall", "coverage"):
        assert faultless[share] == pytest.approx(real[share], abs=0.08)


def test_at_psi_0_there_is_one_image_a_class(section, subject):
    picture = next(picture for picture in section.pictures if picture.name == "samples_by_psi")
    grey = np.asarray(picture.content)
    ground = grey == 128  # of `Pixels`
    left, top = (int((ground.sum(axis=axis) > 50).argmax()) for axis in (0, 1))  # of the first grid
    tiles = [grey[top : top + 56, left + 58 * column : left + 58 * column + 56] for column in range(5)]
    assert all(np.array_equal(tile, tiles[0]) for tile in tiles)
    assert section.values["sweep"]["0"]["recall"] == 0


def test_tables_hold_every_psi_and_every_class_and_all_is_the_same_again(section, subject):
    sweep, lengths = section.tables
    assert [row[0] for row in sweep.rows] == ["0", "0.2", "1"]
    real = section.values["real"]
    for psi, row in zip(("0", "0.2", "1"), sweep.rows, strict=True):  # the difference from real images, and its ends
        gaps = [section.values["sweep"][psi][name] - real[name] for name in real]
        assert [row[1], row[4], row[5], row[8]] == pytest.approx(gaps)
        assert row[2] <= row[1] <= row[3]
    assert "300 real test images" in sweep.caption
    assert "k=3" in sweep.caption
    assert [row[0] for row in lengths.rows][::9] == ["t-shirt", "boot"]
    for table in section.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert all(low <= length <= high for _, length, low, high, *_ in lengths.rows)
    before = torch.get_rng_state()
    again = Truncation(Corners(), None, 300, (0.0, 0.2, 1.0), (0.0, 1.0), 6).analyse(subject)
    assert torch.equal(torch.get_rng_state(), before)
    assert [table.rows for table in again.tables] == [table.rows for table in section.tables]


def test_a_class_without_samples_has_no_yardstick_of_its_own(subject):
    some = subject.samples.subset((subject.samples.labels > 0).nonzero().squeeze(1))
    left = Subject(some, subject.real, subject.generator, None, 7, subject.store)
    rows = Truncation(Corners(), None, 100, (1.0,), (), 3).analyse(left).tables[1].rows
    assert rows[0][4:6] == [None, None]
    assert None not in rows[1]


def test_as_many_are_compared_as_there_are_real_images(subject):
    section = Truncation(Corners(), None, 2000, (1.0,), (), 2).analyse(subject)
    assert "400 samples at each psi" in section.introduction
    uneven = Truncation(Corners(), None, 105, (1.0,), (), 2).analyse(subject)
    assert "100 samples at each psi" in uneven.introduction  # as many of each class
    few = RealImages(subject.real.train, subject.real.test.balanced(90))
    with pytest.raises(NotApplicable, match="100 real images of each split, got 90"):
        Truncation(Corners()).analyse(replace(subject, real=few))


def test_samples_of_a_file_have_no_latent_space(subject):
    with pytest.raises(NotApplicable, match="give run="):
        Truncation(Corners()).analyse(Subject(subject.samples, subject.real, None, None, 0, subject.store))


@pytest.mark.parametrize(
    ("precision", "best"),
    [
        ([0.95, 0.94, 0.92, 0.90], "0.4"),  # falls by more than its interval
        ([0.90, 0.95, 0.945, 0.90], "0.8"),  # level, within 0.01
        ([0.80, 0.85, 0.89, 0.90], "1"),
    ],
)
def test_the_best_psi_is_the_largest_of_the_highest_precision(precision, best):
    sweep = {
        f"{psi:g}": {"precision": MetricValue(value, (value - 0.009, value + 0.009))}
        for psi, value in zip((0.4, 0.6, 0.8, 1.0), precision, strict=True)
    }
    assert best_psi(sweep) == best


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 50}, "n must be a whole number of at least 100"),
        ({"psi": (1.0, 0.5)}, "psi must rise"),
        ({"psi": (1.0, 3.0)}, "psi must be a number from 0 to 1"),
        ({"psi": (1.0,), "shown": (0.5,)}, "contain all of shown"),
        ({"n_paths": 1}, "n_paths must be a whole number of at least 2"),
    ],
)
def test_wrong_values_are_refused(wrong, message):
    with pytest.raises(InvalidValueError, match=message):
        Truncation(Corners(), **wrong)


def test_the_mean_squared_distance_is_that_over_all_pairs():
    features = torch.randn(7, 3, dtype=torch.float64)
    pairs = [(features[i] - features[j]).square().sum() for i in range(7) for j in range(7) if i != j]
    assert mean_squared_distance(features) == pytest.approx(torch.stack(pairs).mean().item())
    assert mean_squared_distance(features[:1]) is None


def test_features_of_float_images_are_bit_for_bit_those_of_their_grey_levels():
    classifier = load_classifier()
    images = torch.randint(0, 256, (9, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features, logits = classifier(images)
    found = classifier.features_of(to_float(images))
    assert torch.equal(found, features)
    assert torch.equal(classifier.head(found), logits)
    assert not torch.equal(classifier.features_of(to_float(images) + 1e-4), features)  # less than a grey level is seen
