"""Truncation towards the means of the classes."""

import logging

import pytest
import torch
from torch import nn

from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.conditional_batch_norm import ConditionalBatchNorm
from fmcgan.conditioning.generator.embedding_product import EmbeddingProduct
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.network import conv, dcgan, mlp, r3, resnet
from fmcgan.network.base import LayeredGenerator
from fmcgan.training.sampling import render, sample_classes
from fmcgan.training.truncation import BEST, LOWEST, TruncatedGenerator, check_truncation, class_means

Z = 6


class Squares(LayeredGenerator):
    """Its first layer gives (z + label)^2, whose mean is label^2 + mean z^2, and z itself, whose mean is 0."""

    latent_dim, num_classes = Z, 3

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def first_layer(self, latent, labels):
        return self.scale * (latent + labels[:, None]).square(), latent, labels

    def later_layers(self, *hidden):
        squares, latent, labels = hidden
        assert not labels.is_floating_point()
        return torch.stack([squares, latent], 1)[:, None] / 1000


class Foreign(nn.Module):
    """A network of another package: of its latent vectors it knows only how long they are."""

    latent_dim = Z

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, latent, labels):
        return (self.scale * latent / 10)[:, None, None, :]


def generators():
    torch.manual_seed(0)
    made = {
        "shared embedding": dcgan.Generator(SharedEmbedding(Z), width=8, refine=True),
        "batch norm": dcgan.Generator(ConditionalBatchNorm(Z), width=8),
        "concatenation": dcgan.Generator(Concatenation(Z), width=8),
        "product": dcgan.Generator(EmbeddingProduct(Z), width=8),
        "resnet": resnet.Generator(SharedEmbedding(Z), width=8, attention=True, spectral_norm=True),
        "r3": r3.Generator(Concatenation(Z), width=16),
        "conv": conv.Generator(Z, width=8),
        "mlp": mlp.Generator(Z, width=32),
    }
    for network in made.values():
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0, 0.2)
        for _ in range(2):  # running statistics that are not their defaults
            network(torch.randn(30, Z), torch.arange(30) % 10)
    return made


@pytest.fixture(scope="module", params=["shared embedding", "batch norm", "concatenation", "product", "resnet", "r3"])
def convolutional(request):
    return generators()[request.param]


def test_means_are_those_of_the_closed_form():
    squares, latent, labels = class_means(Squares())
    assert labels is None
    assert latent.abs().max() < 1e-7  # pairs of a vector and its negative
    spread = squares[0]  # the mean of z^2: 1, by 250 independent vectors
    assert (spread - 1).abs().max() < 5 * (2 / 250) ** 0.5
    for label in (1, 2):
        torch.testing.assert_close(squares[label], spread + label**2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("psi", [0.0, 0.3, 0.8])
def test_what_the_first_layer_returns_moves_towards_its_mean(psi):
    network, latents, labels = Squares(), torch.randn(4, Z), torch.tensor([0, 1, 2, 1])
    squares, _, _ = class_means(network)
    expected = squares[labels] + psi * ((latents + labels[:, None]).square() - squares[labels])
    with torch.no_grad():
        drawn = 1000 * TruncatedGenerator(network)(latents, labels, torch.tensor(psi))
    torch.testing.assert_close(drawn[:, 0, 0], expected)
    torch.testing.assert_close(drawn[:, 0, 1], psi * latents)


@pytest.mark.parametrize("name", generators())
def test_without_truncation_every_bit_is_the_same(name):
    network = generators()[name].eval()
    latents, labels = torch.randn(12, Z), torch.arange(12) % 10
    with torch.no_grad():
        assert torch.equal(TruncatedGenerator(network)(latents, labels, torch.tensor(1.0)), network(latents, labels))
        in_steps = network.later_layers(*network.first_layer(latents, labels))
        assert torch.equal(in_steps, network(latents, labels))
    assert torch.equal(render(network, latents, labels, 1.0), render(network, latents, labels))


def test_every_generator_varies_less_and_at_0_not_at_all(convolutional):
    spread = []
    for psi in (0.0, 0.5, 0.8, 1.0):
        images, _ = sample_classes(convolutional, [2, 7], 30, seed=0, truncation=psi)
        spread.append(images.float().unflatten(0, (2, 30)).std(dim=1).mean().item())
    assert spread[0] < 0.01 * spread[-1]
    assert spread == sorted(set(spread))


def test_an_image_under_a_seed_is_always_the_same(convolutional):
    images, _ = sample_classes(convolutional, [1, 4], 20, seed=5, truncation=0.7)
    again, _ = sample_classes(convolutional, [4], 2, seed=5, truncation=0.7, first=10)
    assert (again.int() - images[30:32].int()).abs().max() <= 1
    assert not torch.equal(images, sample_classes(convolutional, [1, 4], 20, seed=5)[0])


def test_means_follow_the_weights_and_nothing_else_changes():
    network, before = Squares(), torch.get_rng_state()
    first = class_means(network)
    assert class_means(network)[0] is first[0]  # kept
    with torch.no_grad():
        network.scale.mul_(2)
    torch.testing.assert_close(class_means(network)[0], 2 * first[0])
    assert network.training
    assert torch.equal(torch.get_rng_state(), before)
    assert list(network.state_dict()) == ["scale"]  # no file gets larger


def test_a_network_of_another_package_gets_shorter_latent_vectors():
    network, latents, labels = Foreign(), torch.randn(3, Z), torch.zeros(3, dtype=torch.int64)
    with torch.no_grad():
        drawn = TruncatedGenerator(network)(latents, labels, torch.tensor(0.5))
        torch.testing.assert_close(drawn, network(0.5 * latents, labels))
    assert class_means(network) == ()


def test_less_than_what_helps_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        for psi in (1.0, BEST, LOWEST):
            check_truncation(psi)
        assert caplog.records == []
        check_truncation(LOWEST - 0.1)
    assert len(caplog.records) == 1
