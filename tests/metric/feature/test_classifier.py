import json
import shutil

import pytest
import torch

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.metric.feature import classifier
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.feature.classifier_network import (
    SHIPPED_WEIGHTS,
    load_classifier,
    new_classifier,
    save_classifier,
)
from fmcgan.metric.image_set import ImageSet
from tests.garments import garment_set

RECORD = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))


def some_images(count: int) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return garment_set(images, torch.arange(count) % 10)


def test_features_and_logits_are_those_of_the_shipped_classifier():
    network, images = ClassifierFeatures(), some_images(5)
    features, logits = load_classifier()(images.images)
    assert network.name == "classifier"
    assert network.features(images).shape == (5, network.num_features) == (5, 96)
    assert torch.equal(network.features(images), features)
    assert torch.equal(network.logits(images), logits)


def test_logits_read_real_garments_as_well_as_the_record_says(real_test):
    """On 2,000 of the 10,000 images the share has a standard deviation of 0.005; on all the record is met to 5e-4."""
    images = real_test.balanced(2000)
    right = ClassifierFeatures().logits(images).argmax(dim=1) == images.labels
    assert right.double().mean().item() == pytest.approx(RECORD["test_accuracy"], abs=0.01)


def test_the_version_is_that_of_the_weights_and_of_nothing_else(tmp_path):
    save_classifier(new_classifier(1), tmp_path / "one.pt", {})
    save_classifier(new_classifier(2), tmp_path / "two.pt", {})
    shutil.copy(SHIPPED_WEIGHTS, tmp_path / "copy.pt")
    shipped = ClassifierFeatures().version
    assert shipped == RECORD["sha256"][:16]
    assert ClassifierFeatures(tmp_path / "copy.pt", batch_size=7).version == shipped
    assert len({ClassifierFeatures(str(tmp_path / name)).version for name in ("one.pt", "two.pt", "copy.pt")}) == 3


def test_a_file_is_loaded_once_until_it_is_written_anew(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(classifier, "load_classifier", lambda file: loaded.append(file) or load_classifier(file))
    file, images = tmp_path / "mine.pt", some_images(2)
    save_classifier(new_classifier(1), file, {})
    first, again = ClassifierFeatures(file), ClassifierFeatures(file)
    assert loaded == [file]
    save_classifier(new_classifier(2), file, {})
    anew = ClassifierFeatures(file)
    assert loaded == [file, file]
    assert torch.equal(again.features(images), first.features(images))
    assert not torch.equal(anew.features(images), first.features(images))


def test_the_batch_size_changes_features_by_rounding_only(real_test):
    images = real_test.balanced(60)
    whole = ClassifierFeatures(batch_size=60).outputs(images.subset(torch.arange(60)))
    parts = ClassifierFeatures(batch_size=7).outputs(images.subset(torch.arange(60)))
    for name in ("features", "logits"):
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shipped", [None, ""])
def test_null_and_nothing_mean_the_shipped_weights(shipped):
    assert ClassifierFeatures(shipped).version == RECORD["sha256"][:16]


def test_constructing_and_reading_leave_the_global_random_state_alone(tmp_path):
    save_classifier(new_classifier(1), tmp_path / "mine.pt", {})
    before = torch.get_rng_state()
    ClassifierFeatures(tmp_path / "mine.pt").features(some_images(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_missing_and_damaged_weights_name_the_key_and_the_remedy(tmp_path):
    (tmp_path / "damaged.pt").write_bytes(b"<html>not found</html>")
    for name, reason in (("nowhere.pt", "no classifier weights at "), ("damaged.pt", "cannot read")):
        with pytest.raises(UserError, match=reason) as caught:
            ClassifierFeatures(tmp_path / name)
        for needed in (name, "feature.classifier.weights", "python -m fmcgan.metric.train_classifier"):
            assert needed in str(caught.value)


def test_the_batch_size_must_be_a_whole_number():
    with pytest.raises(InvalidValueError, match="batch_size must be a whole number of at least 1, got 0"):
        ClassifierFeatures(batch_size=0)
