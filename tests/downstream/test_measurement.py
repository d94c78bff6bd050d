"""Planted generators with a known answer, and what is kept of a killed measurement."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fmcgan.app.errors import UserError
from fmcgan.downstream import measurement
from fmcgan.downstream.arms import AUGMENTED, NOTHING, ONLY_GENERATED, REPEATED, TOPPED_UP, ratio_arm
from fmcgan.downstream.measurement import measure
from fmcgan.downstream.protocol import RealSize
from fmcgan.downstream.results import summarize
from fmcgan.downstream.samples import GivenSamples
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.downstream.drawn import INFO, PROTOCOL, noisy_classes, noisy_splits

FIVE = ratio_arm(5)
REAL = noisy_splits()


def measured(source, tmp_path, **changes):
    return measure(replace(PROTOCOL, **changes), REAL, source, Store(tmp_path))


def difference(results, arm=FIVE, against=NOTHING, n=20):
    (found,) = [each for each in results.against(against, RealSize(n)) if each.arm == arm]
    return found


@pytest.mark.train
def test_a_generator_that_is_a_bootstrap_of_other_real_images_helps_like_more_real_ones(tmp_path):
    """20 real images and 100 of another 500, drawn with repetition, against 120 real ones."""
    others = noisy_classes(500, 3)
    drawn = torch.randint(500, (2000,), generator=torch.Generator().manual_seed(0))
    bootstrap = ImageSet(others.images[drawn], others.labels[drawn], INFO)
    wide = {"sizes": [20, 120], "seeds": [0, 1, 2, 3, 4]}
    results = summarize(measured(GivenSamples(bootstrap, "bootstrap"), tmp_path, **wide), 4)
    assert difference(results).verdict == "helps"
    as_generated = results.arm(RealSize(20), FIVE).accuracy
    as_real = results.arm(RealSize(120), NOTHING).accuracy
    alone = results.arm(RealSize(20), NOTHING).accuracy
    assert as_real.mean - alone.mean > 0.1
    assert as_generated.mean == pytest.approx(as_real.mean, abs=0.04)
    assert results.equal_size(results.arm(RealSize(20), FIVE)) > 70


@pytest.mark.train
def test_held_out_real_images_help(tmp_path):
    results = summarize(measured(GivenSamples(REAL.train, "train", are_training=True), tmp_path), 4)
    assert difference(results).verdict == "helps"
    assert difference(results, against=AUGMENTED).verdict == "better"


@pytest.mark.train
@pytest.mark.parametrize("shown", ["noise", "real images"])
def test_labels_at_random_do_not_help(shown, tmp_path):
    generator = torch.Generator().manual_seed(0)
    images = noisy_classes(2000, 3).images
    if shown == "noise":
        images = torch.randint(0, 256, images.shape, dtype=torch.uint8, generator=generator)
    at_random = ImageSet(images, torch.randint(4, (2000,), generator=generator), INFO)
    results = summarize(measured(GivenSamples(at_random, shown), tmp_path, only_generated=True, sizes=[100]), 4)
    assert difference(results, n=100).verdict != "helps"
    assert difference(results, n=100).accuracy.mean < 0
    assert difference(results, ONLY_GENERATED, n=100).verdict == "hurts"
    assert results.arm(RealSize(100), ONLY_GENERATED).accuracy.low < 0.25 + 0.05


@pytest.mark.train
def test_rare_classes_are_topped_up(tmp_path):
    found = measured(GivenSamples(noisy_classes(2000, 3), "others"), tmp_path, long_tail=50, long_tail_sizes=[100])
    size = RealSize(100, 50)
    assert found.real_counts[size] == [73, 20, 6, 1]
    results = summarize(found, 4)
    compared = [each for each in results.comparisons if each.size == size]
    pairs = [(each.arm, each.against) for each in compared]
    assert pairs == [(AUGMENTED, NOTHING), (REPEATED, NOTHING), (TOPPED_UP, NOTHING), (TOPPED_UP, REPEATED)]
    assert compared[2].verdict == "helps"
    assert compared[2].rare.mean > compared[2].accuracy.mean > 0


def test_the_images_of_every_arm_are_those_it_says(tmp_path, monkeypatch):
    seen = {}

    def spied(build, images, labels, **options):
        seen[len(seen)] = (images, labels, options)
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 4))

    monkeypatch.setattr(measurement, "train_fixed", spied)
    samples = noisy_classes(900, 3)
    changes = {"seeds": [0, 1], "augmented_ratios": [1], "only_generated": True}
    found = measured(GivenSamples(samples, "others"), tmp_path, **changes)
    arms = list(found.predictions[RealSize(20)])
    assert len(seen) == 2 * len(arms)
    real = {image.numpy().tobytes() for image in REAL.train.images}
    generated = {image.numpy().tobytes() for image in samples.images}
    for index, arm in enumerate([*arms, *arms]):
        images, labels, options = seen[index]
        kinds = [image.numpy().tobytes() for image in images]
        assert sum(each in real for each in kinds) == (20 if arm.keeps_real else 0)
        assert sum(each in generated for each in kinds) == round(20 * arm.ratio)
        assert len(images) == len(labels)
        assert options["augment"] == arm.augmented
        assert (options["steps"], options["batch_size"], options["flips"]) == (60, 32, False)
        assert options["seed"] == (0 if index < len(arms) else 1)
    assert not torch.equal(seen[0][0], seen[len(arms)][0])  # another seed, other real images


def test_a_killed_measurement_goes_on(tmp_path, monkeypatch):
    source, train, done = GivenSamples(noisy_classes(400, 3), "others"), measurement.train_fixed, []

    def killed_at_the_fourth(*given, **options):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(given)
        return train(*given, **options)

    monkeypatch.setattr(measurement, "train_fixed", killed_at_the_fourth)
    few = {"steps": 10, "seeds": [0, 1]}
    with pytest.raises(KeyboardInterrupt):
        measured(source, tmp_path, **few)
    assert len(list(tmp_path.glob("*.npz"))) == 3
    monkeypatch.setattr(
        measurement, "train_fixed", lambda *given, **options: done.append(0) or train(*given, **options)
    )
    found = measured(source, tmp_path, **few)
    assert len(done) == 6  # three arms, two seeds
    again = measured(source, tmp_path, **few)
    assert len(done) == 6
    for arm, predictions in found.predictions[RealSize(20)].items():
        assert np.array_equal(again.predictions[RealSize(20)][arm].hits, predictions.hits)
    measured(source, tmp_path, **few, only_generated=True)
    assert len(done) == 8
    measured(source, tmp_path, **few | {"steps": 11})
    assert len(done) == 14


def test_a_foreign_file_in_the_store_is_an_error(tmp_path):
    source, few = GivenSamples(noisy_classes(400, 3), "others"), {"steps": 10, "seeds": [0, 1]}
    measured(source, tmp_path, **few)
    file = next(tmp_path.glob("*.npz"))
    for content in ({"predicted": np.zeros(3), "confidence": np.zeros(3)}, {"other": np.zeros(400)}):
        np.savez(file, **content)
        with pytest.raises(UserError, match="delete the folder"):
            measured(source, tmp_path, **few)


def test_test_images_choose_nothing(tmp_path):
    """Other labels of the test images change what is right, and nothing that is predicted."""
    other = RealImages(REAL.train, ImageSet(REAL.test.images, (REAL.test.labels + 1) % 4, INFO))
    protocol, source = replace(PROTOCOL, seeds=[0, 1], steps=10), GivenSamples(noisy_classes(200, 3), "others")
    found = [measure(protocol, real, source, Store(tmp_path / str(i))) for i, real in enumerate((REAL, other))]
    one, two = (each.predictions[RealSize(20)][NOTHING] for each in found)
    assert np.array_equal(one.confidence, two.confidence)
    assert not (one.hits & two.hits).any()


def test_what_cannot_be_measured_is_told(tmp_path):
    few = noisy_classes(80, 3)
    found = measured(GivenSamples(few, "few"), tmp_path, sizes=[20, 10_000], ratios=[1, 5], steps=10, seeds=[0, 1])
    assert list(found.predictions) == [RealSize(20), RealSize(600)]
    assert list(found.predictions[RealSize(600)]) == [NOTHING, AUGMENTED]
    assert found.skipped.keys() == {"n = 20, m = 5n", "n = 600, m = n", "n = 600, m = 5n"}
    assert "ant" in found.skipped["n = 600, m = 5n"]
    tail = measured(GivenSamples(few, "few"), tmp_path, long_tail=100, long_tail_sizes=[590], steps=10, seeds=[0, 1])
    assert "at most" in tail.skipped["n = 590, long tail 100 : 1"]
