"""The classifier of a data set: shipped, given, or trained once and kept."""

import json
import logging
import threading
import time

import pytest
import torch

from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import DatasetInfo
from fmcgan.data.stratified import stratified
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.feature import classifier_training
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.feature.classifier_network import (
    SHIPPED_WEIGHTS,
    Classifier,
    load_classifier,
    new_classifier,
    save_classifier,
)
from fmcgan.metric.feature.classifier_training import Check, augmented, n_epochs, trained_weights
from fmcgan.metric.feature.random_convolutions import RandomConvolutions
from fmcgan.metric.frechet import ClassFrechetDistance, FrechetDistance
from fmcgan.metric.gan_test import GanTest
from fmcgan.metric.image_set import ImageSet, RealImages, UnfitNetworkError
from fmcgan.metric.inception_score import InceptionScore
from fmcgan.metric.memorisation import Memorisation
from fmcgan.metric.results_store import Store
from tests.garments import garment_set
from tests.metric.other_sets import COLOUR, GREY, coloured, flat, unequal

SMALL = DatasetInfo("stripes", ("a", "b", "c", "d", "e"), channels=3, size=16, flips=False)
LABELS = torch.tensor([label for label, size in enumerate((50, 20, 30, 10, 20)) for _ in range(size)])
SHIPPED = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))["sha256"][:16]


@pytest.fixture(autouse=True)
def _little_training(monkeypatch):
    """Thirty steps instead of a thousand."""
    monkeypatch.setattr(classifier_training, "LEAST_STEPS", 30)
    monkeypatch.setattr(classifier_training, "EPOCHS", 3)
    classifier_training._warn_once.cache_clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def stripes(folder, labels: torch.Tensor = LABELS) -> RealImages:
    store = Store(folder)
    images = coloured(LABELS, SMALL, seed=1, store=store)
    return RealImages(ImageSet(images.images, labels, SMALL, store=store), coloured(LABELS, SMALL, seed=2, store=store))


@pytest.mark.train
def test_it_is_trained_once_and_then_read_from_the_cache(folder, monkeypatch, caplog):
    features, real = ClassifierFeatures(), stripes(folder)
    before = torch.get_rng_state()
    with caplog.at_level(logging.INFO, logger="fmcgan"):
        features.fit(real)
    assert torch.equal(torch.get_rng_state(), before)
    assert features.version != SHIPPED
    assert (features.logits(real.test).argmax(dim=1) == LABELS).double().mean() > 0.9
    assert features.features(real.test).shape == (130, 96)
    (file,) = folder.glob("classifier_*.pt")
    record = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["dataset"] == SMALL.as_config()
    assert record["test_accuracy"] > 0.9
    assert (record["training_images"], record["held_out"]["images"]) == (117, 13)
    assert record["held_out"]["most_frequent"] == pytest.approx(5 / 13)
    assert f"accuracy {record['test_accuracy']:.4f} on the test images" in caplog.text

    def never(*given, **named):
        raise AssertionError("trained again")

    monkeypatch.setattr(classifier_training, "train", never)
    again = ClassifierFeatures()
    again.fit(stripes(folder))
    assert again.version == features.version
    with pytest.raises(AssertionError, match="again"):  # other labels are another data set
        ClassifierFeatures().fit(stripes(folder, LABELS.flip(0)))
    file.write_bytes(b"damaged")
    with pytest.raises(AssertionError, match="again"):
        ClassifierFeatures().fit(stripes(folder))


@pytest.mark.train
def test_classes_that_cannot_be_recognised_leave_the_label_free_metrics(tmp_path, caplog):
    order = torch.randperm(len(LABELS), generator=torch.Generator().manual_seed(0))
    real = stripes(tmp_path, LABELS[order])
    networks = {"classifier": ClassifierFeatures(), "random": RandomConvolutions()}
    metrics = {
        "frechet": FrechetDistance(networks),
        "memorisation": Memorisation({"classifier": ClassifierFeatures()}),
        "gan_test": GanTest(),
        "inception_score": InceptionScore(),
    }
    evaluator = Evaluator(metrics, real, 50, store=Store(tmp_path))
    warnings = [record.getMessage() for record in caplog.records if "no classifier of stripes" in record.getMessage()]
    assert len(warnings) == 1
    assert list(evaluator.metrics) == ["frechet", "memorisation"]
    assert list(evaluator.measure(real.test)) == [
        *("fd_random_50_test", "nearest_training_pixels_50", "near_copies_pixels_50")
    ]
    assert "classifier" not in metrics["frechet"].protocol + metrics["memorisation"].protocol


