"""Every command and part computes on the device it is told to, and mixes no tensors of two devices."""

from types import SimpleNamespace

import pytest
import torch
from hydra import compose as compose_config
from hydra import initialize_config_dir
from hydra.utils import instantiate

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.clustering.embedding import pca
from fmcgan.app.config_dir import config_dir, option_names
from fmcgan.callback.samples import SampleGrid
from fmcgan.data.garments import GARMENTS
from fmcgan.inference.generator import LabelledGenerator, load_generator
from fmcgan.metric.feature import classifier
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.train import build
from tests.second_device import SecondDevice
from tests.shapes import PETS, drawn

DEVICE = torch.device("meta")
ON_THE_CPU = {"gan_train_cnn"}  # `gan_train` has one of these networks: on a GPU it trains there, else on the CPU
SHORT = (
    *("analysis.two_sample.images_shown=128", "analysis.two_sample.occluded_per_class=1"),
    *("analysis.two_sample.patch=14", "analysis.two_sample.stride=14"),
    *("analysis.directions.n_latents=4", "analysis.directions.n_per_class=2", "analysis.directions.n_activations=100"),
    *("analysis.truncation.n=100", "analysis.truncation.n_paths=2", "analysis.truncation.psi=[0.5,1.0]"),
    *("analysis.truncation.shown=[1.0]", "analysis.interpolation.n_halfway=2", "analysis.interpolation.steps=2"),
    *("analysis.maps.fitted=60", "analysis.maps.shown=40", "analysis.maps.on_page=20", "analysis.clusters.number=2"),
)


@pytest.fixture
def device(monkeypatch):
    """A second device. Networks that were moved there have lost their weights, so nobody may find them again."""
    classifier._load.cache_clear()
    with SecondDevice() as mode:
        yield mode
    classifier._load.cache_clear()


def compose(name, *overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose_config(name, list(overrides))


def on_device(images: ImageSet) -> ImageSet:
    return ImageSet(images.images, images.labels, images.info, DEVICE)


def garments(seed: int, of_class: int) -> ImageSet:
    return on_device(drawn(GARMENTS, [of_class] * 10, seed))


@pytest.fixture
def subject(tmp_path):
    generator = load_generator().network.to(DEVICE)
    real = RealImages(garments(1, 30), garments(2, 15))
    return Subject(garments(3, 15), real, generator, None, 3, Store(tmp_path))


def test_tensors_of_two_devices_do_not_meet(device):
    there, here = torch.ones(2, device=DEVICE), torch.ones(2)
    with pytest.raises(RuntimeError, match="two devices"):
        there + here
    with pytest.raises(TypeError, match="float64"):
        there.double()
    assert (there.sum().item(), device.waits) == (1, 1)
    assert (there + here.to(DEVICE) + torch.tensor(1.0)).cpu().shape == (2,)
    assert device.networks_on_cpu == []
    torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    assert device.networks_on_cpu == [(1, 1, 3, 3)]


@pytest.mark.train
@pytest.mark.parametrize("part", option_names("analysis"))
def test_parts_of_the_analysis(subject, device, part, monkeypatch):
    """UMAP computes on the CPU in any case, and takes half a minute to compile."""
    monkeypatch.setattr("fmcgan.analysis.maps.umap", lambda fitted, others, *_: pca(fitted, others))
    if part == "training":
        pytest.skip("reads the files of a run and computes nothing on a device")
    short = [each for each in SHORT if each.startswith(f"analysis.{part}.")]
    config = compose("analyze", f"analysis=[{part}]", "metric=[frechet]", *short)
    (analysis,) = instantiate(config.analysis).values()
    analysis.fit(subject.real)
    try:
        analysis.analyse(subject)
    except NotApplicable as error:
        pytest.fail(str(error))
    assert device.networks_on_cpu == []
    assert device.operations > 0 or part in ("bias", "clusters", "spectrum")


@pytest.mark.train
def test_metrics(subject, device):
    names = [name for name in option_names("metric") if name not in ON_THE_CPU and not name.startswith("gan_train")]
    for metric in instantiate(compose("evaluate", f"metric=[{','.join(names)}]").metric).values():
        metric.fit(subject.real)
        assert metric.measure(subject.samples, subject.real)
    assert device.networks_on_cpu == []
    assert device.operations > 0


def test_feature_networks_of_colour_images(device):
    (network,) = instantiate(compose("evaluate", "metric/feature=[random]").feature).values()
    assert network.features(on_device(drawn(PETS, [2] * 5))).shape == (10, 128)


@pytest.fixture
def shipped():
    return load_generator()


def test_generated_images(shipped, device):
    generator = LabelledGenerator(shipped.network.to(DEVICE), shipped.about)
    assert generator.sample(classes=["bag"], n_per_class=3).images.shape == (3, 28, 28)
    assert device.networks_on_cpu == []


@pytest.fixture
def built():
    """A small GAN of given options, on the second device."""

    def built(*overrides):
        config = compose(
            "train", "experiment=smoke", "trainer.default_root_dir=null", "callback=[]", *overrides, "logger=[]"
        )
        data = instantiate(config.data)
        config.dataset = data.info.as_config()
        return build(config)[1].to(DEVICE)

    return built


OPTIONS = [
    f"{group}={name}"
    for group in ("augment", "loss", "network", "penalty", "regularizer", "conditioning/generator")
    for name in option_names(group)
] + [f"conditioning/discriminator={name}" for name in option_names("conditioning/discriminator")]
FITTING = {  # what an option needs beside it
    "augment=adaptive": ("loss=non_saturating",),
    "loss=wgan": ("spectral_norm=none",),  # its clipping undoes it
    "network=r3": ("network.width=32",),
}


@pytest.mark.train
@pytest.mark.parametrize("option", OPTIONS)
def test_training_steps(built, device, option):
    gan = built("spectral_norm=discriminator", option, *FITTING.get(option, ()))
    step = gan.adversarial_step(
        [torch.optim.SGD(each.parameters(), 0.1) for each in (gan.generator, gan.discriminator)]
    )
    real, labels = torch.rand(4, 1, 28, 28, device=DEVICE), torch.arange(4, device=DEVICE)
    latents, epsilon = torch.randn(4, gan.latent_dim, device=DEVICE), torch.rand(4, 1, 1, 1, device=DEVICE)
    factor = torch.full((), 0.5, device=DEVICE)
    for with_generator in (True, False):
        metrics = step(real, labels, latents, epsilon, factor, with_generator=with_generator)
    assert all(value.device == DEVICE for value in metrics.values())
    assert device.waits == 0
    gan.ema.update(gan.generator, 4, 4)
    gan.ema.calibrated()
    assert device.networks_on_cpu == []


def test_sample_grids_and_evaluation_while_training(built, device):
    gan = built()
    assert SampleGrid().images(gan, GARMENTS).shape == (10, 10, 28, 28)
    evaluation = instantiate(compose("train", "callback.evaluation.n=100").callback.evaluation)
    images = SimpleNamespace(
        train_images=torch.zeros(50, 1, 28, 28, dtype=torch.uint8, device=DEVICE),
        train_labels=torch.zeros(50, dtype=torch.int64, device=DEVICE),
        test_images=torch.zeros(50, 1, 28, 28, dtype=torch.uint8, device=DEVICE),
        test_labels=torch.zeros(50, dtype=torch.int64, device=DEVICE),
    )
    data = SimpleNamespace(images=images, info=GARMENTS)
    evaluation.setup(SimpleNamespace(is_global_zero=True, datamodule=data), gan, "fit")
    assert evaluation.measure(gan.ema.calibrated(), seed=0)
    assert device.networks_on_cpu == []
