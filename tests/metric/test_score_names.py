"""What is known of every score before it is measured: how its names begin, and how many samples it needs."""

import logging

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from fmcgan.app.config_dir import config_dir
from fmcgan.metric.base import RealImages
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.image_set import ImageSet

OF_MINUTES = ("gan_train_cnn", "gan_train_logistic_regression", "gan_train_mlp")


@pytest.fixture(scope="module")
def real():
    torch.manual_seed(0)
    sets = [torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8) for n in (60, 50)]
    return RealImages(*(ImageSet(images, torch.arange(len(images)) % 10) for images in sets))


@pytest.fixture(scope="module")
def scores():
    known = sorted(path.stem for path in (config_dir() / "metric").glob("*.yaml"))
    chosen = ",".join(each for each in known if each not in OF_MINUTES)
    quick = ["metric.gan_train_quick.n=40", "metric.gan_train_quick.epochs=1"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return instantiate(compose("evaluate", [f"metric=[{chosen}]", *quick]).metric)


def test_names_begin_as_they_say(scores, real):
    for score in scores.values():
        names = list(score.measure(real.train.balanced(40), real))
        assert score.begins
        assert all(any(name.startswith(f"{begin}_") for begin in score.begins) for name in names), names
        assert all(any(name.startswith(f"{begin}_") for name in names) for begin in score.begins), score.begins


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
