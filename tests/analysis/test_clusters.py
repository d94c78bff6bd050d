import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor

from fmcgan.analysis import clusters, findings
from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.clustering.cluster_frequencies import COLUMNS, picture_name
from fmcgan.analysis.clustering.clusters import ClassClusters, traits, vectors_of
from fmcgan.analysis.clusters import Clusters
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.feature.random_convolutions import RandomConvolutions
from fmcgan.metric.image_set import FeatureNetwork, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import wilson_interval
from tests.analysis.small_sets import SCENES, noise_set
from tests.garments import garment_set

LEVELS = (200, 100, 50)
SANDAL, BAG = 5, 8


class Quadrants(FeatureNetwork):
    """The mean grey level of each quarter of the image."""

    name = "quadrants"
    version = "1"
    num_features = 4
    batch_size = 100

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)}


def blobs(*counts, seed, label=BAG):
    """So many images of each level, give or take 5 in each quarter: three styles that nobody can mix up."""
    generator = torch.Generator().manual_seed(seed)
    levels = torch.tensor([level for level, count in zip(LEVELS, counts, strict=True) for _ in range(count)])
    quarters = levels[:, None, None, None] + torch.randint(-5, 6, (len(levels), 1, 2, 2), generator=generator)
    images = quarters.repeat_interleave(14, dim=2).repeat_interleave(14, dim=3).to(torch.uint8)
    mixed = torch.randperm(len(levels), generator=generator)
    return garment_set(images[mixed], torch.full((len(levels),), label))


def subject(samples, train, test, folder, seed=0):
    return Subject(samples, RealImages(train, test), None, None, seed, Store(folder, shipped=folder))


def cells(section, row):
    return dict(zip((column.name for column in COLUMNS), section.tables[0].rows[row], strict=True))


@pytest.fixture
def three(tmp_path):
    """A half, a third and a sixth of the real images; a quarter, none and three quarters of the samples."""
    train, test = blobs(300, 200, 100, seed=1), blobs(150, 100, 50, seed=2)
    return subject(blobs(100, 0, 300, seed=3), train, test, tmp_path)


def test_shares_of_known_blobs_are_those_counted_by_hand(three):
    section = Clusters(Quadrants(), number=3).analyse(three)
    rows = [cells(section, row) for row in range(3)]
    assert [(row["class"], row["cluster"]) for row in rows] == [("bag", "1"), ("bag", "2"), ("bag", "3")]
    assert [row["real_share"] for row in rows] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert [row["test_share"] for row in rows] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert [row["generated_share"] for row in rows] == pytest.approx([0.25, 0, 0.75])
    assert [row["ratio"] for row in rows] == pytest.approx([0.5, 0, 4.5])
    assert [row["mark"] for row in rows] == ["rare", "missing", "over-produced"]
    assert (rows[0]["generated_low"], rows[0]["generated_high"]) == wilson_interval(100, 400)
    sizes = [math.pi / 3 - math.pi / 2, -2 * math.asin(math.sqrt(1 / 3)), 4 * math.pi / 6 - 2 * math.asin(6**-0.5)]
    assert [effect.difference.size for effect in section.effects] == pytest.approx(sizes)
    assert [row["size"] for row in rows] == pytest.approx(sizes)
    assert [effect.floor.size for effect in section.effects] == pytest.approx([0, 0, 0], abs=1e-12)
    assert [row["distance"] is None for row in rows] == [False, True, False]
    assert "brighter" in rows[0]["description"]
    assert "darker" in rows[2]["description"]
    statement = section.effects[1].statement
    assert all(text in statement for text in (rows[1]["description"], "33 % [30, 37]", "0.0 % [0.0, 1.0]"))


def test_pictures_are_one_a_class_and_one_of_all_which_leads(three):
    section = Clusters(Quadrants(), number=3).analyse(three)
    assert [picture.name for picture in section.pictures] == ["overview", "of_bag"]
    assert [picture.lead for picture in section.pictures] == [True, False]
    assert "bag/2 missing" in section.pictures[0].alternative
    assert {effect.figure for effect in section.effects} == {"of_bag"}
    assert [effect.key for effect in section.effects] == ["clusters/bag/1", "clusters/bag/2", "clusters/bag/3"]


