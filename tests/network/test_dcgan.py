import pytest
import torch
from torch import nn

from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.layer.upsample import UPSAMPLINGS
from fmcgan.network.dcgan import Discriminator, Generator


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_the_generator_is_initialised_as_in_its_paper(upsampling):
    torch.manual_seed(0)
    generator = Generator(Concatenation(), upsampling=upsampling)
    maps = [m for m in generator.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    assert len(maps) == 4
    for layer in maps:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.15)
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.003)
    gains = [m.weight for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(gains) == 3
    assert all(gain.mean().item() == pytest.approx(1, abs=0.02) and gain.std() > 0 for gain in gains)


def test_sizes_by_hand():
    generator = Generator(Concatenation(latent_dim=5, embedding_dim=3), width=8)
    linear, convolutions, norms = 8 * 32 * 49, 32 * 16 * 9 + 16 * 8 * 9 + 8 * 9 + 1, 2 * (32 + 16 + 8)
    assert sum(p.numel() for p in generator.parameters()) == 10 * 3 + linear + convolutions + norms
    refined = Generator(Concatenation(latent_dim=5, embedding_dim=3), width=8, refine=True)
    added = sum(p.numel() for p in refined.parameters()) - sum(p.numel() for p in generator.parameters())
    assert added == 8 * 8 * 9 + 2 * 8  # a convolution and what normalises it
    discriminator = Discriminator(Projection(), width=8)
    convolutions = (16 + 1) * 8 + (8 * 16 + 1) * 16 + (16 * 9 + 1) * 32
    head = 32 * 16 + 1 + 10 * 32 * 16
    assert sum(p.numel() for p in discriminator.parameters()) == convolutions + head


def test_the_refining_convolution_is_the_last_but_one_and_acts_at_full_resolution():
    torch.manual_seed(0)
    generator = Generator(Concatenation(), width=8, refine=True).eval()
    maps = []
    generator.refine.register_forward_hook(lambda module, inputs, output: maps.append((inputs[0], output)))
    images = generator(torch.randn(4, 100), torch.arange(4))
    ((before, after),) = maps
    assert before.shape == after.shape == (4, 8, 28, 28)
    layer = generator.normalisations[3]
    expected = generator.to_image(torch.relu(layer(after, torch.arange(4)))).tanh()
    assert torch.allclose(images, expected)
