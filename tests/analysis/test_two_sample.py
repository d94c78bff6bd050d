import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.detector import cross_fit as cross_fit_module
from fmcgan.analysis.detector.cross_fit import cross_fit
from fmcgan.analysis.detector.network import Detector, Recipe, detector_logits, occlusion, train_detector
from fmcgan.analysis.effect import difference_by_auc
from fmcgan.analysis.findings import adjust_effects
from fmcgan.analysis.two_sample import TwoSample, ranked_apart
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.analysis.small_sets import LETTERS, SCENES, noise_set
from tests.garments import garment_set

QUICK = {"most_per_class": 100, "images_shown": 3200, "occluded_per_class": 4}
RECIPE = Recipe(images_shown=3200, batch_size=64)


def numbered(n: int, first: int = 0) -> ImageSet:
    """Images of alternating classes 2 and 5 that carry their number."""
    images = torch.zeros(n, 1, 28, 28, dtype=torch.uint8)
    numbers = torch.arange(first, first + n)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = (numbers // 256).to(torch.uint8), (numbers % 256).to(torch.uint8)
    return garment_set(images, torch.where(torch.arange(n) % 2 == 0, 2, 5))


def numbers_of(images: Tensor) -> list[int]:
    return (images[:, 0, 0, 0].long() * 256 + images[:, 0, 0, 1]).tolist()


def marked(images: ImageSet, row: int, column: int, by: int = 100) -> ImageSet:
    """The same images with one pixel brighter."""
    brighter = images.images.clone().int()
    brighter[:, 0, row, column] += by
    return garment_set(brighter.clamp(0, 255).to(torch.uint8), images.labels)


@pytest.fixture
def subject(real, tmp_path):
    def subject(samples: ImageSet, seed: int = 0) -> Subject:
        return Subject(samples, real, None, None, seed, Store(tmp_path))

    return subject


@pytest.fixture
def spied(monkeypatch):
    """What detectors learn and judge, as (images, labels, generated or None); the logit is the image's number."""
    seen: list[list[tuple[Tensor, Tensor, Tensor]]] = []

    def train(images, labels, generated, info, recipe, seed, device):
        seen.append([(images, labels, generated)])
        return len(seen) - 1

    def judged(detector, images, labels):
        seen[detector].append((images, labels, torch.empty(0)))
        return torch.tensor(numbers_of(images)).float() + 1e5 * detector - 1e4 * labels

    monkeypatch.setattr(cross_fit_module, "train_detector", train)
    monkeypatch.setattr(cross_fit_module, "detector_logits", judged)
    return seen


def test_no_image_is_judged_by_who_has_learned_it_and_no_real_one_serves_twice(spied):
    samples, train = numbered(41), numbered(200, first=1000)
    scores = cross_fit(samples, train, 1000, RECIPE, seed=3)
    (first, first_judged), (second, second_judged) = spied
    of_samples = [[n for n in numbers_of(each[0]) if n < 1000] for each in (first, first_judged, second, second_judged)]
    assert sorted(of_samples[0] + of_samples[1]) == list(range(41))
    assert sorted(of_samples[2] + of_samples[3]) == list(range(41))
    assert set(of_samples[0]) == set(of_samples[3])  # what one learns, the other judges
    reals = [n for each in (first, first_judged, second, second_judged) for n in numbers_of(each[0]) if n >= 1000]
    assert len(reals) == len(set(reals)) == 2 * 41
    for images, labels, generated in (first, second):
        is_generated = torch.tensor(numbers_of(images)) < 1000
        assert torch.equal(generated, is_generated)
        for label in (2, 5):  # the label gives nothing away
            assert (is_generated & (labels == label)).sum() == (~is_generated & (labels == label)).sum()
    assert sorted(scores.index.tolist()) == list(range(41))
    assert torch.equal(samples.labels[scores.index], scores.labels)


def test_scores_have_one_scale_for_both_detectors_and_all_classes(spied):
    # The numbers of samples are below those of real images: every pair is the wrong way round.
    scores = cross_fit(numbered(40), numbered(200, first=1000), 1000, RECIPE, seed=0)
    _, area, bounds = scores.auc()
    assert area == 0
    assert bounds[0] == 0
    # And the other way round, although the logits of the detectors and classes are far apart.
    for_sure = cross_fit(numbered(40, first=1000), numbered(200), 1000, RECIPE, seed=0)
    assert [for_sure.auc(label)[1] for label in (None, 2, 5)] == [1, 1, 1]
    # Of 10 + 10 images of a class that a detector judges, ranks are 0.5, 1.5 ... 19.5 twentieths.
    assert sorted(for_sure.scores.tolist()) == pytest.approx(sorted(4 * [(10.5 + n) / 20 for n in range(10)]))


def test_errors_allow_for_detectors_that_err_together(spied):
    samples, train = numbered(40, first=5), numbered(80)
    scores = cross_fit(samples, train, 1000, RECIPE, seed=0)
    difference, area, (_, high) = scores.auc()
    independent, same_area, bounds = difference_by_auc(scores.scores.numpy(), scores.real_scores.numpy())
    assert 0.1 < area < 0.4  # most numbers of real images are larger
    assert (area, difference.size) == (same_area, independent.size)
    assert high - area == pytest.approx(math.sqrt(2) * (bounds[1] - area))
    assert difference.error == pytest.approx(math.sqrt(2) * independent.error)
    z, wider = (NormalDist().inv_cdf(each.p_value / 2) for each in (independent, difference))
    assert wider == pytest.approx(z / math.sqrt(2))


def test_classes_are_left_out_if_small_and_cut_if_large(spied):
    samples = numbered(40).subset(torch.arange(26))  # 13 of each
    few = samples.subset(torch.cat([samples.of_class(2), samples.of_class(5)[:7]]))
    assert cross_fit(few, numbered(200, 1000), 1000, RECIPE, seed=0).classes == [2]
    capped = cross_fit(samples, numbered(200, 1000), 10, RECIPE, seed=0)
    assert [(capped.labels == label).sum().item() for label in (2, 5)] == [10, 10]
    # Of 24 training images of a class, 12 + 12 stand beside twelve samples.
    assert len(cross_fit(samples, numbered(48, 1000), 1000, RECIPE, seed=0).labels) == 24
    assert cross_fit(few.subset(few.of_class(5)), numbered(200, 1000), 1000, RECIPE, seed=0) is None


@pytest.mark.train
def test_the_detector_has_the_size_it_says_and_is_told_the_class():
    detector = Detector(GARMENTS)
    assert sum(parameter.numel() for parameter in detector.parameters()) == 34_833
    # Bright is generated in one class and real in the other: without the label nothing could be told.
    labels, bright = torch.arange(400) % 2, (torch.arange(400) // 2) % 2 == 0
    images = torch.where(bright, 180, 60).to(torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28).contiguous()
    generated = bright == (labels == 0)
    trained = train_detector(images, labels, generated, GARMENTS, RECIPE, seed=1)
    assert torch.equal(detector_logits(trained, images, labels) > 0, generated)


def test_two_trainings_give_equal_bits_and_leave_the_global_random_state(real_test):
    few = real_test.balanced(200)
    generated = torch.arange(200) % 2 == 0
    before = torch.get_rng_state()
    given = few.images, few.labels, generated, GARMENTS, RECIPE
    logits = [detector_logits(train_detector(*given, seed, "cpu"), few.images, few.labels) for seed in (4, 4, 5)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


class OnePixel(Detector):
    """The logit is the grey level of one pixel, from -1 to 1."""

    def forward(self, images, labels):
        return images[:, 0, 10, 21]


def test_occlusion_by_hand():
    images = torch.full((2, 1, 28, 28), 255, dtype=torch.uint8)
    images[1, 0, 10, 21] = 0
    fill = torch.zeros_like(images)
    heat = occlusion(OnePixel(GARMENTS), images, torch.zeros(2, dtype=torch.int64), fill, patch=5, stride=5)
    # Patches lie at 0, 5, 10, 15, 20 and 23: one row and one column of them cover the pixel.
    expected = torch.zeros(28, 28)
    expected[10:15, 20:23] = 2.0  # from 1 to -1
    expected[10:15, 23:25] = 1.0  # these pixels also lie under the patch at the border, which changes nothing
    assert torch.equal(heat[0], expected)
    assert torch.equal(heat[1], torch.zeros(28, 28))


def test_real_images_cannot_be_told_from_real_images(subject, real):
    samples = real.train.subset(torch.arange(58_000, 60_000))
    rest = RealImages(real.train.subset(torch.arange(20_000)), real.test)
    section = TwoSample(**QUICK).analyse(Subject(samples, rest, None, None, 0, subject(samples).store))
    table = section.tables[0]
    low, high = table.rows[0][3:5]
    assert low - 0.02 < 0.5 < high + 0.02
    assert high - low < 0.08
    (effect,) = section.effects
    assert not effect.beyond_floor
    assert not adjust_effects([effect])[0].holds
    assert [row[0] for row in table.rows[:2]] == ["all", "t-shirt"]
    assert len(table.rows) == 11


@pytest.mark.parametrize(
    ("first", "ranked"),
    [
        ((0.70, 0.67, 0.73), (0, 1)),
        ((0.60, 0.57, 0.63), None),  # overlaps with 0.50 to 0.58
        ((0.62, 0.59, 0.65), None),  # apart alone, but not for the best and the worst of ten: 0.577 and 0.597
    ],
)
def test_classes_are_ranked_only_if_the_intervals_of_all_classes_say_so(first, ranked):
    areas = {0: first, 1: (0.54, 0.50, 0.58), **dict.fromkeys(range(2, 10), (0.57, 0.53, 0.61))}
    assert ranked_apart(areas) == ranked
    assert ranked_apart({0: first}) is None


def test_a_marked_pixel_is_caught_and_found(subject, real):
    section = TwoSample(**QUICK | {"images_shown": 9600}).analyse(subject(marked(real.test.balanced(1000), 26, 26)))
    (effect,) = section.effects
    _, _, area, low, _, floor, *_ = section.tables[0].rows[0]
    assert area > 0.95
    assert low > 0.95
    assert 0.45 < floor < 0.55
    assert adjust_effects([effect])[0].holds
    (maps,) = [picture.content for picture in section.pictures if picture.name == "occlusion"]
    for axes in maps.axes:
        row, column = np.unravel_index(axes.images[0].get_array().argmax(), (28, 28))
        assert max(abs(row - 26), abs(column - 26)) <= 3


def test_test_images_in_the_samples_place_are_the_floor_itself(subject, real):
    # The floor is that of all test images, of which the samples are the ones.
    (effect,) = TwoSample(**QUICK | {"images_shown": 640}).analyse(subject(real.test)).effects
    assert effect.difference == effect.floor


def test_the_floor_is_measured_once_for_each_protocol_and_seed(subject, spied, real):
    samples = marked(real.test.balanced(200), 3, 3)
    counts = []
    for change, seed in (({}, 0), ({}, 0), ({"images_shown": 100}, 0), ({}, 1)):
        TwoSample(**QUICK | change)._floor(subject(samples, seed))
        counts.append(len(spied))
    assert counts == [2, 2, 4, 6]


def test_too_few_samples(subject, real):
    with pytest.raises(NotApplicable, match="8 samples"):
        TwoSample(**QUICK).analyse(subject(real.test.balanced(70)))


def test_mistakes_are_found_at_construction():
    wrong = {"most_per_class": 7, "images_shown": 0, "batch_size": 0, "learning_rate": -1.0, "patch": 65, "stride": 0}
    for name, value in (wrong | {"occluded_per_class": 0}).items():
        with pytest.raises(InvalidValueError, match=name):
            TwoSample(**{name: value})


@pytest.mark.parametrize(
    ("info", "parameters"), [(LETTERS, 26 * (16 + 256) + 23_408 + 257), (SCENES, 5 * (16 + 1024) + 23_696 + 1025)]
)
def test_the_detector_takes_any_shape_and_number_of_classes(info, parameters):
    """9 (16 + 16 · 32 + 32 · 64) + 2 (16 + 32 + 64) are 23,408; colour has 2 · 9 · 16 more."""
    few = noise_set(info, [4] * info.num_classes, seed=0)
    generated = torch.arange(len(few)) % 2 == 0
    detector = train_detector(few.images, few.labels, generated, info, Recipe(128, 64), seed=1)
    assert sum(parameter.numel() for parameter in detector.parameters()) == parameters
    assert detector_logits(detector, few.images, few.labels).shape == (len(few),)


def test_the_protocol_names_the_design():
    recipe = Recipe(100, 10, 0.1)
    assert recipe.protocol(GARMENTS) == "detector ef54be70, Adam from 0.1 to 0, 100 images in batches of 10"
    assert len({recipe.protocol(info) for info in (GARMENTS, LETTERS, SCENES)}) == 3


def test_occlusion_in_colour_by_hand():
    class Red(Detector):
        def forward(self, images, labels):
            return images[:, 0, 2, 2]

    images, fill = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8), torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    heat = occlusion(Red(SCENES), images, torch.zeros(1, dtype=torch.int64), fill, patch=4, stride=4)
    expected = torch.zeros(1, 32, 32)
    expected[0, :4, :4] = 2.0
    assert torch.equal(heat, expected)


def test_many_classes_in_tables_and_the_most_telling_in_figures(tmp_path, monkeypatch):
    train, test, samples = (noise_set(LETTERS, [n] * 26, seed) for seed, n in enumerate((32, 16, 8)))
    subject = Subject(samples, RealImages(train, test), None, None, 0, Store(tmp_path))
    section = TwoSample(images_shown=64, occluded_per_class=1, stride=16, patch=16).analyse(subject)
    assert len(section.tables[0].rows) == 27
    (maps,) = [picture.content for picture in section.pictures if picture.name == "occlusion"]
    aucs = {row[0]: row[2] for row in section.tables[0].rows[1:]}
    shown = [axes.get_title().partition(":")[0] for axes in maps.axes if axes.get_title()]
    assert shown == sorted(sorted(aucs, key=lambda name: -aucs[name])[:20])
    assert "20 of 26 classes" in section.introduction
    with pytest.raises(NotApplicable, match="patch must be at most 16"):
        TwoSample(patch=17).analyse(subject)