def test_hdbscan_finds_the_number_and_counts_what_is_far_from_all_to_none(tmp_path):
    train, test = blobs(300, 200, 100, seed=1), blobs(150, 100, 50, seed=2)
    strange = torch.full((60, 1, 28, 28), 150, dtype=torch.uint8)  # half-way between two blobs
    known = blobs(40, 0, 0, seed=4)
    samples = garment_set(torch.cat([known.images, strange]), torch.full((100,), BAG))
    section = Clusters(Quadrants(), method="hdbscan", least_share=0.1).analyse(subject(samples, train, test, tmp_path))
    rows = [cells(section, row) for row in range(4)]
    assert [row["cluster"] for row in rows] == ["1", "2", "3", "none"]
    assert [row["real_share"] for row in rows[:3]] == pytest.approx([1 / 2, 1 / 3, 1 / 6], rel=0.08)
    assert sum(row["real_share"] for row in rows) == pytest.approx(1)
    assert rows[3]["real_share"] < 0.08
    assert 0.6 <= rows[3]["generated_share"] < 0.68
    assert rows[3]["mark"] == "over-produced"
    assert findings.adjust_effects(section.effects)[0].effect.key == "clusters/bag/none"


def test_the_same_twice_nothing_random_touched_and_styles_found_once(three, monkeypatch):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    part = Clusters(Quadrants(), number=3)
    first = part.analyse(three)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()
    monkeypatch.setattr(clusters, "find_clusters", lambda *_: pytest.fail("it was in the store"))
    second = part.analyse(three)
    assert first.tables[0].rows == second.tables[0].rows
    assert first.effects == second.effects


def test_a_class_with_too_few_images_is_left_out_and_none_is_no_section(tmp_path):
    def both(bags, boots, *counts):
        return garment_set(torch.cat([bags.images, boots.images]), torch.cat([bags.labels, boots.labels]))

    train = both(blobs(300, 200, 100, seed=1), blobs(300, 200, 100, seed=5, label=9))
    test = both(blobs(15, 10, 5, seed=2), blobs(15, 10, 5, seed=6, label=9))
    samples = both(blobs(6, 3, 3, seed=3), blobs(3, 3, 3, seed=7, label=9))
    section = Clusters(Quadrants(), number=3).analyse(subject(samples, train, test, tmp_path))
    assert {effect.classes for effect in section.effects} == {(BAG,)}
    few = subject(blobs(3, 3, 3, seed=7), train, test, tmp_path)
    with pytest.raises(NotApplicable, match="at least 10 samples"):
        Clusters(Quadrants(), number=3).analyse(few)


def test_traits_are_those_of_a_rectangle():
    images = np.zeros((3, 28, 28), np.uint8)
    images[0, 4:14, 10:14] = 100  # 10 rows, 4 columns, all of it left of the middle
    images[1] = images[0]
    images[1, 4:14, 11::2] = np.where(images[0, 4:14, 11::2], 200, 0)  # stripes: 100, 200, 100, 200
    images[1, 9:14, 10:12] = 0  # and a quarter cut out of its lower half
    found = traits(images)
    assert found[0] == pytest.approx([100, 10, 4, 1, -2, 0, 0.5])
    # 20 pixels above and 10 below: 5 rows of 3 steps of 100 and 5 rows of 1, by 30 pixels of 150 levels on average.
    assert found[1] == pytest.approx([150, 10, 4, 0.75, -2, 2000 / 4500, 2 / 3])
    assert np.isfinite(found).all()
    assert found[2, 1:3].tolist() == [0, 0]


def test_a_description_names_the_two_traits_that_differ_most():
    def described(*amounts):
        none = np.zeros((1, 1))
        return ClassClusters(none[0], none, none, none[0], np.array([amounts])).description(0)

    assert described(-0.5, 1.5, 0, 0, 0, 0, 0.4) == "taller, darker"
    assert described(0, 0, -0.6, 0.1, 0, 0, 0.2) == "narrower"
    assert described(0.1, 0, 0, 0, 0.2, 0, 0) == "near the mean of the class"


