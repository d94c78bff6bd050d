import hashlib
import json
import shutil

import pytest
import torch

from fmcgan.app.errors import UserError
from fmcgan.metric.feature.classifier_network import (
    SHIPPED_WEIGHTS,
    Classifier,
    load_classifier,
    new_classifier,
    save_classifier,
)


def read_images(classifier: Classifier, images: torch.Tensor, batch_size: int = 500) -> tuple[torch.Tensor, ...]:
    read = [classifier(some) for some in images.split(batch_size)]
    return tuple(map(torch.cat, zip(*read, strict=True)))


RECORD = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))


def some_images(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=generator)


def test_the_shipped_weights_are_as_good_as_their_record_says(real_test):
    _, logits = read_images(load_classifier(), real_test.images)
    accuracy = (logits.argmax(dim=1) == real_test.labels).double().mean().item()
    assert accuracy == pytest.approx(RECORD["test_accuracy"], abs=5e-4)
    assert accuracy >= 0.93


def test_the_record_belongs_to_the_shipped_file():
    content = SHIPPED_WEIGHTS.read_bytes()
    assert hashlib.sha256(content).hexdigest() == RECORD["sha256"]
    assert len(content) <= 700_000
    parameters = sum(parameter.numel() for parameter in Classifier().parameters())
    assert parameters == RECORD["parameters"] == 160_874


def test_it_is_loaded_for_measuring_and_float32():
    classifier = load_classifier()
    assert not classifier.training
    assert {parameter.dtype for parameter in classifier.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_loading_and_reading_leave_the_global_random_state_alone():
    before = torch.get_rng_state()
    read_images(load_classifier(), some_images(8))
    assert torch.equal(torch.get_rng_state(), before)


def test_features_and_logits_do_not_depend_on_the_batch_size():
    classifier, images = load_classifier(), some_images(37)
    features, logits = read_images(classifier, images, batch_size=37)
    other_features, other_logits = read_images(classifier, images, batch_size=5)
    assert features.shape == (37, 96)
    assert logits.shape == (37, 10)
    torch.testing.assert_close(other_features, features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other_logits, logits, rtol=1e-4, atol=1e-4)


def test_logits_are_the_head_on_the_features():
    classifier = load_classifier()
    features, logits = read_images(classifier, some_images(4))
    torch.testing.assert_close(features @ classifier.head.weight.T + classifier.head.bias, logits)
    assert (features >= 0).all()


def test_images_in_another_range_are_refused():
    with pytest.raises(TypeError, match="must be uint8"):
        load_classifier()(some_images(1).float())


def test_saved_weights_come_back_rounded_to_float16(tmp_path):
    classifier = new_classifier(seed=1)
    save_classifier(classifier, tmp_path / "folder" / "mine.pt", {"epochs": 0})
    loaded = load_classifier(tmp_path / "folder" / "mine.pt")
    assert torch.equal(loaded.head.weight, classifier.head.weight.half().float())
    assert json.loads((tmp_path / "folder" / "mine.json").read_text(encoding="utf-8"))["epochs"] == 0


def test_the_seed_decides_the_initial_weights():
    assert torch.equal(new_classifier(3).head.weight, new_classifier(3).head.weight)
    assert not torch.equal(new_classifier(3).head.weight, new_classifier(4).head.weight)


def test_missing_weights_name_the_place_and_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"no classifier weights at .*nowhere\.pt.*train_classifier"):
        load_classifier(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("damage", [b"", b"not a weights file", None])
def test_damaged_weights_are_refused(damage, tmp_path):
    path = tmp_path / "damaged.pt"
    path.write_bytes(SHIPPED_WEIGHTS.read_bytes()[:-5000] if damage is None else damage)
    with pytest.raises(UserError, match=r"damaged\.pt: .+ python -m"):
        load_classifier(path)


def test_one_flipped_bit_is_noticed_by_the_record_beside(tmp_path):
    path = tmp_path / "classifier.pt"
    shutil.copy(SHIPPED_WEIGHTS.with_suffix(".json"), tmp_path)
    content = bytearray(SHIPPED_WEIGHTS.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"SHA-256 is not the one in classifier\.json"):
        load_classifier(path)


@pytest.mark.parametrize("content", [{"other": torch.zeros(3)}, [1, 2], {"stem.0.weight": "text"}])
def test_weights_of_something_else_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"cannot read .*other\.pt"):
        load_classifier(tmp_path / "other.pt")
