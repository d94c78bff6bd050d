"""What is known of every metric before it is measured: names, titles, and the number of samples it needs."""

import logging

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from fmcgan.app.config_dir import config_dir
from fmcgan.metric.base import quantity_of
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.image_set import RealImages
from tests.garments import garment_set

OF_MINUTES = ("gan_train_cnn", "gan_train_logistic_regression", "gan_train_mlp")


@pytest.fixture(scope="module")
def real():
    torch.manual_seed(0)
    sets = [torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8) for n in (60, 50)]
    return RealImages(*(garment_set(images, torch.arange(len(images)) % 10) for images in sets))


@pytest.fixture(scope="module")
def scores():
    known = sorted(path.stem for path in (config_dir() / "metric").glob("*.yaml"))
    chosen = ",".join(each for each in known if each not in OF_MINUTES)
    quick = ["metric.gan_train_quick.n=40", "metric.gan_train_quick.epochs=1"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return instantiate(compose("evaluate", [f"metric=[{chosen}]", *quick]).metric)


def test_every_metric_declares_what_it_measures(scores, real):
    for score in scores.values():
        values = score.measure(real.train.balanced(40), real)
        assert set(values) == set(score.quantities)
        for key, quantity in score.quantities.items():
            name = score.value_name(key, 10_000, "test")
            assert name in (f"{key}_10k_test", f"{key}_10k")
            known, rest = quantity_of(name)
            assert known._replace(unit=quantity.unit) == quantity
            assert name.endswith(f"_{rest}")
            assert quantity.lowest <= values[key].value <= quantity.highest


@pytest.mark.parametrize(
    ("name", "title", "rest"),
    [
        ("fd_classifier_10k_test", "Fréchet distance", "classifier_10k_test"),
        ("fid_inception_10k_test", "FID", "inception_10k_test"),
        ("class_fd_random_500_train", "Fréchet distance within classes", "random_500_train"),
        ("label_cross_entropy_classifier_10k", "Label cross entropy", "classifier_10k"),
        ("coverage", "Coverage", ""),
    ],
)
def test_names_tell_the_quantity(name, title, rest):
    quantity, found = quantity_of(name)
    assert (quantity.title, found) == (title, rest)
    assert quantity_of("fdx_10k") is None


def test_too_few_samples_are_warned_of(scores, real, caplog):
    chosen = {name: scores[name] for name in ("frechet", "class_frechet", "manifold", "gan_test")}
    with caplog.at_level(logging.WARNING):
        Evaluator(chosen, real, 20)
    assert [record.args[:2] for record in caplog.records] == [
        ("frechet", 20),
        ("class_frechet", 20),
        ("manifold", 20),
    ]
    caplog.clear()
    Evaluator(chosen, real, 10_000)
    assert not caplog.records
