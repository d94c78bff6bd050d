import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from torch import Tensor

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.findings import adjust_effects
from fmcgan.analysis.holes import Holes, _shown
from fmcgan.analysis.nearest import coverage
from fmcgan.analysis.nearest.coverage import compare_coverage
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.manifold import Manifold
from fmcgan.metric.results_store import Store
from tests.analysis.small_sets import SCENES, noise_set
from tests.garments import garment_set

PLACES = torch.cartesian_prod(*[torch.tensor([60.0, 180.0])] * 4)
"""Where the classes lie: class c at place c, the second style of class 0 at place 10."""


class Quadrants(FeatureNetwork):
    """The mean grey level of each quarter of the image."""

    name = "quadrants"
    version = "1"
    num_features = 4
    batch_size = 1000

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)}


def draw(seed: int, n: int, styles: int = 2, classes=range(10), far: int | None = None) -> ImageSet:
    """Images of four even quarters around the place of their class, n of each.

    Args:
        seed: of the noise.
        n: of each class.
        styles: of class 0: every second image has the other style if there are two.
        classes: which.
        far: a class of which every second image is at a place where no other is.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(list(classes)).repeat(n)
    places = labels.clone()
    every_second = torch.arange(len(labels)) // len(classes) % 2 == 1
    if styles == 2:
        places[(labels == 0) & every_second] = 10
    if far is not None:
        places[(labels == far) & every_second] = 15
    levels = PLACES[places] + 12 * torch.randn(len(labels), 4, generator=generator)
    images = levels.round().clamp(0, 255).to(torch.uint8).reshape(-1, 1, 2, 2)
    return garment_set(images.repeat_interleave(14, dim=2).repeat_interleave(14, dim=3), labels)


@pytest.fixture(scope="module")
def real() -> RealImages:
    return RealImages(draw(1, 400), draw(2, 100))


@pytest.fixture
def subject(real, tmp_path):
    return lambda samples: Subject(samples, real, None, None, 0, Store(tmp_path))


@pytest.fixture(scope="module")
def holes() -> Holes:
    return Holes(Quadrants(), least=20)


def found(section) -> list[str]:
    return [judged.effect.key for judged in adjust_effects(section.effects) if judged.holds]


def by_class(section) -> dict[str, dict]:
    (table,) = section.tables
    return {row[0]: dict(zip([column.name for column in table.columns], row, strict=True)) for row in table.rows}


def test_shares_are_those_of_the_definition_on_whole_matrices(holes, subject, real):
    samples = draw(3, 100, far=4)
    rows = by_class(holes.analyse(subject(samples)))
    features = Quadrants().features
    test, other = features(real.test).double().numpy(), features(samples).double().numpy()
    train = features(real.train)[torch.cat([real.train.of_class(c)[:100] for c in range(10)])].double().numpy()
    radii = np.sort(cdist(test, test), axis=1)[:, 5]
    for name, images in (("", other), ("_of_real", train)):
        inside = cdist(test, images) <= radii[:, None]
        assert rows["all"][f"holes{name}"] == pytest.approx((~inside.any(axis=1)).mean(), abs=1e-12)
        assert rows["all"][f"outliers{name}"] == pytest.approx((~inside.any(axis=0)).mean(), abs=1e-12)
    for label, name in enumerate(GARMENTS.class_names):
        inside = cdist(test, other) <= radii[:, None]
        assert rows[name]["holes"] == pytest.approx((~inside.any(axis=1))[real.test.labels == label].mean(), abs=1e-12)
        assert rows[name]["outliers"] == pytest.approx((~inside.any(axis=0))[samples.labels == label].mean(), abs=1e-12)


def test_they_are_what_the_score_of_coverage_lacks_to_one(holes, subject, real):
    samples = draw(4, 100, styles=1)
    of_score = Manifold({"q": Quadrants()}).measure(samples, real)["coverage_k5_quadrants"].by_class
    rows = by_class(holes.analyse(subject(samples)))
    assert [rows[name]["holes"] for name in GARMENTS.class_names] == pytest.approx([1 - each for each in of_score])


def test_a_missing_style_is_found_and_shown(holes, subject, real):
    section = holes.analyse(subject(draw(5, 100, styles=1)))
    assert found(section) == ["holes/t-shirt/holes"]
    effect = next(effect for effect in section.effects if effect.key == "holes/t-shirt/holes")
    assert effect.classes == (0,)
    rows = by_class(section)
    assert rows["t-shirt"]["holes"] == pytest.approx(0.5, abs=0.06)
    assert f"{100 * rows['t-shirt']['holes']:.0f} %" in effect.statement
    missing = real.test.images[real.test.labels == 0][1::2]
    assert all(any(is_in(section.pictures[0].content, image) for image in group) for group in missing.split(10))


def is_in(picture, image: Tensor) -> bool:
    """Whether a grid shows an image of even quarters, twice magnified."""
    pixels = np.asarray(picture)
    corner = image[0].numpy().repeat(2, axis=0).repeat(2, axis=1)
    rows, columns = np.nonzero(pixels[:-55, :-55] == corner[0, 0])
    return any((pixels[y : y + 56, x : x + 56] == corner).all() for y, x in zip(rows, columns, strict=True))


def test_samples_beside_the_data_are_found_and_shown(holes, subject):
    samples = draw(6, 100, far=4)
    section = holes.analyse(subject(samples))
    assert "holes/coat/outliers" in found(section)
    assert not [
        key for key in found(section) if "outliers" in key and key not in ("holes/coat/outliers", "holes/all/outliers")
    ]
    effect = next(effect for effect in section.effects if effect.key == "holes/coat/outliers")
    assert effect.figure == section.pictures[1].name == "outliers"
    outside = samples.images[samples.labels == 4][1::2]
    assert sum(is_in(section.pictures[1].content, image) for image in outside) == 8


@pytest.mark.parametrize("seed", range(10, 16))
def test_nothing_is_found_of_samples_like_the_data(holes, subject, seed):
    section = holes.analyse(subject(draw(seed, 100)))
    assert found(section) == []
    assert min(effect.difference.p_value for effect in section.effects) > 1e-4


@pytest.mark.parametrize("half", [False, True])
def test_real_test_images_cover_themselves_which_is_no_finding(holes, subject, real, half):
    samples = real.test.balanced(500) if half else real.test
    section = holes.analyse(subject(samples))
    assert found(section) == []
    assert min(effect.difference.p_value for effect in section.effects) > 0.01
    overall = section.effects[0]
    assert overall.key == "holes/all/holes"
    assert overall.difference.p_value > (0.01 if half else 0.999)
    if not half:
        assert overall.difference.size < 0
        assert "0.0 % [0.0, 0.6] against" in overall.statement
        assert "n = 1,000 each" in overall.statement
        assert "k = 5" in overall.meaning


def test_as_many_training_images_of_each_class_are_compared_none_of_them_twice(subject, real):
    counts = {2: 30, 5: 300, 7: 19, 8: 90}
    sets = [draw(20, n, classes=[label]) for label, n in counts.items()]
    samples = garment_set(torch.cat([each.images for each in sets]), torch.cat([each.labels for each in sets]))
    of_samples, first, second = compare_coverage(subject(samples), Quadrants(), 5, 20)
    expected = [0, 0, 30, 0, 0, 200, 0, 0, 90]  # half of the 400 training images at most, and not the 19 sneakers
    for each in (of_samples, first, second):
        assert each.images.labels[each.index].bincount().tolist() == expected
    assert not set(first.index.tolist()) & set(second.index.tolist())
    rows = by_class(Holes(Quadrants(), least=20).analyse(subject(samples)))
    assert list(rows) == ["pullover", "sandal", "bag", "all"]
    assert rows["all"]["test_images"] == 300
    assert rows["all"]["samples"] == 320


def test_what_real_images_leave_is_kept(holes, subject, monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(len(arguments[0]))
        return coverage_membership(*arguments)

    coverage_membership = coverage.membership
    monkeypatch.setattr(coverage, "membership", counted)
    first = holes.analyse(subject(draw(7, 100)))
    assert len(calls) == 3
    second = holes.analyse(subject(draw(7, 100)))
    assert len(calls) == 4
    assert first.effects == second.effects
    holes.analyse(subject(draw(7, 50)))
    assert len(calls) == 7


def test_one_is_as_sure_of_holes_as_clumps_allow(holes, subject):
    """Errors of two shares of 100 images are 0.141 if the images are independent; p-values are those of one side."""
    for effect in holes.analyse(subject(draw(9, 100, styles=1))).effects:
        _, name, what = effect.key.split("/")
        n = 1000 if name == "all" else 100
        assert effect.difference.error == pytest.approx((1.2 if what == "holes" else 1.0) * (2 / n) ** 0.5)
        z = effect.difference.size / effect.difference.error
        assert effect.difference.p_value >= stats.norm.sf(z)
        assert (effect.difference.p_value < 0.5) <= (z > 0)


def test_ten_samples_a_class_suffice(subject):
    assert len(by_class(Holes(Quadrants()).analyse(subject(draw(8, 10))))) == 11


def test_too_few_of_everything_is_said(holes, subject):
    with pytest.raises(NotApplicable, match="20 samples"):
        holes.analyse(subject(draw(8, 19)))


@pytest.mark.parametrize("value", [{"k": 0}, {"shown": 0}, {"least": 1.5}])
def test_refuses_values_that_make_no_sense(value):
    with pytest.raises(InvalidValueError, match=next(iter(value))):
        Holes(Quadrants(), **value)


def test_figures_show_the_classes_with_the_largest_shares():
    counts = {label: {"holes": (label, 30), "outliers": (30 - label, 30)} for label in range(26)}
    assert _shown(counts, "holes")[0] == list(range(6, 26))
    assert _shown(counts, "outliers")[0] == list(range(20))
    assert "20 of 26 classes" in _shown(counts, "holes")[1]


def test_colour_images_of_unequal_classes(tmp_path):
    counts = (60, 50, 45, 40, 3), (12, 15, 20, 10, 10), (11, 12, 20, 30, 10)
    train, test, samples = (noise_set(SCENES, each, seed) for seed, each in enumerate(counts))
    section = Holes(Quadrants(), k=2).analyse(Subject(samples, RealImages(train, test), None, None, 0, Store(tmp_path)))
    assert section.values["classes"] == ["sky", "a/b", "<i>sea</i>", "$x$"]  # the last has too few training images
    assert len({effect.key for effect in section.effects}) == 10
    assert all(picture.content.mode == "RGB" for picture in section.pictures)
