import warnings

import numpy as np
import pytest
import sklearn.manifold
import torch
from torch import Tensor

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.clustering.embedding import tsne, umap
from fmcgan.analysis.maps import Maps, _Chosen, _coloured
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.analysis.small_sets import LETTERS, SCENES, noise_set
from tests.garments import garment_set

pytestmark = pytest.mark.train  # UMAP and t-SNE are fitted

PLACES = torch.cartesian_prod(*[torch.tensor([60.0, 180.0])] * 4)
"""Where the classes lie: class c at place c, the second style of class 0 at place 15."""


class Quadrants(FeatureNetwork):
    """The mean grey level of each quarter of the image."""

    name = "quadrants"
    version = "1"
    num_features = 4
    batch_size = 1000

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)}


def draw(seed: int, n: int, styles: int = 2, classes=range(10)) -> ImageSet:
    """Images of four even quarters around the place of their class; every second of class 0 may be of another style."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(list(classes)).repeat(n)
    places = labels.clone()
    if styles == 2:
        places[(labels == 0) & (torch.arange(len(labels)) // len(classes) % 2 == 1)] = 15
    levels = PLACES[places] + 8 * torch.randn(len(labels), 4, generator=generator)
    images = levels.round().clamp(0, 255).to(torch.uint8).reshape(-1, 1, 2, 2)
    return garment_set(images.repeat_interleave(14, dim=2).repeat_interleave(14, dim=3), labels)


@pytest.fixture(scope="module")
def real() -> RealImages:
    return RealImages(draw(1, 40), draw(2, 20))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps(Quadrants(), ClassifierFeatures(), fitted=300, shown=200, on_page=100)


@pytest.fixture(scope="module")
def samples() -> ImageSet:
    """Without the second style of class 0."""
    return draw(3, 30, styles=1)


@pytest.fixture(scope="module")
def section(maps, real, store, samples):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*n_jobs.*")
        return maps.analyse(Subject(samples, real, None, None, 5, store))


def distances(given) -> np.ndarray:
    """From each real point of a map to its generated ones."""
    real, generated = given.positions[~given.generated], given.positions[given.generated]
    return np.linalg.norm(real[:, None] - generated, axis=2)


def test_points_are_as_many_of_each_class_of_either_origin(section):
    for each in section.maps:
        assert each.generated.sum() == 100
        for origin in (False, True):
            assert np.bincount(each.labels[each.generated == origin]).tolist() == [10] * 10
        assert each.positions.shape == (200, 2)
        assert np.isfinite(each.positions).all()
    assert [each.name for each in section.maps] == ["umap", "tsne", "pca"]
    assert [each.vectors is None for each in section.maps] == [False, True, True]
    assert section.maps[0].vectors.shape == (200, 4)
    assert section.maps[0].vectors.dtype == np.float32
    assert section.values["shown"] == 200
    assert section.values["fitted"] == 300


def test_points_carry_their_images(section, real, samples):
    of_test = torch.cat([real.test.of_class(label)[:10] for label in range(10)])
    of_samples = torch.cat([samples.of_class(label)[:10] for label in range(10)])
    expected = torch.cat([real.test.images[of_test], samples.images[of_samples]]).squeeze(1).numpy()
    for each in section.maps:
        np.testing.assert_array_equal(each.images, expected)


def test_points_carry_what_the_classifier_predicts(section):
    classifier = ClassifierFeatures()
    for each in section.maps:
        for n in (0, 100, 155, 199):
            alone = garment_set(torch.from_numpy(each.images[n])[None, None], torch.tensor([0]))
            sure, predicted = classifier.logits(alone).softmax(dim=1).max(dim=1)
            assert each.predicted[n] == int(predicted)
            assert each.confidence[n] == pytest.approx(float(sure), abs=1e-5)


def test_the_nearest_training_images_are_those_of_brute_force(section, real):
    training = real.train.images.flatten(1).numpy().astype(float)
    each = section.maps[2]
    points = each.images.reshape(200, -1).astype(float)
    distances = np.sqrt(np.square(points[:, None] - training).mean(axis=2))  # root mean square of grey levels
    np.testing.assert_allclose(each.nearest.distance, np.sort(distances, axis=1)[:, :3], rtol=1e-9)
    found = each.nearest.images[each.nearest.index].reshape(200, 3, -1)
    own = np.sqrt(np.square(points[:, None] - found).mean(axis=2))
    np.testing.assert_allclose(own, each.nearest.distance, rtol=1e-9)
    known = {(*image, label) for image, label in zip(training.tolist(), real.train.labels.tolist(), strict=True)}
    for image, label in zip(each.nearest.images.reshape(-1, 784).tolist(), each.nearest.labels.tolist(), strict=True):
        assert (*image, label) in known
    assert len(each.nearest.images) == len(np.unique(each.nearest.index))
    assert each.nearest.unit == "grey levels"


def test_the_linear_map_is_that_of_numpy(section, real, samples):
    fitted = torch.cat([real.train.of_class(label)[:30] for label in range(10)])
    features = Quadrants().features(real.train)[fitted].double().numpy()
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    _, singular, directions = np.linalg.svd((features - mean) / deviation, full_matrices=False)
    given = section.maps[2]
    of_points = Quadrants().features(
        garment_set(torch.from_numpy(given.images)[:, None], torch.from_numpy(given.labels))
    )
    expected = (of_points.double().numpy() - mean) / deviation @ directions[:2].T
    signs = np.sign((expected * given.positions).sum(axis=0))
    np.testing.assert_allclose(given.positions, expected * signs, atol=1e-6)
    share = (singular[:2] ** 2).sum() / (singular**2).sum()
    assert section.values["explained_by_two_components"] == pytest.approx(share)


@pytest.mark.parametrize("name", ["umap", "tsne"])
def test_classes_are_islands_and_a_style_that_is_not_made_is_a_hole(section, name):
    given = next(each for each in section.maps if each.name == name)
    apart = distances(given)
    real_labels, generated_labels = given.labels[~given.generated], given.labels[given.generated]
    missing = (real_labels == 0) & (given.images[~given.generated][:, 0, 0] > 120)
    assert missing.sum() == 5
    assert (generated_labels[apart.argmin(axis=1)] == real_labels)[~missing].mean() > 0.97
    assert apart[missing].min() > 3 * np.quantile(apart[~missing].min(axis=1), 0.9)


def test_every_map_is_drawn_in_three_ways_and_trusted_where_it_can_be(section):
    names = [f"{name}_{kind}" for name in ("umap", "tsne", "pca") for kind in ("classes", "origin", "thumbnails")]
    assert [picture.name for picture in section.pictures] == names
    assert [picture.name for picture in section.pictures if picture.lead] == ["umap_classes", "umap_thumbnails"]
    assert all(picture.caption and picture.alternative for picture in section.pictures)
    trust = {row[0]: row[1] for row in section.tables[0].rows}
    assert trust["t-SNE"] > 0.95  # four features are nearly laid out in two
    assert trust["UMAP"] > 0.9
    assert 0.5 < trust["PCA"] < trust["t-SNE"]


def test_it_is_the_same_again_and_what_real_images_alone_give_is_kept(maps, section, real, store, samples, monkeypatch):
    monkeypatch.setattr(sklearn.manifold, "TSNE", None)  # not asked for a second time
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    again = maps.analyse(Subject(samples, real, None, None, 5, store))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    for one, other in zip(section.maps, again.maps, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.predicted, other.predicted)
        np.testing.assert_array_equal(one.nearest.index, other.nearest.index)


def test_samples_do_not_pull_the_map_towards_themselves(maps, section, real, store):
    others = maps.analyse(Subject(draw(9, 20, classes=range(10)), real, None, None, 5, store))
    for one, other in zip(section.maps[1:], others.maps[1:], strict=True):  # UMAP draws random numbers for all at once
        np.testing.assert_allclose(one.positions[~one.generated], other.positions[~other.generated], atol=1e-9)


def test_missing_classes_are_missing_on_both_sides(maps, real, store):
    given = maps.analyse(Subject(draw(4, 5, classes=[3, 7]), real, None, None, 5, store)).maps[0]
    for origin in (False, True):
        assert np.unique(given.labels[given.generated == origin], return_counts=True)[1].tolist() == [5, 5]


def test_an_image_that_was_fitted_is_placed_where_it_was(store):
    vectors = np.random.default_rng(0).normal(size=(60, 3))
    plane = tsne(vectors, vectors[:7], 10, 0, store.arrays, "sixty points")
    np.testing.assert_array_equal(plane.others, plane.fitted[:7])


def test_torch_computes_with_as_many_threads_as_before():
    """Numba's OpenMP threads are torch's too, and it does not know OMP_NUM_THREADS."""
    vectors = np.random.default_rng(0).normal(size=(60, 3))
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            umap(vectors, vectors[:7], neighbours=5, seed=0)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_too_few_training_images_are_said(maps, real, samples, store):
    with pytest.raises(NotApplicable, match="at least 50 training images, got 40"):
        maps.analyse(Subject(samples, RealImages(draw(1, 4), real.test), None, None, 5, store))
    nothing = garment_set(torch.zeros(0, 1, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(NotApplicable, match="one class"):
        maps.analyse(Subject(nothing, real, None, None, 5, store))


@pytest.mark.parametrize(
    "value",
    [{"fitted": 10}, {"shown": 0}, {"on_page": 1}, {"components": 1}, {"perplexity": 0.5}, {"nearest": 6}],
)
def test_refuses_values_that_make_no_sense(value):
    with pytest.raises(InvalidValueError, match=next(iter(value))):
        Maps(Quadrants(), ClassifierFeatures(), **value)


def test_too_few_points_for_the_classes_are_said(maps, real, samples, store):
    few = Maps(Quadrants(), ClassifierFeatures(), fitted=300, shown=200, on_page=5)
    with pytest.raises(NotApplicable, match="at least 10"):
        few.analyse(Subject(samples, real, None, None, 5, store))


def test_of_many_classes_those_are_coloured_whose_samples_lie_elsewhere():
    many = DatasetInfo("many", tuple(map(str, range(30))), LETTERS.channels, LETTERS.size)
    some = noise_set(many, [2] * 30, seed=0)
    vectors = np.zeros((120, 3))
    vectors[60:, 1] = some.labels.numpy()  # each sample is as far from its real image as its label
    coloured, note = _coloured(many, _Chosen(some, torch.arange(60)), vectors)
    assert coloured == list(range(4, 30))
    assert "26 of 30 classes" in note
    assert _coloured(LETTERS, None, vectors) == (list(range(26)), "")


def test_clouds_are_in_colour():
    some = noise_set(SCENES, [1] * 5, seed=0)
    cloud = _Chosen(some, torch.tensor([4, 0])).cloud(np.zeros((2, 2)))
    assert cloud.labels.tolist() == [4, 0]
    np.testing.assert_array_equal(cloud.images[0].transpose(2, 0, 1), some.images[4])
