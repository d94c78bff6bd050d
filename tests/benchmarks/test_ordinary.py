import copy

import pytest
import torch

from benchmarks.ordinary import OrdinaryLoop, PerImageData, contiguous
from fmcgan.data.images import to_float
from fmcgan.layer.layout import ToMap, ToVector
from fmcgan.training.step import AdversarialStep


@pytest.mark.parametrize("loss", ["non_saturating_r1", "wgan_gp"])
@pytest.mark.parametrize("network", ["dcgan", "mlp"])
def test_its_first_loss_is_that_of_the_projects_step(tiny, network, loss):
    setting = tiny()
    dropout = ["network.dropout=0"] if network == "mlp" else []
    gan = setting.gan(f"network={network}", f"loss={loss}", "penalty.interval=1", *dropout)
    images, labels = setting.images.train_images, setting.images.train_labels
    ordinary = OrdinaryLoop(gan, images, labels, setting.batch_size)
    players = copy.deepcopy(ordinary.generator), copy.deepcopy(ordinary.discriminator)
    step = AdversarialStep(*players, gan.loss, gan.penalty, *(torch.optim.Adam(each.parameters()) for each in players))
    real, labels = to_float(images[:8]), labels[:8]

    torch.manual_seed(0)
    discriminator_loss, _ = ordinary.step(real, labels)
    torch.manual_seed(0)
    metrics = step(real, labels, torch.randn(8, gan.latent_dim), torch.rand(8, 1, 1, 1))
    assert discriminator_loss == pytest.approx(metrics["loss/discriminator"].item(), rel=1e-5)


def test_both_players_learn_and_the_gan_it_was_made_of_does_not(tiny):
    setting = tiny()
    gan = setting.gan()
    before = copy.deepcopy(gan.state_dict())
    loop = OrdinaryLoop(gan, setting.images.train_images, setting.images.train_labels, setting.batch_size)
    players = [copy.deepcopy(each.state_dict()) for each in (loop.generator, loop.discriminator)]
    loop.run(2)
    for player, old in zip((loop.generator, loop.discriminator), players, strict=True):
        assert any(not torch.equal(value, old[name]) for name, value in player.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in gan.state_dict().items())


def test_its_optimizers_are_plain_adam_with_the_recipes_settings(tiny):
    setting = tiny()
    loop = OrdinaryLoop(setting.gan(), setting.images.train_images, setting.images.train_labels, 8)
    for optimizer in (loop.generator_optimizer, loop.discriminator_optimizer):
        assert type(optimizer) is torch.optim.Adam
        assert optimizer.defaults["lr"] == 2e-3
        assert tuple(optimizer.defaults["betas"]) == (0.0, 0.99)
        assert not optimizer.defaults["fused"]


def test_images_come_out_as_from_the_projects_own_conversion(tiny):
    images = tiny().images
    image, label = PerImageData(images.train_images, images.train_labels)[3]
    assert torch.allclose(image, to_float(images.train_images[3]), atol=1e-6)
    assert label == images.train_labels[3]


@pytest.mark.parametrize("network", ["dcgan", "conv", "mlp"])
def test_its_maps_lie_channel_by_channel(tiny, network):
    gan = tiny().gan(f"network={network}")
    for player in (gan.generator, gan.discriminator):
        plain = contiguous(player)
        assert not any(isinstance(module, ToMap | ToVector) for module in plain.modules())
        assert all(parameter.is_contiguous() for parameter in plain.parameters())
    images = contiguous(gan.generator)(torch.randn(4, gan.latent_dim), torch.arange(4))
    assert images.shape == (4, 1, 28, 28)
