import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.spatial.distance import cdist

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.findings import adjust_effects
from fmcgan.analysis.nearest.exemplars import choose_exemplars
from fmcgan.analysis.nearest.nearest_training import NearestTraining, nearest_vectors
from fmcgan.analysis.neighbours import Neighbours, _classified
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.feature.random_convolutions import RandomConvolutions
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.analysis.small_sets import LETTERS, SCENES, flat_set
from tests.garments import garment_set


class Quarters(ClassifierFeatures):
    """The mean grey level of each quarter; an image of mean 25 c is read as class c, the surer the nearer it is."""

    name = "quarters"
    version = "1"
    num_features = 4
    batch_size = 100
    outputs = FeatureNetwork.outputs  # of any data set

    def __init__(self) -> None:
        pass

    def _extract(self, images):
        features = F.adaptive_avg_pool2d(images.float(), 2).flatten(1)
        return {"features": features, "logits": -(features.mean(dim=1)[:, None] / 25 - torch.arange(10)).square()}


def flat(levels: list[int], labels: list[int]) -> ImageSet:
    """An image of one level each: distances are differences of levels, on `Quarters` twice as large."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    return garment_set(images, torch.tensor(labels))


def subject_of(samples: ImageSet, real: RealImages, folder) -> Subject:
    return Subject(samples, real, None, None, 0, Store(folder))


@pytest.fixture
def by_hand(tmp_path) -> Subject:
    """Class 0 is about 0 and its near distance 3, class 4 about 100 with 10, class 9 has no test images."""
    train = flat([0, 100, 200], [0, 4, 9])
    test = flat([3, 8, 110, 130], [0, 0, 4, 4])
    samples = flat([2, 4, 108, 112, 200, 91], [0, 0, 4, 4, 9, 4])
    return subject_of(samples, RealImages(train, test), tmp_path)


@pytest.fixture(scope="module")
def small(real) -> RealImages:
    return RealImages(real.train.balanced(4000), real.test.balanced(1000))


@pytest.fixture(scope="module")
def new(real) -> ImageSet:
    """Training images that are not among those of `small`."""
    return real.train.subset(torch.arange(40_000, 41_000))


@pytest.fixture(scope="module")
def classifier() -> ClassifierFeatures:
    return ClassifierFeatures()


def copying(new: ImageSet, train: ImageSet, share: float, noise: int) -> ImageSet:
    """New images, of which a share are replaced by training images of the same class but for a little noise."""
    generator = torch.Generator().manual_seed(5)
    images = new.images.clone().int()
    for label in range(10):
        members = new.of_class(label)
        chosen = members[: round(share * len(members))]
        images[chosen] = train.images[train.of_class(label)[: len(chosen)]].int()
        images[chosen] += torch.randint(-noise, noise + 1, images[chosen].shape, generator=generator)
    return garment_set(images.clamp(0, 255).to(torch.uint8), new.labels)


@pytest.mark.parametrize(("network", "unit"), [(None, 1), (Quarters(), 2)])
def test_near_copies_by_hand(by_hand, network, unit):
    found = NearestTraining(by_hand, network)
    assert found.limits.tolist() == [3 * unit, *[-math.inf] * 3, 10 * unit, *[-math.inf] * 5]
    assert found.distance.tolist() == [2 * unit, 4 * unit, 8 * unit, 12 * unit, 0, 9 * unit]
    assert found.index.tolist() == [0, 0, 1, 1, 2, 1]
    assert found.near.tolist() == [True, False, True, False, False, True]
    assert found.real_near.tolist() == [True, False, True, False]  # the edge is near
    (effect,) = found.effects("neighbours", "suspicious")  # of no class are there ten samples
    assert effect.key == f"neighbours/all/near_copies_{found.name}"
    assert effect.difference.size == pytest.approx(2 * math.asin(math.sqrt(3 / 5)) - math.pi / 2, abs=1e-12)
    assert effect.floor.size == pytest.approx(0, abs=1e-12)  # one of two in either half
    assert effect.statement.startswith("60 % [23, 88] of the generated images are near copies")
    assert found.rows()[0][:4] == ("all", found.name, 5, 0.6)  # without the class that no test image has


def test_the_floor_is_the_first_half_of_the_test_split_against_the_second(tmp_path):
    train, test = flat([0], [3]), flat([4, 4, 4, 5, 6, 7, 8, 9], [3] * 8)
    effects = list(
        NearestTraining(subject_of(flat([9] * 10, [3] * 10), RealImages(train, test), tmp_path), None).effects("n", "f")
    )
    assert [effect.key for effect in effects] == ["n/all/near_copies_pixels", "n/dress/near_copies_pixels"]
    for effect in effects:
        assert effect.floor.size == pytest.approx(2 * math.asin(math.sqrt(3 / 4)), abs=1e-12)
        assert effect.difference.size == pytest.approx(-2 * math.asin(math.sqrt(3 / 8)), abs=1e-12)
    assert [effect.classes for effect in effects] == [(), (3,)]
    assert "generated dresses are" in effects[1].statement


def test_samples_are_suspicious_by_the_measure_of_their_class(by_hand):
    """In shares of the near distance: 2/3, 4/3, 8/10, 12/10, nothing to compare with, 9/10; of two training images."""
    found = NearestTraining(by_hand, None)
    assert (found.most_suspicious(10), found.most_suspicious(1)) == ([0, 2], [0])
    assert found.most_suspicious(10, without=[2]) == [0, 5]


@pytest.mark.parametrize("by_pixels", [True, False])
def test_nearest_training_images_are_those_of_the_whole_matrix(small, classifier, tmp_path, by_pixels):
    network = None if by_pixels else classifier
    samples = garment_set(
        torch.cat([small.test.images[:30], small.train.images[7:8]]), torch.zeros(31, dtype=torch.int64)
    )
    found = NearestTraining(subject_of(samples, small, tmp_path), network)
    chosen = [30, *range(0, 30, 2)]
    index, distance = found.nearest(chosen, 5)
    read = (
        (lambda images: images.images.flatten(1).double())
        if by_pixels
        else (lambda images: classifier.features(images))
    )
    matrix = cdist(read(samples)[chosen].double(), read(small.train).double()) / (28 if by_pixels else 1)
    np.testing.assert_allclose(distance, np.sort(matrix, axis=1)[:, :5], rtol=1e-9)
    assert index[:, 0].tolist() == found.index[chosen].tolist()
    assert index[1:].tolist() == matrix.argsort(axis=1)[1:, :5].tolist()
    assert (index[0, 0], distance[0, 0]) == (7, 0.0)
    assert found.nearest([0], 10_000)[0].shape == (1, 4000)


def test_the_nearest_of_many_are_those_of_brute_force():
    """More images than distances are held of at once."""
    draw = np.random.default_rng(0)
    some, training = (torch.from_numpy(draw.integers(0, 256, (n, 9), dtype=np.uint8)) for n in (300, 70))
    index, distance = nearest_vectors(some, training, 4)
    matrix = cdist(some.double(), training.double())
    np.testing.assert_allclose(distance, np.sort(matrix, axis=1)[:, :4], rtol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(matrix, index.numpy(), axis=1), distance, rtol=1e-12)


@pytest.mark.parametrize("noise", [0, 3])
def test_a_sampler_that_copies_a_fifth_is_found_out(small, new, classifier, tmp_path, noise):
    section = Neighbours(classifier).analyse(subject_of(copying(new, small.train, 0.2, noise), small, tmp_path))
    effects = {effect.key: effect for effect in section.effects}
    assert len(effects) == 22
    found = {each.effect.key for each in adjust_effects(section.effects) if each.holds}
    for space in ("pixels", "classifier"):
        overall = effects[f"neighbours/all/near_copies_{space}"]
        assert 0.6 < overall.difference.size < 1  # 20 % against 1 %: 0.73
        assert overall.key in found
        # A class has 100 test images, of which one is near: a floor that is known badly.
        assert all(effect.difference.size > 0.5 for key, effect in effects.items() if key.endswith(space))
    (row,) = [row for row in section.tables[0].rows if row[:2] == ("all", "pixels")]
    assert 0.19 < row[3] < 0.24
    assert row[6] == pytest.approx(0.01)


def test_new_real_images_give_no_finding(small, real, new, classifier, tmp_path):
    """Test images themselves, half of them, other test images, and such as lack classes."""
    others = real.test.subset(torch.arange(8000, 10_000))
    few = small.test.subset((small.test.labels < 3).nonzero().squeeze(1))
    for samples in (small.test, small.test.subset(torch.arange(0, 1000, 2)), others, few):
        for each in adjust_effects(Neighbours(classifier).analyse(subject_of(samples, small, tmp_path)).effects):
            assert each.effect.difference.p_value > 1e-4
            assert not each.holds


def test_the_section_holds_what_the_page_shows(small, new, classifier, tmp_path):
    state = torch.get_rng_state()
    subject = subject_of(new, small, tmp_path)
    first, second = (Neighbours(classifier, neighbours=4, examples=3).analyse(subject) for _ in range(2))
    assert [picture.name for picture in first.pictures] == ["best_and_worst", "suspicious", "typical", "atypical"]
    for one, other in zip(first.pictures, second.pictures, strict=True):
        assert isinstance(one.content, Image.Image)
        assert one.content.tobytes() == other.content.tobytes()
        assert one.content.width <= 1000
    assert first.effects == second.effects
    assert {effect.figure for effect in first.effects} == {"suspicious"}
    assert torch.equal(torch.get_rng_state(), state)
    logits = classifier.logits(new)
    assert all(
        logits[sample].argmax() == label for label, best in enumerate(first.values["best"].values()) for sample in best
    )
    assert [len(samples) for samples in first.values["worst"].values()] == [3] * 10


def test_copies_are_never_the_best(small, classifier, tmp_path):
    section = Neighbours(classifier).analyse(subject_of(small.train.balanced(200), small, tmp_path))
    assert set(map(tuple, section.values["best"].values())) == {()}


def test_exemplary_samples_by_hand():
    """Class 4 has its centre at 100. Its test image of level 60 lies farther off than 9 levels, the others nearer.

    101, 97 and 95 are read as class 4, 115 as 5 and 170 as 7; 95 is a copy.
    """
    train = flat([90, 95, 115], [4] * 3)
    test = flat([*range(100, 118, 2), 118, 60], [4] * 11)
    samples = flat([101, 97, 115, 170, 95, 30], [4, 4, 4, 4, 4, 9])
    copies = torch.tensor([False, False, False, False, True, False])
    found = choose_exemplars(samples, RealImages(train, test), Quarters(), 4, 2, copies)
    assert found.typical == [0, 1]  # 1 and 3 levels from the mean of 90, 95 and 115
    assert found.atypical == [4, 1]  # 115 and 170 are read as 5 and 7
    assert found.best == [0, 1]
    assert found.worst == [3, 0]  # by 55 and 6 levels


def test_samples_that_lie_far_from_their_class_are_not_the_best():
    train, test = flat([50] * 3, [2] * 3), flat([48, 49, 51, 52], [2] * 4)
    found = choose_exemplars(flat([60, 47, 51], [2] * 3), RealImages(train, test), Quarters(), 2, 3, torch.zeros(3) > 0)
    assert found.best == [2]  # 47 is 3 away, beyond nine of ten test images
    assert found.worst == [0, 1, 2]


def test_classes_without_real_images_are_left_out(by_hand, tmp_path):
    section = Neighbours(Quarters()).analyse(by_hand)
    assert list(section.values["worst"]) == ["t-shirt", "coat"]
    alone = subject_of(flat([1] * 9, [9] * 9), by_hand.real, tmp_path)
    with pytest.raises(NotApplicable, match="no class has samples, training images and test images"):
        Neighbours(Quarters()).analyse(alone)


def test_refuses_networks_that_do_not_read_and_numbers_below_one():
    with pytest.raises(InvalidValueError, match=r"features must be a classifier.*got RandomConvolutions"):
        Neighbours(RandomConvolutions())
    with pytest.raises(InvalidValueError, match="neighbours must be a whole number of at least 1, got 0"):
        Neighbours(Quarters(), neighbours=0)
    with pytest.raises(InvalidValueError, match=r"examples must be a whole number of at least 1, got 2\.5"):
        Neighbours(Quarters(), examples=2.5)


def test_colour_images_and_other_classes_by_hand(tmp_path):
    """Distances are root mean squares over pixels and channels: 12 levels in one of three channels."""
    train = flat_set(SCENES, [[10, 10, 10], [200, 0, 0]], [0, 3])
    test = flat_set(SCENES, [[10, 22, 10], [200, 0, 30]], [0, 3])
    samples = flat_set(SCENES, [[22, 10, 10], [188, 12, 12], [200, 0, 0]], [0, 3, 4])
    found = NearestTraining(subject_of(samples, RealImages(train, test), tmp_path), None)
    rms = math.sqrt(12**2 / 3)
    assert found.distance.tolist() == pytest.approx([rms, 12, 0])
    assert found.limits.tolist() == pytest.approx([rms, -math.inf, -math.inf, math.sqrt(30**2 / 3), -math.inf])
    index, distance = found.nearest([0, 1], 2)
    assert index.tolist() == [[0, 1], [1, 0]]
    assert distance[:, 0].tolist() == pytest.approx([rms, 12])
    assert found.words == "on colour levels"
    section = Neighbours(Quarters()).analyse(subject_of(samples, RealImages(train, test), tmp_path))
    assert list(section.values["worst"]) == ["sky", "$x$"]


def test_a_number_as_the_name_of_a_class_is_not_read_with_its_probability():
    """Without the colon, "0 >99 %" says that zero exceeds 99 %."""
    digits = ImageSet(
        torch.zeros(1, 1, 16, 16, dtype=torch.uint8),
        torch.tensor([1]),
        DatasetInfo("digits", tuple("0123456789"), size=16),
    )
    sure, unsure = torch.tensor([0.995] + 9 * [0.0]), torch.tensor([0.25, 0.75] + 8 * [0.0])
    assert [(tile.words, tile.marked) for tile in (_classified(digits, 0, each) for each in (sure, unsure))] == [
        (["0: >99 %"], True),
        (["1: 75 %"], False),
    ]


def test_figures_of_many_classes_show_those_that_are_confused_most(tmp_path, monkeypatch):
    labels = [*range(26)]
    train, test = (flat_set(LETTERS, [9 * label for label in labels], labels) for _ in range(2))
    levels = [9 * label if label < 8 else 0 for label in labels]  # `Quarters` knows ten classes
    samples = flat_set(LETTERS, levels, labels)
    network = Quarters()
    monkeypatch.setattr(network, "logits", lambda images: torch.eye(26)[(images.images[:, 0, 0, 0] / 9).long()])
    labels, note = Neighbours(network)._shown(samples, labels)
    assert labels == [0, 1, *range(8, 26)]  # of equal ones the first
    assert "20 of 26 classes" in note
    assert Neighbours(network)._shown(samples, [3, 5]) == ([3, 5], "")
    assert len(NearestTraining(subject_of(samples, RealImages(train, test), tmp_path), None).limits) == 26
