"""Parts of the analysis on grey images of 16 x 16 and 26 classes, and in colour on 32 x 32 and 5 unequal classes."""

import math

import numpy as np
import pytest
import torch

from fmcgan.analysis import bias
from fmcgan.analysis.attributes import ATTRIBUTES, measure_attributes
from fmcgan.analysis.base import Analysis, Subject, class_key, class_noun, common_classes, image_rows, quiz, sample_grid
from fmcgan.analysis.bias import Bias
from fmcgan.analysis.confusions import Confusions
from fmcgan.analysis.directions import Directions
from fmcgan.analysis.findings import adjust_effects
from fmcgan.analysis.interpolation import Interpolation, class_pairs
from fmcgan.analysis.spectrum import SpectrumAnalysis
from fmcgan.analysis.truncation import Truncation
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.shapes import LETTERS, PETS, FirstPixel, Painter, drawn

COUNTS = {LETTERS.name: [12 + label % 5 for label in range(26)], PETS.name: [40, 20, 15, 12, 0]}


@pytest.fixture(params=[LETTERS, PETS], ids=lambda info: info.name)
def subject(request, tmp_path) -> Subject:
    """Samples of class 1 are half as bright as real ones; the last pet is missing from the test images."""
    info, counts = request.param, COUNTS[request.param.name]
    samples = drawn(info, [max(count, 12) for count in counts], 3)
    samples.images[samples.labels == 1] //= 2
    real = RealImages(drawn(info, [20 + count for count in counts], 1), drawn(info, counts, 2))
    return Subject(samples, real, Painter(info).eval(), None, 3, Store(tmp_path))


def test_keys_of_classes_are_unique_and_have_no_slash_of_their_own():
    assert [class_key(PETS, label) for label in (None, *PETS.labels)] == [
        *("all", "cat", "dog_wolf_1", "guinea pig", "all_3", "golden retriever of the neighbour")
    ]
    assert [class_noun(PETS, label) for label in (None, 0)] == ["images", "cats"]


def test_rows_of_colour_images_and_classes_of_several_sets():
    first, second = drawn(PETS, [3, 2, 0, 1, 4]), drawn(PETS, [1, 5, 5, 0, 4])
    assert common_classes(first, second) == [0, 1, 4]
    assert common_classes(first, second, least=2) == [1, 4]
    tiles = image_rows(first, [first.of_class(0), first.of_class(3)], 2)
    assert tiles.shape == (2, 2, 32, 32, 3)
    np.testing.assert_array_equal(tiles[0, 1], first.images[1].permute(1, 2, 0))
    assert (tiles[1, 1] == 255).all()
    assert image_rows(drawn(LETTERS, [1] * 26), [torch.tensor([5])], 1).shape == (1, 1, 16, 16)


def test_the_grid_of_many_classes_shows_some_rows():
    many = DatasetInfo("many", tuple(f"c{label}" for label in range(300)), size=16)
    images = torch.zeros(300, *many.shape, dtype=torch.uint8)
    heights = [sample_grid(ImageSet(images[:n], torch.arange(n), many), 12).height for n in (60, 300)]
    assert 0 < heights[1] - heights[0] < 50  # a title, and no more rows


def test_colour_images_are_measured_by_their_luma():
    image = np.zeros((1, 3, 32, 32), np.uint8)
    image[0, :, 4:14, 6:26] = np.array([200, 100, 50], np.uint8)[:, None, None]
    found = {name: values.item() for name, values in measure_attributes(image).items()}
    assert found["brightness"] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert found["area"] == pytest.approx(100 * 200 / 1024)
    assert (found["width"], found["height"], found["symmetry"], found["texture"]) == (20, 10, 1, 0)
    grey = np.repeat(image[:, :1], 3, axis=1)
    of_grey = measure_attributes(image[:, :1])
    assert all(np.array_equal(of_grey[name], values) for name, values in measure_attributes(grey).items())


def test_images_without_background_have_attributes():
    """Every pixel belongs to the shape: width and area never vary, and nothing is lost."""
    images = np.random.default_rng(0).integers(20, 256, (30, 3, 64, 64), dtype=np.uint8)
    found = measure_attributes(images)
    assert (found["area"] == 100).all()
    assert (found["width"] == 64).all()
    assert all(np.isfinite(values).all() for values in found.values())


def test_darker_samples_of_a_class_are_found_by_attributes(subject, monkeypatch):
    monkeypatch.setattr(bias, "ATTRIBUTES", ATTRIBUTES[:2])  # brightness and area, for speed
    section = Bias().analyse(subject)
    assert adjust_effects(section.effects)[0].effect.classes == (1,)
    assert len({effect.key for effect in section.effects}) == len(section.effects)
    classes = {row[0] for row in section.tables[0].rows}
    assert len(classes) == (20 if subject.info is LETTERS else 4)  # the last pet has no test images
    assert class_key(subject.info, 1) in classes


@pytest.mark.parametrize(
    ("size", "fine", "coarse"), [(16, (6, 8), (1, 2)), (28, (10, 14), (1, 4)), (64, (23, 32), (1, 9))]
)
def test_bands_scale_with_the_images(size, fine, coarse):
    info = DatasetInfo("any", ("a", "b"), size=size)
    assert [each[1:] for each in SpectrumAnalysis().bands(info)] == [fine, coarse]


