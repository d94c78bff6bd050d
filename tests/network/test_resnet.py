import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fmcgan.conditioning.discriminator.label_map import LabelMap
from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.network.resnet import Discriminator, Generator


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def convolve(layer: nn.Conv2d, input):
    return F.conv2d(input, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


def double(input):
    return input.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def shaken(network):
    """Biases begin at 0, where a wrong place of theirs would not show."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter)
    return network.double()


def test_the_generator_is_that_of_the_paper_written_out():
    generator = shaken(Generator(SharedEmbedding(), width=8))
    z, y = torch.randn(6, 100, dtype=torch.float64), torch.arange(6)
    norms = iter(generator.normalisations)
    input, condition = generator.conditioning.combine(z, y)
    hidden = generator.project[0](input).view(6, 7, 7, 8).permute(0, 3, 1, 2)
    for block in (generator.to_14, generator.to_28):
        branch = convolve(block.first, double(next(norms)(hidden, condition).relu()))
        branch = convolve(block.second, next(norms)(branch, condition).relu())
        hidden = branch + convolve(block.shortcut, double(hidden))
    expected = convolve(generator.to_image, next(norms)(hidden, condition).relu()).tanh()
    assert torch.allclose(generator(z, y), expected, atol=1e-10)


def test_the_discriminator_is_that_of_the_paper_written_out():
    discriminator = shaken(Discriminator(LabelMap(), width=8))
    x, y = torch.randn(6, 1, 28, 28, dtype=torch.float64), torch.arange(6)
    first, _, second, *flat, _ = discriminator.body
    seen = discriminator.conditioning.combine(x, y)
    branch = convolve(first.second, convolve(first.first, seen).relu())
    hidden = F.avg_pool2d(branch, 2) + F.avg_pool2d(convolve(first.shortcut, seen), 2)
    branch = convolve(second.second, convolve(second.first, hidden.relu()).relu())
    hidden = F.avg_pool2d(branch, 2) + F.avg_pool2d(convolve(second.shortcut, hidden), 2)
    for block in flat:
        hidden = hidden + convolve(block.second, convolve(block.first, hidden.relu()).relu())
    assert len(flat) == 2
    assert torch.allclose(discriminator.features(seen), hidden.relu().mean(dim=(2, 3)), atol=1e-10)


def test_features_are_summed_where_spectral_normalisation_bounds_the_logits():
    discriminator = shaken(Discriminator(LabelMap(), width=8, spectral_norm=True)).eval()
    seen = discriminator.conditioning.combine(torch.randn(6, 1, 28, 28, dtype=torch.float64), torch.arange(6))
    with torch.no_grad():
        assert torch.allclose(discriminator.features(seen), discriminator.body(seen).sum(dim=(2, 3)), atol=1e-10)


@pytest.mark.parametrize(("player", "way"), [(Generator, SharedEmbedding), (Discriminator, Projection)])
def test_attention_changes_nothing_until_it_has_learnt(player, way):
    plain, attentive = player(way(), width=8), player(way(), width=8, attention=True)
    missing, unexpected = attentive.load_state_dict(plain.state_dict(), strict=False)
    assert len(missing) == 5  # four matrices and gamma
    assert not unexpected
    input, y = torch.randn((4, 100) if player is Generator else (4, 1, 28, 28)), torch.arange(4)
    assert torch.equal(plain(input, y), attentive(input, y))
    gamma = next(p for name, p in attentive.named_parameters() if name.endswith("gamma"))
    nn.init.ones_(gamma)
    assert not torch.allclose(plain(input, y), attentive(input, y))


def test_weights_are_orthogonal_and_logits_of_moderate_size():
    discriminator = Discriminator(Projection())
    layers = [m for m in discriminator.body.modules() if isinstance(m, nn.Conv2d)]
    assert len(layers) == 10
    for layer in layers:
        singular = torch.linalg.svdvals(layer.weight.detach().flatten(1))
        assert torch.allclose(singular, torch.ones_like(singular), atol=1e-4)
        assert not layer.bias.any()
    logits = discriminator(torch.randn(8, 1, 28, 28).clamp(-1, 1), torch.arange(8))
    assert 0.01 < 49 * logits.std() < 5  # means of 49 places
    assert 49 * logits.abs().max() < 10


def test_sizes_by_hand():
    def conv(inputs, outputs, size, bias=1):
        return outputs * (inputs * size * size + bias)

    generator = Generator(Concatenation(latent_dim=5, embedding_dim=3), width=8)
    up = conv(8, 8, 1) + conv(8, 8, 3, bias=0) + conv(8, 8, 3)
    expected = 10 * 3 + (8 + 1) * 8 * 49 + 2 * up + 5 * 2 * 8 + conv(8, 1, 3)
    assert sum(p.numel() for p in generator.parameters()) == expected
    discriminator = Discriminator(Projection(), width=8, attention=True)
    first = conv(1, 8, 1) + conv(1, 8, 3) + conv(8, 8, 3)
    down = conv(8, 8, 1) + 2 * conv(8, 8, 3)
    attention, head = 4 * 8 * 1 + 1, 8 + 1 + 10 * 8
    expected = first + attention + down + 2 * 2 * conv(8, 8, 3) + head
    assert sum(p.numel() for p in discriminator.parameters()) == expected
