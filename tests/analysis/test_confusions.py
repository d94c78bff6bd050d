import numpy as np
import pytest
import torch

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.confusions import Confusions, ratio_in_words
from fmcgan.analysis.findings import adjust_effects
from fmcgan.app.errors import InvalidValueError
from fmcgan.figure.grid import GAP, MARGIN
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.garments import garment_set


class Told(ClassifierFeatures):
    """Reads the class off the first pixel of an image, and how sure it is off the second."""

    name = "told"
    version = "1"
    num_features = 1
    batch_size = 100
    outputs = FeatureNetwork.outputs  # there is no classifier whose data set could be another

    def __init__(self) -> None:
        pass

    def _extract(self, images):
        answers = torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 10) * images[:, 0, 0, 1, None] / 10
        return {"features": images[:, 0, 0, :1].float(), "logits": answers}


def telling(answers: dict[tuple[int, int], int]) -> ImageSet:
    """So many images for each (conditioned class, predicted class), each surer than the one before."""
    pairs = [pair for pair, n in answers.items() for _ in range(n)]
    images = torch.zeros(len(pairs), 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.tensor([predicted for _, predicted in pairs], dtype=torch.uint8)
    images[:, 0, 0, 1] = (20 + torch.arange(len(pairs)).clamp(max=200)).to(torch.uint8)
    return garment_set(images, torch.tensor([label for label, _ in pairs]))


class Known(Told):
    """Answers what the shipped classifier answers, who has read the test images once for all tests."""

    def __init__(self, logits: torch.Tensor) -> None:
        self._logits, self._samples = logits, None

    def of(self, samples: ImageSet, places: torch.Tensor) -> "Known":
        """Knows also a set that holds the test images at some places."""
        self._samples, self._places = samples, places
        return self

    def logits(self, images):
        return self._logits[self._places] if images is self._samples else self._logits


@pytest.fixture(scope="module")
def few(real) -> RealImages:
    return real._replace(test=real.test.balanced(4000))


@pytest.fixture(scope="module")
def classifier(few) -> Known:
    return Known(ClassifierFeatures().logits(few.test))


def effects_of(samples: ImageSet, real: RealImages, folder, features: ClassifierFeatures):
    subject = Subject(samples, real, None, None, 0, Store(folder))
    section = Confusions(features).analyse(subject)
    return section, {effect.key: effect for effect in section.effects}


def told(samples: dict, test: dict, folder):
    return effects_of(telling(samples), RealImages(telling(test), telling(test)), folder, Told())


def test_a_confusion_by_hand(tmp_path):
    test = {(6, 6): 16, (6, 0): 4}
    section, effects = told({(6, 0): 4, (6, 6): 6}, test, tmp_path)
    # Wilson's intervals of 4 in 10 and of 4 in 20, at z = 1.96.
    assert effects["confusions/shirt/t-shirt"].statement == (
        "Generated shirts are classified as t-shirts 2.0 times as often as real ones "
        "(40 % [17, 69] against 20 % [8, 42])."
    )
    assert effects["confusions/shirt/t-shirt"].classes == (6, 0)
    assert effects["confusions/shirt/t-shirt"].predicted == 0
    difference = effects["confusions/shirt/t-shirt"].difference
    assert difference.size == pytest.approx(2 * np.arcsin(0.4**0.5) - 2 * np.arcsin(0.2**0.5))
    # Of the test images, those read as t-shirts come last: none of the first ten, four of the second.
    floor = effects["confusions/shirt/t-shirt"].floor
    assert floor.size == pytest.approx(-2 * np.arcsin(0.4**0.5))
    assert section.values["agreement"] == 0.6
    assert section.values["agreement_of_real_images"] == 0.8
    by_read = {each[1]: each for each in section.tables[0].rows}
    assert by_read["t-shirt"][-1] == pytest.approx(2.0)
    assert by_read["shirt"][-1] == pytest.approx(0.75)


def test_what_real_images_never_do_and_what_samples_never_do(tmp_path):
    _, effects = told({(8, 3): 5, (8, 8): 15, (3, 3): 20}, {(8, 8): 20, (3, 3): 15, (3, 2): 5}, tmp_path)
    bag, dress = effects["confusions/bag/dress"].statement, effects["confusions/dress/pullover"].statement
    assert "(25 % [" in bag
    assert "(0.0 % [0.0, " in dress
    assert "easier to classify than the data" in dress
    assert effects["confusions/dress/pullover"].figure == "difference"  # there is no sample to show


def test_agreement_is_an_effect_only_where_no_pair_tells_it(tmp_path):
    real = {(4, 4): 100, (7, 7): 100, (1, 1): 70, (1, 0): 30}
    lost_to_one = {(4, 4): 80, (4, 6): 10, (4, 2): 10}  # each explains just half
    lost_to_three = {(7, 7): 76, (7, 5): 8, (7, 9): 8, (7, 0): 8}
    gained_from_one = {(1, 1): 90, (1, 0): 10}
    _, effects = told(lost_to_one | lost_to_three | gained_from_one, real, tmp_path)
    agreements = [key for key in effects if key.endswith("agreement")]
    assert agreements == ["confusions/sneaker/agreement"]
    statement = effects["confusions/sneaker/agreement"].statement
    assert "less often than real ones (76 % [" in statement


def test_strips_show_the_surest_first_beside_real_ones(tmp_path):
    samples, test = telling({(6, 0): 3, (6, 6): 1}), telling({(6, 6): 9, (6, 0): 1})
    part = Confusions(Told(), strips=1, images_per_strip=2)
    section = part.analyse(Subject(samples, RealImages(test, test), None, None, 0, Store(tmp_path)))
    (picture,) = [each.content for each in section.pictures if each.name == "misread"]
    pixels = np.asarray(picture)
    step = 2 * 28 + GAP
    top = pixels.shape[0] - MARGIN - 56
    left = pixels[top].tolist().index(22) - 2  # the second pixel of the first image says how sure it is
    assert [pixels[top, left + 2 + column * step] for column in range(4)] == [22, 21, 255, 29]  # two, a gap, a real one


@pytest.mark.parametrize("share", ["all", "first", "second"])
def test_real_images_are_no_findings(few, classifier, tmp_path, share):
    places = torch.arange(*{"all": (0, 4000), "first": (0, 2000), "second": (2000, 4000)}[share])
    samples = few.test.subset(places)
    section, effects = effects_of(samples, few, tmp_path, classifier.of(samples, places))
    assert len(effects) > 20
    assert not any(each.holds for each in adjust_effects(section.effects))
    assert not any(each.beyond_floor and each.difference.p_value < 1e-4 for each in section.effects)


def test_swapped_labels_of_two_classes_come_first(few, classifier, tmp_path):
    labels = few.test.labels.clone()
    for label, other in ((1, 8), (8, 1)):
        swapped = few.test.of_class(label)[::5]
        labels[swapped] = other
    samples = garment_set(few.test.images, labels)
    section, _ = effects_of(samples, few, tmp_path, classifier.of(samples, torch.arange(4000)))
    findings = [each for each in adjust_effects(section.effects) if each.holds]
    assert {each.effect.key for each in findings} == {"confusions/trouser/bag", "confusions/bag/trouser"}
    # A fifth of the trousers are bags, which the classifier nearly always classifies as bags.
    row = next(row for row in section.tables[0].rows if row[:2] == ["trouser", "bag"])
    assert row[2] == pytest.approx(0.2, abs=0.01)
    assert section.tables[0].rows[0][:2] in (["trouser", "bag"], ["bag", "trouser"])


def test_samples_that_are_easier_than_the_data_are_called_so(few, classifier, tmp_path):
    shirts = few.test.of_class(6)
    chosen = shirts[classifier.logits(few.test)[shirts].argmax(dim=1) != 0]
    samples = few.test.subset(chosen)
    section, effects = effects_of(samples, few, tmp_path, classifier.of(samples, chosen))
    assert adjust_effects(section.effects)[0].effect.key == "confusions/shirt/t-shirt"
    assert adjust_effects(section.effects)[0].holds
    assert "easier to classify than the data" in effects["confusions/shirt/t-shirt"].statement
    assert {effect.classes[0] for effect in section.effects} == {6}  # the samples have no other label


def test_without_a_common_class_there_is_nothing_to_compare(tmp_path):
    with pytest.raises(NotApplicable, match="no class in common"):
        told({(1, 1): 5}, {(2, 2): 5}, tmp_path)


def test_a_generator_without_mistakes_has_no_strips(tmp_path):
    section, _ = told({(1, 1): 5}, {(1, 1): 4, (1, 2): 1}, tmp_path)
    assert [picture.name for picture in section.pictures] == ["agreement", "difference"]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (2.14, "2.1 times as often"),
        (31.4, "31 times as often"),
        (1.04, "as often"),
        (0.48, "about half as often"),
        (0.65, "about two thirds as often"),
        (0.1, "about a tenth as often"),
        (0.02, "less than a tenth as often"),
    ],
)
def test_ratios_in_words(ratio, words):
    assert ratio_in_words(ratio) == words


def test_mistakes_are_found_at_construction():
    for wrong in ({"strips": 0}, {"images_per_strip": 1.5}):
        with pytest.raises(InvalidValueError, match=next(iter(wrong))):
            Confusions(Told(), **wrong)
