"""What every pair of networks must do."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from fmcgan.conditioning.discriminator.auxiliary_classifier import AuxiliaryClassifier
from fmcgan.conditioning.discriminator.concatenation import Concatenation as HeadConcatenation
from fmcgan.conditioning.discriminator.label_map import LabelMap
from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.conditional_batch_norm import ConditionalBatchNorm
from fmcgan.conditioning.generator.embedding_product import EmbeddingProduct
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.network import conv, dcgan, mlp, r3, resnet

PAIRS = [conv, dcgan, mlp, resnet, r3]
CONDITIONED = [dcgan, resnet, r3]
WIDTH = {conv: 8, dcgan: 8, mlp: 64, resnet: 8, r3: 8}
IN_GENERATOR = [Concatenation, EmbeddingProduct, ConditionalBatchNorm, SharedEmbedding]
IN_DISCRIMINATOR = [AuxiliaryClassifier, HeadConcatenation, LabelMap, Projection]
GENERATORS = [(conv, None), (mlp, None)]
GENERATORS += [(module, way) for module in CONDITIONED for way in IN_GENERATOR if way.at_input or module is not r3]
DISCRIMINATORS = [(conv, None), (mlp, None)] + [(module, way) for module in CONDITIONED for way in IN_DISCRIMINATOR]


def generator_of(module, latent_dim=100, way=None, **options):
    if module in (conv, mlp):
        return module.Generator(latent_dim=latent_dim, width=WIDTH[module], **options)
    way = way or (Concatenation if module is r3 else SharedEmbedding)
    return module.Generator(way(latent_dim), width=WIDTH[module], **options)


def discriminator_of(module, way=Projection, **options):
    if module in (conv, mlp):
        return module.Discriminator(width=WIDTH[module], **options)
    return module.Discriminator(way(), width=WIDTH[module], **options)


def wake(network):
    """Gives parameters that begin at 0, behind which nothing has a gradient yet, another value."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return network


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("module", PAIRS)
def test_shapes_ranges_and_sizes_from_arguments(module):
    generator = generator_of(module, latent_dim=7)
    assert (generator.latent_dim, generator.num_classes) == (7, 10)
    labels = torch.arange(10).repeat(2)
    images = generator(3 * torch.randn(20, 7), labels)
    assert images.shape == (20, 1, 28, 28)
    assert images.abs().max() <= 1
    logits = discriminator_of(module)(images, labels)
    assert logits.shape == (20,)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("module", PAIRS)
def test_the_label_matters_to_both_players(module):
    generator, discriminator = generator_of(module).eval(), discriminator_of(module).eval()
    z, zeros, ones = torch.randn(4, 100), torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    images = generator(z, zeros)
    assert not torch.allclose(images, generator(z, ones))
    assert not torch.allclose(discriminator(images, zeros), discriminator(images, ones))


@pytest.mark.parametrize("module", PAIRS)
def test_discriminators_give_logits_without_bound(module):
    discriminator = discriminator_of(module).eval()
    logits = discriminator(1e4 * torch.randn(8, 1, 28, 28), torch.zeros(8, dtype=torch.int64))
    assert logits.abs().max() > 1  # a sigmoid would stop at 1


@pytest.mark.parametrize("module", PAIRS)
def test_discriminators_judge_each_sample_alone(module):
    """What the gradient penalties rest on: in training, no logit has a gradient at another sample's image."""
    discriminator = wake(discriminator_of(module))
    x = torch.randn(4, 1, 28, 28, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x, torch.tensor([0, 1, 2, 3]))[1], x)
    assert gradient[1].any()
    assert not gradient[[0, 2, 3]].any()


@pytest.mark.parametrize(("module", "way"), GENERATORS)
def test_gradients_reach_all_parameters_of_the_generator(module, way):
    generator = wake(generator_of(module, way=way, **({"attention": True} if module is resnet else {})))
    images = generator(torch.randn(20, 100), torch.arange(20) % 10)
    (images * torch.randn_like(images)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in generator.parameters())