@pytest.fixture(scope="module")
def garments(fashion_mnist):
    """Real sandals and bags: 1,500 training images of each and all test images."""

    def some(images, labels, n):
        indices = torch.cat([(labels == label).nonzero()[:n, 0] for label in (SANDAL, BAG)])
        return garment_set(images[indices], labels[indices])

    train = some(fashion_mnist.train_images, fashion_mnist.train_labels, 1500)
    return train, some(fashion_mnist.test_images, fashion_mnist.test_labels, 1000)


@pytest.fixture(scope="module")
def network():
    return RandomConvolutions()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("styles")


def test_real_images_and_each_half_of_them_give_no_finding(garments, network, folder):
    train, test = garments
    halves = torch.arange(len(test)) % 2 == 0
    for samples in (test, test.subset(halves.nonzero()[:, 0]), test.subset((~halves).nonzero()[:, 0])):
        section = Clusters(network).analyse(subject(samples, train, test, folder))
        assert len(section.effects) == 16
        assert findings.select_findings(findings.adjust_effects(section.effects)) == []
        assert not any(effect.beyond_floor and effect.difference.p_value < 1e-4 for effect in section.effects)


@pytest.mark.parametrize(("label", "style"), [(SANDAL, 3), (BAG, 7)])
def test_a_style_that_is_left_out_is_the_first_finding(garments, network, folder, label, style):
    train, test = garments
    part = Clusters(network)
    whole = subject(test, train, test, folder)
    index = train.of_class(label)
    vectors = vectors_of(train.images[index], network.features(train)[index])
    styles = part._clusters(whole, label, vectors)
    indices = test.of_class(label)
    assigned, _ = styles.assign(vectors_of(test.images[indices], network.features(test)[indices]))
    left_out = indices[torch.from_numpy(assigned == style - 1)]
    kept = torch.ones(len(test), dtype=torch.bool)
    kept[left_out] = False
    section = part.analyse(subject(test.subset(kept.nonzero()[:, 0]), train, test, folder))
    judged = findings.adjust_effects(section.effects)
    name = {SANDAL: "sandal", BAG: "bag"}[label]
    assert judged[0].effect.key == f"clusters/{name}/{style}"
    assert judged[0].effect.difference.size < 0
    assert [each.holds for each in judged] == [True] + 15 * [False]
    marks = {f"{row[0]}/{row[1]}": row[-1] for row in section.tables[0].rows if row[-1]}
    assert marks == {f"{name}/{style}": "missing"}


@pytest.mark.parametrize(
    "wrong", [{"method": "c_means"}, {"number": 1}, {"weight": -1}, {"least_share": 0.9}, {"seed": -1}]
)
def test_parameters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InvalidValueError, match=next(iter(wrong))):
        Clusters(Quadrants(), **wrong)


def test_traits_and_outline_of_a_colour_image_are_those_of_its_mean_grey_level():
    grey = np.zeros((1, 32, 32), np.uint8)
    grey[0, 4:14, 10:14] = 100
    colour = np.stack([grey + 50 * (grey > 0), grey, grey - 50 * (grey > 0)], axis=3).astype(np.uint8)
    np.testing.assert_allclose(traits(colour), traits(grey))
    features = torch.zeros(1, 3)
    outlines = [
        vectors_of(images, features)
        for images in (torch.from_numpy(grey)[:, None], torch.from_numpy(colour).permute(0, 3, 1, 2))
    ]
    assert outlines[0].shape == (1, 16 * 16 + 3)
    np.testing.assert_array_equal(*outlines)
    assert outlines[0].sum() == 10 * 4 / 4


def test_pictures_of_classes_have_names_of_files():
    info = DatasetInfo("d", ("a/b", "Läufe", "日本", "a b"))
    names = [picture_name(info, label) for label in info.labels]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"of_\w+", name, re.ASCII) for name in names)


def test_colour_clusters_of_unequal_classes(tmp_path):
    counts = (40, 30, 15, 20, 0), (20, 10, 10, 5, 12), (15, 10, 12, 10, 10)
    train, test, samples = (noise_set(SCENES, each, seed) for seed, each in enumerate(counts))
    section = Clusters(Quadrants(), number=2).analyse(subject(samples, train, test, tmp_path))
    assert [picture.name for picture in section.pictures] == ["overview", "of_sky", "of_a_b"]
    assert {effect.classes for effect in section.effects} == {(0,), (1,)}  # the others have too few images
    assert len({effect.key for effect in section.effects}) == 4
