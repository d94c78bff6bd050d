"""A package outside the project adds a loss, a penalty, a metric, a data set and a pair of networks, one yaml each."""

import sys

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from fmcgan import load_discriminator, load_generator
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.safetensors_file import write_generator
from fmcgan.train import _build_gan, build, validate
from fmcgan.training.network_check import check_networks

PYTHON = """
import torch
from torch import nn

from fmcgan.data.datamodule import ImageDataModule, ImageSplits
from fmcgan.data.info import DatasetInfo
from fmcgan.loss.base import AdversarialLoss
from fmcgan.metric.base import Metric
from fmcgan.metric.value import MetricValue, Quantity
from fmcgan.penalty.base import Penalty, input_gradient


class Exponential(AdversarialLoss):
    def discriminator(self, real, fake):
        return torch.exp(-real).mean() + torch.exp(fake).mean()

    def generator(self, real, fake):
        return torch.exp(-fake).mean()


class Slope(Penalty):
    def __call__(self, discriminator, real, fake, labels, epsilon):
        return input_gradient(discriminator, real, labels).abs().mean()


class Lightness(Metric):
    kinds = {"lightness": Quantity("Mean grey level", "real")}
    protocol = "mean grey level"

    def measure(self, samples, real):
        return {"lightness": MetricValue(samples.images.float().mean().item())}


class Stripes(ImageDataModule):
    source = DatasetInfo("stripes", ("upright", "level", "none"), size=16, flips=False)
    n_train = 96

    def load(self):
        images, labels = torch.zeros(192, 1, 16, 16, dtype=torch.uint8), torch.arange(192) % 3
        images[labels == 0, :, :, ::4] = images[labels == 1, :, ::4, :] = 255
        return ImageSplits(images[:96], labels[:96], images[96:], labels[96:])


class Generator(nn.Module):
    latent_dim = 6

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 784), nn.BatchNorm1d(784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))

    def forward(self, latent, labels):
        return self.layers(torch.cat([latent, nn.functional.one_hot(labels, 10)], dim=1))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, images, labels):
        return self.layer(images.flatten(1)).gather(1, labels[:, None]).squeeze(1)
"""
YAML = {
    "loss/exponential": "defaults: [override /penalty@_global_.penalty: none]\n_target_: own_variants.Exponential\n",
    "penalty/slope": "_target_: own_variants.Slope\ninterval: 1\n",
    "metric/lightness": "lightness: {_target_: own_variants.Lightness}\n",
    "data/stripes": "_target_: own_variants.Stripes\nbatch_size: 32\nseed: ${seed}\n",
    "network/linear": (
        "# @package _global_\n"
        "defaults: [override /conditioning/generator: null, override /conditioning/discriminator: null]\n"
        "network:\n"
        "  generator: {_target_: own_variants.Generator}\n"
        "  discriminator: {_target_: own_variants.Discriminator}\n"
    ),
}
CHOICES = {
    "loss=exponential": lambda gan: gan.loss,
    "penalty=slope": lambda gan: gan.penalty,
    "network=linear": lambda gan: gan.generator,
    "metric=[lightness]": None,
}


@pytest.fixture
def own_config(tmp_path, monkeypatch, compose):
    """Composes the configuration of a run with the folder of the package's yaml files."""
    (tmp_path / "own_variants.py").write_text(PYTHON, encoding="utf-8")
    for name, text in YAML.items():
        path = tmp_path / "configs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda *words: compose(f"hydra.searchpath=[file://{tmp_path}/configs]", *words)
    sys.modules.pop("own_variants", None)


def train(config):
    validate(config)
    trainer, gan, data = build(config)
    for callback in trainer.callbacks:
        if hasattr(callback, "configure"):
            callback.configure({})
    trainer.fit(gan, data)
    return trainer, gan


@pytest.mark.train
@pytest.mark.parametrize("choice", CHOICES)
def test_each_variant_trains_when_chosen_by_one_word(own_config, choice):
    scored = choice.startswith("metric")
    callbacks = "callback=[metrics_logger,evaluation,run_info]" if scored else "callback=[metrics_logger,run_info]"
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", callbacks, *(() if scored else ("metric=[]",)))
    config = own_config(choice, *few)
    trainer, gan = train(config)
    assert trainer.global_step == 2
    if scored:
        (evaluation,) = (each for each in trainer.callbacks if hasattr(each, "results"))
        assert any(name.startswith("lightness") for name in evaluation.results)
    else:
        assert type(CHOICES[choice](gan)).__module__ == "own_variants"


@pytest.mark.train
def test_a_data_set_decides_classes_and_shape_of_all_others(own_config):
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "callback=[metrics_logger,evaluation,run_info]")
    config = own_config("data=stripes", "metric=[lightness]", *few)
    assert config.dataset == {
        **{"name": "stripes", "class_names": ["upright", "level", "none"], "num_classes": 3},
        **{"channels": 1, "size": 16, "flips": False},
    }
    trainer, gan = train(config)
    assert gan.generator(torch.randn(3, gan.latent_dim), torch.arange(3)).shape == (3, 1, 16, 16)
    (evaluation,) = (each for each in trainer.callbacks if hasattr(each, "results"))
    (result,) = evaluation.results.values()
    assert result["floor"] == pytest.approx(255 / 4 * 2 / 3, rel=0.05)  # a quarter of two of three classes is white


