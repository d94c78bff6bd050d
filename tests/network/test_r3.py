import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fmcgan.app.errors import InvalidValueError
from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.conditional_batch_norm import ConditionalBatchNorm
from fmcgan.conditioning.generator.embedding_product import EmbeddingProduct
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.network.r3 import Discriminator, Generator, ResidualBlock


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_a_block_begins_as_the_identity():
    block = ResidualBlock(channels=8, inner=16, group_size=4, depth=3)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), x)
    nn.init.ones_(block.contract.weight)
    assert not torch.allclose(block(x), x)


def test_a_block_written_out():
    block = ResidualBlock(channels=2, inner=4, group_size=2, depth=3, zero_start=False).double()
    for bias in (block.expand.bias, block.mix.bias):
        nn.init.normal_(bias)
    assert block.contract.bias is None
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    wide = torch.einsum("oi,bihw->bohw", block.expand.weight[:, :, 0, 0], x) + block.expand.bias[:, None, None]
    wide = torch.where(wide > 0, wide, 0.2 * wide)
    halves = [
        F.conv2d(wide[:, pair], block.mix.weight[pair], block.mix.bias[pair], padding=1)
        for pair in (slice(0, 2), slice(2, 4))
    ]
    mixed = torch.cat(halves, dim=1)
    mixed = torch.where(mixed > 0, mixed, 0.2 * mixed)
    expected = x + torch.einsum("oi,bihw->bohw", block.contract.weight[:, :, 0, 0], mixed)
    assert torch.allclose(block(x), expected, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 16])
def test_a_block_keeps_the_variance_but_for_fixups_factor(depth):
    block = ResidualBlock(channels=128, inner=256, group_size=16, depth=depth)
    x = torch.randn(64, 128, 1, 1)
    with torch.no_grad():
        hidden = F.leaky_relu(block.expand(x), 0.2)
        assert hidden.square().mean().item() == pytest.approx(depth**-0.5, rel=0.1)
        wide = torch.randn(16, 256, 16, 16)
        mixed = F.leaky_relu(block.mix(wide), 0.2)[:, :, 1:-1, 1:-1]  # away from the zero border
        assert mixed.square().mean().item() == pytest.approx(depth**-0.5, rel=0.1)


def test_at_the_start_the_pair_is_its_shortcuts_alone():
    generator, discriminator = Generator(Concatenation(), width=8), Discriminator(Projection(), width=8)
    hidden = generator.basis(generator.conditioning.combine(torch.randn(4, 100), torch.arange(4))[0])
    outside = nn.Sequential(*(layer for place, layer in enumerate(generator.body) if place not in (0, 3, 6)))
    assert torch.equal(generator.body(hidden), outside(hidden))
    x = torch.randn(4, 1, 28, 28)
    outside = nn.Sequential(*(layer for place, layer in enumerate(discriminator.body) if place not in (1, 4, 7)))
    assert torch.equal(discriminator.body(x), outside(x))
    blocks = [m for player in (generator, discriminator) for m in player.modules() if isinstance(m, ResidualBlock)]
    assert len(blocks) == 6


def test_the_basis_is_one_image_for_each_channel_times_its_brightness():
    basis = Generator(EmbeddingProduct(latent_dim=5), width=8).basis
    input = torch.randn(3, 5)
    brightness = input @ basis.unscaled.weight.T / 5**0.5
    output = basis(input)
    assert output.shape == (3, 32, 7, 7)
    assert output.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(output[2, 20], brightness[2, 20] * basis.images[:, :, 20], atol=1e-6)


def test_adam_wears_the_latent_vector_down_no_faster_than_its_rate_says():
    """Ten steps at 2e-3 move the brightness by 2 % of its standard deviation; with weights of 0.08 it would be 25."""
    basis = Generator(Concatenation(), width=8).basis
    input = torch.randn(4096, 150)
    before = (basis.scale * basis.unscaled(input)).detach()
    assert before.std().item() == pytest.approx(1, rel=0.05)
    optimizer = torch.optim.Adam([basis.unscaled.weight], lr=2e-3, betas=(0.0, 0.99))
    for _ in range(10):
        optimizer.zero_grad()
        basis.unscaled.weight.abs().sum().backward()  # always the same way: towards 0
        optimizer.step()
    moved = (basis.scale * basis.unscaled(input)).detach() - before
    assert 0.01 < moved.std().item() < 0.025