def test_half_the_levels_are_six_decibels_less(subject):
    real = subject.real._replace(train=subject.real.train, test=subject.real.train)
    even = ImageSet(real.train.images & 0xFE, real.train.labels, subject.info)
    half = ImageSet(even.images // 2, even.labels, subject.info)
    section = SpectrumAnalysis().analyse(Subject(half, RealImages(even, even), None, None, 0, subject.store))
    (effect,) = [each for each in section.effects if each.key == "spectrum/all/coarse_structure"]
    assert effect.statement.startswith("Generated images have 6.0 dB")
    assert section.tables[0].rows[0][2] == pytest.approx(-20 * math.log10(2), abs=0.5)  # rounding has a floor
    assert len(section.tables[0].rows) == (21 if subject.info is LETTERS else 6)


def test_confusions_by_hand(tmp_path):
    def told(pairs: dict[tuple[int, int], int]) -> ImageSet:
        labels = [pair for pair, n in pairs.items() for _ in range(n)]
        images = torch.zeros(len(labels), *PETS.shape, dtype=torch.uint8)
        images[:, 0, 0, 0] = torch.tensor([predicted for _, predicted in labels], dtype=torch.uint8)
        return ImageSet(images, torch.tensor([label for label, _ in labels]), PETS)

    samples, test = told({(1, 3): 4, (1, 1): 6}), told({(1, 3): 4, (1, 1): 16, (4, 4): 3})
    section = Confusions(FirstPixel(PETS)).analyse(
        Subject(samples, RealImages(test, test), None, None, 0, Store(tmp_path))
    )
    assert section.values["agreement"] == 0.6
    assert section.effects[0].key in ("confusions/dog_wolf_1/all_3", "confusions/dog_wolf_1/agreement")
    dogs, others = (class_noun(PETS, label) for label in (1, 3))
    assert f"Generated {dogs} are classified as {others} 2.0 times as often" in section.effects[0].statement
    grid = next(each.content for each in section.pictures if each.name == "misread")
    assert grid.mode == "RGB"


def test_neighbouring_labels_are_pairs_if_nobody_knows_better():
    assert class_pairs(DatasetInfo("two", ("a", "b"))) == [(0, 1)]
    assert class_pairs(PETS) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    assert class_pairs(LETTERS) == [(label, label + 1) for label in range(10)]


def test_paths_and_directions_of_any_generator(subject):
    features = FirstPixel(subject.info)
    section = Interpolation(features, steps=3, n_halfway=4).analyse(subject)
    assert [picture.name for picture in section.pictures] == ["within_class", "same_latent", "class_to_class"]
    assert {picture.content.mode for picture in section.pictures} == {"L" if subject.info.channels == 1 else "RGB"}
    assert len(section.tables[0].rows) == len(class_pairs(subject.info))
    section = Directions(n_latents=20, n_directions=2, n_per_class=3, n_activations=200).analyse(subject)
    table = next(each for each in section.tables if each.name == "attributes_by_class")
    shown = min(20, subject.info.num_classes)
    assert len(table.rows) == 4 * (1 + shown)
    assert any(row[2] is not None for row in table.rows[1 : 1 + shown])


def test_truncation_compares_the_classes_of_both_splits(subject):
    features = FirstPixel(subject.info)
    part = Truncation(features, None, 300, (1.0,), (1.0,), 2)
    part.path_features = features
    if subject.info is PETS:  # 87 test images of four classes
        with pytest.raises(ValueError, match="got 84"):
            part.analyse(subject)
        counts = [60, 50, 40, 30, 0]
        more = RealImages(drawn(PETS, [60] * 5, 1), drawn(PETS, counts, 2))
        subject = Subject(subject.samples, more, subject.generator, None, 3, subject.store)
    section = part.analyse(subject)
    assert f"{180 if subject.info is PETS else 286} samples at each psi" in section.introduction
    assert len(section.tables[1].rows) == min(20, subject.info.num_classes)


def test_networks_of_a_part_are_fitted_to_the_data_set(subject):
    class Part(Analysis):
        def __init__(self) -> None:
            self.features, self.number = FirstPixel(subject.info), 3

        def analyse(self, subject):
            raise NotImplementedError

    part = Part()
    part.fit(subject.real)
    assert part.features.fitted is subject.real


@pytest.mark.parametrize("info", [LETTERS, PETS], ids=lambda info: info.name)
def test_samples_and_real_images_are_mixed_for_any_shape_and_unequal_classes(info, tmp_path):
    """The last class has two samples, so that each row has two of either origin; of many classes ten have a row."""
    samples, train = (drawn(info, [n] * (info.num_classes - 1) + [2], seed) for seed, n in enumerate((7, 9)))
    mixed = quiz(Subject(samples, RealImages(train, train), None, None, 0, Store(tmp_path)))
    rows = min(10, info.num_classes)
    assert [len(row.rpartition(": ")[2].split(", ")) for row in mixed.words.split("; ")] == [2] * rows
    assert mixed.question.size == mixed.answers.size
    assert mixed.question.mode == ("L" if info.channels == 1 else "RGB")
    alone = RealImages(train.of_classes([1]), train)
    assert quiz(Subject(samples.of_classes([0]), alone, None, None, 0, Store(tmp_path))) is None