@pytest.mark.parametrize(("where", "network"), [("discriminator", "discriminator"), ("both", "generator")])
def test_spectral_norm_is_refused_only_where_a_network_does_not_support_it(own_config, where, network):
    config = own_config("network=linear", f"spectral_norm={where}", "callback=[]", "metric=[]")
    with pytest.raises(Exception, match="spectral_norm") as error:
        build(config)
    (line,) = format_error(error.value, config).splitlines()
    assert line.startswith(f"error: network.{network}")
    assert "spectral_norm" in line


def test_an_own_network_for_other_images_is_refused_by_name(own_config):
    """It makes images of 28 x 28 in ten classes, knows no ``num_classes``, and runs on real values."""
    config = own_config("network=linear", "callback=[]", "metric=[]")
    gan = _build_gan(config, weights=False)
    assert gan.generator.num_classes == 10
    check_networks(gan.generator, gan.discriminator, GARMENTS)
    small = DatasetInfo("digits", GARMENTS.class_names, size=16)
    with pytest.raises(InvalidValueError, match=r"^network\.generator makes .* \[N, 1, 28, 28\], .*digits"):
        check_networks(gan.generator, gan.discriminator, small)
    config.dataset = (many := DatasetInfo("letters", tuple("abcdefghijklmno"))).as_config()
    gan = _build_gan(config, weights=False)
    assert gan.generator.num_classes == 15
    with pytest.raises(InvalidValueError, match=r"^network\.generator cannot process .*letters") as error:
        check_networks(gan.generator, gan.discriminator, many)
    assert "\n" not in str(error.value)


@pytest.fixture
def own_run(own_config, tmp_path):
    """A run folder whose networks are of the package, which is then no longer imported; and its GAN."""
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "metric=[]", "loss=exponential")
    config = own_config("network=linear", *few, "callback=[metrics_logger,checkpointing,run_info]")
    trainer, gan, data = build(config)
    for callback in trainer.callbacks:
        if hasattr(callback, "configure"):
            callback.configure(OmegaConf.to_container(config, resolve=True))
    trainer.fit(gan, data)
    del sys.modules["own_variants"]
    return tmp_path / "run", gan


@pytest.mark.train
def test_a_run_with_own_networks_is_loaded_if_its_package_is_trusted(own_run, tmp_path):
    run, gan = own_run
    trust = {"trust": ["own_variants"]}
    for load in (load_generator, load_discriminator):
        with pytest.raises(UserError, match=r"own_variants\..*is refused, .* give trust=\[own_variants\]") as error:
            load(run)
        assert "\n" not in str(error.value)
    assert "own_variants" not in sys.modules
    generator = load_generator(run, **trust)
    assert generator.sample(n_per_class=1).images.shape == (10, 28, 28)
    latents, labels = torch.randn(10, 6), torch.arange(10)
    with torch.no_grad():
        expected = gan.ema.calibrated()(latents, labels)
        assert torch.equal(generator.network(latents, labels), expected)
    assert load_generator(run, weights="raw", **trust).network.num_classes == 10
    file = tmp_path / "own.safetensors"
    write_generator(file, generator.network.state_dict(), generator.about)
    with pytest.raises(UserError, match=r"give trust=\[own_variants\]"):
        load_generator(file)
    assert torch.equal(load_generator(file, **trust).network(latents, labels), expected)
    discriminator = load_discriminator(run, **trust)
    images = np.zeros((10, 28, 28), np.uint8)
    expected = gan.discriminator(-torch.ones(10, 1, 28, 28), labels).detach().numpy()
    assert np.allclose(discriminator.logits(images, labels), expected)
    assert discriminator.has_decision_boundary