def test_spectral_normalisation_divides_by_the_factor_already():
    basis = Generator(Concatenation(), width=8, spectral_norm=True).basis
    assert basis.scale == 1
    assert torch.linalg.matrix_norm(basis.unscaled.weight, 2).item() == pytest.approx(1, rel=0.02)  # by power iteration


def test_the_end_is_one_weighted_sum_over_each_map():
    discriminator = Discriminator(Projection(), width=8)
    x = torch.randn(3, 1, 28, 28)
    last = discriminator.body[:-2](x)
    assert last.shape == (3, 32, 7, 7)
    expected = (last * discriminator.body[-2].weight[:, 0]).sum(dim=(2, 3))
    assert torch.allclose(discriminator.features(x), expected, atol=1e-5)


def test_resampling_is_bilinear_and_commutes_with_the_change_of_channels():
    generator, discriminator = Generator(Concatenation(), width=8), Discriminator(Projection(), width=8)
    change, up = generator.body[1], generator.body[2]
    x = torch.randn(2, 32, 7, 7)
    expected = change(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
    assert torch.allclose(up(change(x)), expected, atol=1e-5)
    down, change = discriminator.body[2], discriminator.body[3]
    x = torch.randn(2, 8, 28, 28)
    expected = F.interpolate(change(x), scale_factor=0.5, mode="bilinear", align_corners=False)
    assert torch.allclose(change(down(x)), expected, atol=1e-5)


def test_sizes_by_hand():
    def block(channels):
        inner = 2 * channels
        return (channels + 1) * inner + (16 * 9 + 1) * inner + inner * channels

    blocks, changes = block(32) + block(16) + block(8), 32 * 16 + 16 * 8
    generator = Generator(Concatenation(latent_dim=5, embedding_dim=3), width=8)
    expected = 10 * 3 + (5 + 3) * 32 + 32 * 49 + blocks + changes + 8
    assert sum(p.numel() for p in generator.parameters()) == expected
    discriminator = Discriminator(Projection(), width=8, blocks=2)
    expected = 8 + 2 * blocks + changes + 32 * 49 + 32 + 1 + 10 * 32
    assert sum(p.numel() for p in discriminator.parameters()) == expected


def test_it_has_no_normalisation_layer():
    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
    players = Generator(Concatenation(), width=8), Discriminator(Projection(), width=8)
    assert not any(isinstance(module, norms) for player in players for module in player.modules())


def test_no_block_begins_at_zero_under_spectral_normalisation():
    """A weight of 0 has no size to be divided by."""
    generator = Generator(Concatenation(), width=8, spectral_norm=True)
    assert all(m.contract.weight.any() for m in generator.modules() if isinstance(m, ResidualBlock))
    assert generator(torch.randn(4, 100), torch.arange(4)).isfinite().all()


@pytest.mark.parametrize("way", [ConditionalBatchNorm, SharedEmbedding])
def test_a_label_that_enters_by_normalisation_only_is_refused(way):
    with pytest.raises(InvalidValueError, match=f"concatenation or embedding_product .* got {way.__name__}"):
        Generator(way())


@pytest.mark.parametrize("options", [{"group_size": 48}, {"width": 12}])
@pytest.mark.parametrize(("player", "way"), [(Generator, Concatenation), (Discriminator, Projection)])
def test_groups_must_come_out_even(player, way, options):
    with pytest.raises(InvalidValueError, match="expansion \\* width must be a multiple of group_size"):
        player(way(), **options)


@pytest.mark.parametrize("name", ["width", "blocks", "expansion", "group_size"])
def test_sizes_are_checked(name):
    with pytest.raises(InvalidValueError, match=f"{name} must be a whole number of at least 1, got 0"):
        Generator(Concatenation(), **{name: 0})
