"""Networks, augmentations and regularizers, as the yaml files build them, take a step on other images than garments."""

import pytest
import torch

from fmcgan import train
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS
from fmcgan.data.info import DatasetInfo
from fmcgan.training.network_check import check_networks
from fmcgan.training.step import AdversarialStep

COLOUR = DatasetInfo("flowers", ("rose", "lily", "iris", "oxalis", "tulip"), channels=3, size=32)
SMALL = DatasetInfo("digits", tuple("0123456789"), size=16, flips=False)
INFOS = pytest.mark.parametrize("info", [GARMENTS, COLOUR, SMALL], ids=lambda info: info.name)


@pytest.fixture
def gan_of(compose):
    """Builds a GAN for a data set from the yaml files."""

    def gan_of(info, *overrides, weights=True):
        config = compose("network.width=8", *overrides)
        config.dataset = info.as_config()
        torch.manual_seed(0)
        return train._build_gan(config, weights)

    return gan_of


def take_step(gan, info, n=6):
    """Updates both networks once, with the penalty; returns the metrics."""
    step = AdversarialStep(
        *(gan.generator, gan.discriminator, gan.loss, gan.penalty, *gan.configure_optimizers()),
        augmentation=gan.augmentation,
        regularizer=gan.regularizer,
    )
    real, labels = torch.rand(n, *info.shape) * 2 - 1, torch.arange(n) % info.num_classes
    return step(real, labels, torch.randn(n, gan.latent_dim), torch.rand(n, 1, 1, 1))


def check_step(gan, info):
    before = [each.detach().clone() for each in gan.generator.parameters()]
    metrics = take_step(gan, info)
    assert all(value.isfinite() for value in metrics.values())
    assert any(not torch.equal(*each) for each in zip(before, gan.generator.parameters(), strict=True))
    images = gan.generator(torch.randn(2, gan.latent_dim), torch.tensor([0, info.num_classes - 1]))
    assert images.shape == (2, *info.shape)


@INFOS
@pytest.mark.parametrize("network", ["conv", "dcgan", "mlp", "resnet", "r3"])
def test_every_network_takes_a_step(gan_of, network, info):
    check_step(gan_of(info, f"network={network}"), info)


@INFOS
@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [
        ("concatenation", "auxiliary_classifier"),
        ("conditional_batch_norm", "concatenation"),
        ("embedding_product", "label_map"),
        ("shared_embedding", "projection"),
    ],
)
def test_every_conditioning_takes_a_step(gan_of, generator, discriminator, info):
    ways = (f"conditioning/generator={generator}", f"conditioning/discriminator={discriminator}")
    check_step(gan_of(info, *ways), info)


@INFOS
@pytest.mark.parametrize(
    "parts",
    [
        ("augment=diff_augment", "regularizer=consistency", "regularizer.images=both"),
        ("augment=adaptive", "regularizer=lecam", "penalty=wgan_gp"),
    ],
)
def test_augmentations_and_regularizers_take_a_step(gan_of, parts, info):
    check_step(gan_of(info, *parts), info)


@INFOS
@pytest.mark.parametrize("network", ["conv", "dcgan", "mlp", "resnet", "r3"])
def test_networks_of_the_yaml_files_fit_every_data_set(gan_of, network, info):
    gan = gan_of(info, f"network={network}", weights=False)
    check_networks(gan.generator, gan.discriminator, info)
    assert gan.generator.training
    assert gan.discriminator.training


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["network.generator.channels=1"], r"^network\.generator makes images of shape \[N, 1, 32, 32\].*flowers"),
        (["network.generator.image_size=28"], r"^network\.generator makes .* \[N, 3, 28, 28\], .* \[N, 3, 32, 32\];"),
        (
            ["network.generator.conditioning.num_classes=10"],
            r"^network\.generator has 10 classes, but data set flowers has 5; .*num_classes: \$\{dataset.num_classes\}",
        ),
        (["network.discriminator.conditioning.num_classes=4"], r"^network\.discriminator has 4 classes"),
        (
            ["network.discriminator.conditioning.channels=1"],
            r"^network\.discriminator cannot process .* 32, 32\]",
        ),
        (["network.discriminator.image_size=64"], r"^network\.discriminator cannot process"),
        (["network=mlp", "network.width=16", "network.discriminator.num_classes=9"], r"^network\.discriminator has 9"),
    ],
)
@pytest.mark.parametrize("weights", [True, False])
def test_networks_for_other_images_are_refused_in_one_line(gan_of, overrides, message, weights):
    gan = gan_of(COLOUR, *overrides, weights=weights)
    with pytest.raises(InvalidValueError, match=message) as error:
        check_networks(gan.generator, gan.discriminator, COLOUR)
    assert "\n" not in str(error.value)
    assert gan.generator.training
    assert gan.discriminator.training


def test_checking_draws_no_random_numbers_and_changes_no_statistics(gan_of):
    gan = gan_of(COLOUR)
    before, state = torch.get_rng_state(), {name: each.clone() for name, each in gan.state_dict().items()}
    check_networks(gan.generator, gan.discriminator, COLOUR)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(each, state[name]) for name, each in gan.state_dict().items())