def test_of_two_that_train_at_once_one_waits(tmp_path, monkeypatch):
    trained, outcomes = [], []

    def slowly(images, labels, epochs, seed, info, *others):
        trained.append(len(images))
        time.sleep(0.3)
        return new_classifier(seed, info)

    def fit() -> None:
        try:
            outcomes.append(trained_weights(stripes(tmp_path)))
        except UnfitNetworkError as error:
            outcomes.append(str(error))

    monkeypatch.setattr(classifier_training, "train", slowly)
    threads = [threading.Thread(target=fit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trained == [117]
    assert len(outcomes) == 2
    assert outcomes[0] == outcomes[1]


def test_a_folder_that_cannot_be_written_keeps_nothing_and_trains_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    other = tmp_path / "temporary"
    other.mkdir()
    monkeypatch.setattr(classifier_training, "private_temp_dir", lambda: other)
    monkeypatch.setattr(classifier_training, "train", lambda *given: new_classifier(0, given[4]))
    with pytest.raises(UnfitNetworkError):
        trained_weights(stripes(tmp_path / "file"))
    assert len(list(other.glob("*.pt"))) == 1


def test_garments_have_the_shipped_weights(tmp_path):
    images = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
    samples = garment_set(images, torch.arange(20) % 10, store=Store(tmp_path))
    for metric in (GanTest(), FrechetDistance({"c": ClassifierFeatures()})):
        before = metric.protocol
        metric.fit(RealImages(samples, samples))
        assert metric.protocol == before
        assert SHIPPED in before
    assert list(tmp_path.iterdir()) == []


def test_given_weights_of_another_data_set_are_refused_by_name(tmp_path):
    save_classifier(new_classifier(1, COLOUR), tmp_path / "birds.pt", {})
    assert load_classifier(tmp_path / "birds.pt").info == COLOUR
    features, birds = ClassifierFeatures(tmp_path / "birds.pt"), unequal()
    features.fit(RealImages(birds, birds))
    assert features.logits(birds).shape == (29, 5)
    garments = garment_set(torch.zeros(4, 1, 28, 28, dtype=torch.uint8), torch.arange(4))
    with pytest.raises(InvalidValueError, match=r"birds\.pt are of another data set: .*birds.*fashion_mnist"):
        features.fit(RealImages(garments, garments))
    with pytest.raises(InvalidValueError, match="call its fit"):
        ClassifierFeatures().logits(birds)


@pytest.mark.parametrize(
    "info", [GREY, COLOUR, DatasetInfo("large", ("a", "b"), 3, 64), DatasetInfo("w", ("a", "b"), 1, 36)]
)
def test_the_network_fits_every_shape(info):
    samples = flat(info, [3, 200])
    features, logits = new_classifier(0, info).eval()(samples.images)
    assert (features.shape, logits.shape) == ((2, 96), (2, info.num_classes))


def test_the_shape_changes_neither_names_nor_numbers_of_weights_but_the_first_and_the_last():
    own, other = (Classifier(*given).state_dict() for given in ((), (COLOUR,)))
    assert own.keys() == other.keys()
    assert {name for name in own if own[name].shape != other[name].shape} == {
        *("stem.0.weight", "head.weight", "head.bias")
    }


def test_colour_is_shifted_alike_in_all_channels_and_mirrored_only_on_request():
    images = torch.zeros(600, 3, 16, 16, dtype=torch.uint8)
    images[:, 0, 5, 3], images[:, 2, 5, 3] = 10, 30
    for flips, columns in ((False, {2, 3, 4}), (True, {2, 3, 4, 11, 12, 13})):
        changed = augmented(images, torch.Generator().manual_seed(0), flips)
        places = [changed[:, channel].nonzero().tolist() for channel in (0, 2)]
        assert places[0] == places[1]
        assert {(row, column) for _, row, column in places[0]} == {
            (row, column) for row in (4, 5, 6) for column in columns
        }
        assert not changed[:, 1].any()


def test_a_tenth_of_each_class_is_held_out():
    labels = torch.tensor([0] * 100 + [1] * 14 + [2] * 2 + [3])
    training, held_out = stratified(labels, classifier_training.HELD_OUT_SHARE, seed=0)
    assert labels[held_out].bincount(minlength=5).tolist() == [10, 1, 1, 0, 0]
    assert torch.equal(torch.cat([training, held_out]).sort().values, torch.arange(len(labels)))
    assert torch.equal(held_out, stratified(labels, classifier_training.HELD_OUT_SHARE, seed=0)[1])


def test_with_images_of_some_classes_the_classifier_is_still_that_of_all(tmp_path, monkeypatch):
    trained = []

    def train(images, labels, epochs, seed, info, *others):
        trained.append(labels.unique().tolist())
        return new_classifier(seed, info)

    monkeypatch.setattr(classifier_training, "train", train)
    monkeypatch.setattr(classifier_training, "_check", lambda *given: Check(100, 1.0, 0.2))
    real = stripes(tmp_path)
    some = real.of_classes([1, 3])
    assert real.of_classes([4, 3, 2, 1, 0]) is real
    assert some.train.labels.unique().tolist() == some.test.labels.unique().tolist() == [1, 3]
    features, of_some, of_fewer = ClassifierFeatures(), ClassifierFeatures(), ClassifierFeatures()
    of_some.fit(some)
    features.fit(real)
    of_fewer.fit(some.of_classes([3]))
    assert trained == [[0, 1, 2, 3, 4]]
    assert features.version == of_some.version == of_fewer.version
    metric = GanTest()
    metric.fit(some)
    assert features.version in metric.protocol


def test_few_images_are_seen_more_often_and_many_less(monkeypatch):
    monkeypatch.undo()
    assert n_epochs(60_000, 256) == 12
    assert n_epochs(1617, 64) == 39  # of 26 batches: 1014 steps
    assert n_epochs(1, 64) == 1000
    assert n_epochs(300_000, 256) == 2
    assert n_epochs(1_000_000, 256) == 1


@pytest.mark.parametrize(
    ("images", "accuracy", "most_frequent", "useful"),
    [
        (1000, 0.1, 0.1, False),
        (1000, 0.2, 0.1, False),  # the interval begins at 0.176
        (1000, 0.22, 0.1, True),
        (100, 0.9, 0.9, False),
        (100, 0.98, 0.9, True),
        (3, 1.0, 1 / 3, True),
        (3, 2 / 3, 1 / 3, False),
        (0, 0.0, 1.0, False),
    ],
)
def test_it_must_be_clearly_better_than_guessing(images, accuracy, most_frequent, useful):
    assert Check(images, accuracy, most_frequent).is_useful == useful


def test_all_of_four_images_are_told_to_be_too_few():
    """The interval of four of four begins at 0.51, and half of them are guessed."""
    assert str(Check(4, 1.0, 0.5)).startswith("recognises 100.0 % of 4 held-out images (50.0 %")
    assert str(Check(4, 1.0, 0.5)).endswith("), too few to be sure")
    assert not str(Check(40, 1.0, 0.5)).endswith("sure")
    assert not str(Check(40, 0.5, 0.5)).endswith("sure")


def test_the_number_of_classes_is_that_of_the_data_set(tmp_path):
    save_classifier(new_classifier(1, COLOUR), tmp_path / "birds.pt", {})
    score, birds = InceptionScore(tmp_path / "birds.pt"), unequal(bootstrap_samples=10)
    Evaluator({"is": score}, RealImages(birds, birds), 29, ())
    assert score.quantities["is_classifier"].highest == 5
    value, (low, high), _ = score.measure(birds, RealImages(birds, birds))["is_classifier"]
    assert 1 <= low <= value <= high <= 5
    per_class = ClassFrechetDistance({"r": RandomConvolutions()})
    per_class.fit(RealImages(birds, birds))
    assert per_class.min_samples == 5 * 129
