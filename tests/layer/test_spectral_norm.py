import copy
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.layer.resampled_conv import PooledConv2d, UpsampledConv2d
from fmcgan.layer.spectral_norm import measure_norms, normalise_spectrally
from fmcgan.network.dcgan import Discriminator

SHAPES = {
    "linear": lambda: nn.Linear(12, 7),
    "embedding": lambda: nn.Embedding(10, 6),
    "conv": lambda: nn.Conv2d(3, 8, 3),
    "grouped": lambda: nn.Conv2d(8, 8, 3, groups=4),
    "transposed": lambda: nn.ConvTranspose2d(5, 4, 4, stride=2),
    "pooled": lambda: PooledConv2d(3, 8),
    "upsampled": lambda: UpsampledConv2d(3, 8),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def matrix(layer: nn.Module):
    """A row for each output, as in the paper."""
    weight = layer.weight.detach()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_largest_singular_value_becomes_one(kind):
    layer = SHAPES[kind]()
    nn.init.normal_(layer.weight, 0.0, 3.0)
    direction, bias = matrix(layer), None if kind == "embedding" else layer.bias.detach().clone()
    normalise_spectrally(layer)
    for _ in range(100):
        matrix(layer)  # each look at the weight is a forward pass's power iteration
    singular = torch.linalg.svdvals(matrix(layer))
    assert singular[0].item() == pytest.approx(1, abs=1e-3)
    assert torch.allclose(matrix(layer), direction / torch.linalg.svdvals(direction)[0], atol=1e-3)
    assert bias is None or torch.equal(layer.bias, bias)


def test_a_whole_network_after_enough_forward_passes():
    discriminator = Discriminator(Projection(), width=4)
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter)
    normalise_spectrally(discriminator)
    x, y = torch.randn(2, 1, 28, 28), torch.tensor([3, 8])
    with torch.no_grad():
        for _ in range(150):
            discriminator(x, y)
    discriminator.eval()
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(layers) == 5
    for layer in layers:
        assert torch.linalg.svdvals(matrix(layer))[0].item() == pytest.approx(1, abs=1e-3)


def test_evaluation_changes_nothing():
    layer = nn.Linear(12, 7)
    normalise_spectrally(layer)
    layer.eval()
    before = copy.deepcopy(layer.state_dict())
    x = torch.randn(3, 12)
    assert torch.equal(layer(x), layer(x))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_the_gradient_is_that_of_the_normalised_weight():
    """Miyato et al. 2018, eq. 11 and 12: for W = diag(3, 1) and the loss W'[1, 1], d/dW is (1 - u v^T W'[1, 1]) / 3."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
    normalise_spectrally(layer)
    layer.weight[1, 1].backward()
    expected = torch.tensor([[-1 / 9, 0.0], [0.0, 1 / 3]])
    assert torch.allclose(layer.parametrizations.weight.original.grad, expected, atol=1e-4)


def test_state_dicts_go_round():
    network, other = (Discriminator(Projection(), width=4, spectral_norm=True) for _ in range(2))
    x, y = torch.randn(3, 1, 28, 28), torch.tensor([0, 1, 2])
    network(x, y)
    network.eval(), other.eval()
    assert not torch.allclose(network(x, y), other(x, y))
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(x, y), other(x, y))
    assert torch.equal(network(x, y), copy.deepcopy(network)(x, y))


def test_what_is_excepted_stays():
    network = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Sequential(nn.Linear(3, 3), nn.Embedding(3, 3))})
    before = copy.deepcopy(network["b"].state_dict())
    normalise_spectrally(network, except_for=[network["b"]])
    assert hasattr(network["a"], "parametrizations")
    assert list(network["b"].state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in network["b"].state_dict().items())


def test_normalisation_layers_stay():
    norm = nn.BatchNorm2d(4)
    normalise_spectrally(norm)
    assert type(norm) is nn.BatchNorm2d


def test_measured_norms_are_those_of_weights_that_have_just_been_set():
    network = nn.Sequential(nn.Linear(12, 7), nn.BatchNorm1d(7), nn.Linear(7, 5))
    normalise_spectrally(network[0])
    network.eval()
    nn.init.normal_(network[0].parametrizations.weight.original)
    plain = copy.deepcopy(network[2].state_dict())
    assert abs(torch.linalg.svdvals(network[0].weight)[0].item() - 1) > 0.1  # divided by the norm of others
    measure_norms(network)
    assert torch.linalg.svdvals(network[0].weight)[0].item() == pytest.approx(1, abs=0.01)
    assert not any(module.training for module in network.modules())
    assert all(torch.equal(value, plain[name]) for name, value in network[2].state_dict().items())


def test_autocast_of_a_gpu_does_not_round_the_norm():
    """Unlike a CPU, a GPU multiplies matrix and vector in bfloat16 under autocast; fake tensors have its rules."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        layer = nn.Linear(12, 7, device="cuda")
        inputs = torch.empty(3, 12, device="cuda")
        product = lambda: torch.mv(layer.weight, inputs[0])  # noqa: E731
        normalise_spectrally(layer)
        with autocast_of_cuda():
            assert product().dtype == torch.bfloat16  # what the norm must not do
            assert layer.weight.dtype == torch.float32
            assert layer(inputs).dtype == torch.bfloat16


@contextmanager
def autocast_of_cuda():
    """As `torch.autocast`, which does nothing where there is no GPU."""
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()