@pytest.mark.parametrize(("module", "way"), DISCRIMINATORS)
def test_gradients_reach_all_parameters_of_the_discriminator(module, way):
    discriminator = wake(discriminator_of(module, way, **({"attention": True} if module is resnet else {})))
    images, labels = torch.randn(20, 1, 28, 28), torch.arange(20) % 10
    loss = discriminator(images, labels) @ torch.randn(20)
    if way is AuxiliaryClassifier:
        loss = loss + discriminator.logits_and_auxiliary(images, labels).auxiliary.sum()
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in discriminator.parameters())


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("module", PAIRS)
def test_second_derivatives_agree_with_differences(module, spectral_norm):
    """R1's derivative along a random direction of the weights, in double precision, channels last."""
    options = {"attention": True} if module is resnet else {}
    discriminator = wake(discriminator_of(module, spectral_norm=spectral_norm, **options)).eval().double()
    discriminator.to(memory_format=torch.channels_last)
    x, y = torch.randn(3, 1, 28, 28, dtype=torch.float64, requires_grad=True), torch.tensor([0, 1, 2])
    parameters = list(discriminator.parameters())
    direction = [torch.randn_like(parameter) for parameter in parameters]

    def penalty():
        (gradient,) = torch.autograd.grad(discriminator(x, y).sum(), x, create_graph=True)
        return gradient.square().sum()

    gradients = torch.autograd.grad(penalty(), parameters, allow_unused=True, materialize_grads=True)
    expected = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True)).item()
    values = []
    for step in (1e-9, -2e-9):  # so small that hardly any unit passes the kink of its (leaky) ReLU
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=step)
        values.append(penalty().item())
    assert expected != 0
    assert (values[0] - values[1]) / 2e-9 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("module", PAIRS)
def test_half_precision_and_channels_last_change_little(module, spectral_norm):
    options = {"attention": True} if module is resnet else {}
    for build, shape in ((generator_of, (20, 100)), (discriminator_of, (20, 1, 28, 28))):
        network = wake(build(module, spectral_norm=spectral_norm, **options)).eval()
        last = copy.deepcopy(network).to(memory_format=torch.channels_last)
        input, labels = torch.randn(shape), torch.arange(20) % 10
        with torch.no_grad():
            expected = network(input, labels)
            assert torch.allclose(last(input, labels), expected, atol=1e-5, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            output = last(input, labels)
            output.float().square().sum().backward()
        deviation = (output.float() - expected).square().mean().sqrt() / expected.square().mean().sqrt()
        assert deviation < 0.05
        assert all(p.grad is not None and p.grad.isfinite().all() for p in last.parameters())


@pytest.mark.parametrize(("module", "way"), GENERATORS)
def test_spectral_norm_leaves_labels_and_normalisation_layers_of_the_generator_alone(module, way):
    generator = generator_of(module, way=way, spectral_norm=True)
    assert generator(torch.randn(20, 100), torch.arange(20) % 10).isfinite().all()
    assert any(name.endswith("weight.original") for name, _ in generator.named_parameters())
    left = [m for m in generator.modules() if isinstance(m, nn.Embedding)]
    if module in CONDITIONED:
        norms = getattr(generator, "normalisations", nn.Identity())
        left += [m for part in (generator.conditioning, norms) for m in part.modules()]
    assert left
    assert not any(hasattr(m, "parametrizations") for m in left)


# Of each network or way, the layers that the label alone passes through. Projection's embedding is none of them: it
# multiplies the features, so its size is part of how fast the output follows the image.
LABEL_ALONE = {
    conv: {"label_plane.0", "label_plane.1"},
    mlp: {"embedding"},
    AuxiliaryClassifier: set(),
    HeadConcatenation: {"head.embedding"},
    LabelMap: {"conditioning.plane.0", "conditioning.plane.1"},
    Projection: set(),
}


@pytest.mark.parametrize(("module", "way"), DISCRIMINATORS)
def test_spectral_norm_leaves_labels_of_the_discriminator_alone(module, way):
    options = {"attention": True} if module is resnet else {}
    discriminator = discriminator_of(module, way, spectral_norm=True, **options)
    assert discriminator(torch.randn(20, 1, 28, 28), torch.arange(20) % 10).isfinite().all()
    maps = nn.Linear, nn.Embedding, nn.Conv2d
    layers = {name: layer for name, layer in discriminator.named_modules() if isinstance(layer, maps)}
    plain = {name for name, layer in layers.items() if not is_parametrized(layer)}
    assert plain == LABEL_ALONE[way or module]
    assert len(layers) - len(plain) >= 3
    embeddings = [layer for layer in layers.values() if isinstance(layer, nn.Embedding)]
    assert [is_parametrized(each) for each in embeddings] == ([] if way is AuxiliaryClassifier else [way is Projection])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: dcgan.Generator(SharedEmbedding(), width=0), "width must be a whole number of at least 1, got 0"),
        (lambda: resnet.Discriminator(Projection(), width=1.5), "width must be a whole number of at least 1, got 1.5"),
        (lambda: conv.Generator(latent_dim="many"), "latent_dim must be a whole number of at least 1, got 'many'"),
        (lambda: mlp.Generator(width=100), "width must be a multiple of 8"),
        (lambda: conv.Discriminator(dropout=1.5), "dropout must be a number from 0 to 0.99, got 1.5"),
        (lambda: dcgan.Generator(SharedEmbedding(), upsampling="cubic"), "nearest, bilinear, transposed, got 'cubic'"),
    ],
)
def test_wrong_values_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
