import pytest
import torch

from fmcgan.network import conv, dcgan, mlp

PAIRS = [conv, dcgan, mlp]
SMALL = {conv: {"width": 8}, dcgan: {"width": 8}, mlp: {"width": 64}}


@pytest.mark.parametrize("module", PAIRS)
def test_shapes_ranges_and_sizes_from_arguments(module):
    generator = module.Generator(latent_dim=7, embedding_dim=3, **SMALL[module])
    labels = torch.arange(10).repeat(2)
    images = generator(3 * torch.randn(20, 7), labels)
    assert images.shape == (20, 1, 28, 28)
    assert images.abs().max() <= 1
    logits = module.Discriminator(**SMALL[module])(images, labels)
    assert logits.shape == (20,)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("module", PAIRS)
def test_the_label_matters_to_both_players(module):
    torch.manual_seed(0)
    generator, discriminator = module.Generator(**SMALL[module]).eval(), module.Discriminator(**SMALL[module]).eval()
    z, zeros, ones = torch.randn(4, 100), torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    images = generator(z, zeros)
    assert not torch.allclose(images, generator(z, ones))
    assert not torch.allclose(discriminator(images, zeros), discriminator(images, ones))


@pytest.mark.parametrize("module", PAIRS)
def test_discriminators_give_logits_without_bound(module):
    torch.manual_seed(0)
    discriminator = module.Discriminator(**SMALL[module]).eval()
    logits = discriminator(1e4 * torch.randn(8, 1, 28, 28), torch.zeros(8, dtype=torch.int64))
    assert logits.abs().max() > 1  # a sigmoid would stop at 1


@pytest.mark.parametrize("module", PAIRS)
def test_discriminators_judge_each_sample_alone(module):
    """What the gradient penalties rest on."""
    torch.manual_seed(0)
    discriminator = module.Discriminator(**SMALL[module]).eval()
    x, y = torch.randn(4, 1, 28, 28), torch.tensor([0, 1, 2, 3])
    assert torch.allclose(discriminator(x, y)[:1], discriminator(x[:1], y[:1]), atol=1e-6)


def test_recipe_a_has_the_size_it_was_published_with():
    """About 3.4 M + 0.65 M parameters at 256 channels."""
    assert sum(p.numel() for p in conv.Generator().parameters()) == 3_384_248
    assert sum(p.numel() for p in conv.Discriminator().parameters()) == 647_973


def test_recipe_b_has_the_layers_it_was_published_with():
    sizes = [layer.weight.shape for layer in mlp.Generator().layers if isinstance(layer, torch.nn.Linear)]
    assert [tuple(size) for size in sizes] == [(128, 110), (256, 128), (512, 256), (1024, 512), (784, 1024)]
    sizes = [layer.weight.shape for layer in mlp.Discriminator().layers if isinstance(layer, torch.nn.Linear)]
    assert [tuple(size) for size in sizes] == [(1024, 794), (512, 1024), (256, 512), (128, 256), (1, 128)]


def test_dcgan_is_initialised_as_in_its_paper():
    torch.manual_seed(0)
    generator = dcgan.Generator()
    weights = [m.weight for m in generator.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert all(abs(w.std().item() - 0.02) < 0.001 and abs(w.mean().item()) < 0.001 for w in weights)
    assert all(
        m.weight.mean().item() == pytest.approx(1, abs=0.02)
        for m in generator.modules()
        if isinstance(m, torch.nn.BatchNorm2d)
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: dcgan.Generator(width=0), "width must be a whole number of at least 1, got 0"),
        (lambda: dcgan.Generator(latent_dim="many"), "latent_dim must be a whole number of at least 1, got 'many'"),
        (lambda: mlp.Generator(width=100), "width must be a multiple of 8"),
        (lambda: conv.Discriminator(dropout=1.5), "dropout must be a number from 0 to 1, got 1.5"),
    ],
)
def test_wrong_sizes_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
