"""Ways through the latent space, and that what is said of a network holds for every network of this project."""

import math

import pytest
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.interpolation import class_pairs
from fmcgan.analysis.latent.sefa import activations_before, affine_layers, closed_form, of_activations
from fmcgan.analysis.latent.smoothness import path_lengths
from fmcgan.analysis.latent.space import (
    balanced_latents,
    between_classes,
    blended,
    can_blend,
    latent_generator,
    set_coordinate,
    slerp,
)
from fmcgan.app.config_dir import config_dir
from fmcgan.conditioning.generator.none import NoConditioning
from fmcgan.data.garments import GARMENTS
from fmcgan.training.sampling import render

OWN_CONDITIONING = ("mlp", "conv")
CONDITIONINGS = sorted(path.stem for path in (config_dir() / "conditioning" / "generator").glob("*.yaml"))
NETWORKS = sorted(path.stem for path in (config_dir() / "network").glob("*.yaml"))
WIDTH = {"mlp": 64}  # an eighth of which its first hidden layer has
ONLY_AT_INPUT = {"r3": ("concatenation", "embedding_product")}
CHOICES = [(network, None) for network in NETWORKS if network in OWN_CONDITIONING] + [
    (network, way)
    for network in NETWORKS
    if network not in OWN_CONDITIONING
    for way in ONLY_AT_INPUT.get(network, CONDITIONINGS)
]


@pytest.fixture(scope="module", params=CHOICES, ids=lambda choice: "-".join(filter(None, choice)))
def network(request):
    """Every generator of this project, small, with weights and running statistics of a trained one's size."""
    name, way = request.param
    chosen = [f"network={name}", f"network.width={WIDTH.get(name, 8)}", "network.latent_dim=12"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("train", chosen + ([f"conditioning/generator={way}"] if way else []))
    config.dataset = GARMENTS.as_config()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = instantiate(config.network.generator)
        for parameter in generator.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, 0, 0.1)
        with torch.no_grad():
            for _ in range(10):
                generator.train()(torch.randn(60, 12), torch.arange(60) % 10)
    return generator.eval()


def ignores_labels(network):
    return isinstance(getattr(network, "conditioning", None), NoConditioning)


class LinearGenerator(nn.Module):
    """G(z) = A z + b y, no nonlinearity anywhere."""

    def __init__(self, matrix: torch.Tensor) -> None:
        super().__init__()
        self.latent_dim = matrix.shape[1]
        self.layer = nn.Linear(*matrix.shape[::-1])
        self.embedding = nn.Embedding(10, len(matrix))
        with torch.no_grad():
            self.layer.weight.copy_(matrix)

    def forward(self, latent, labels):
        return (self.layer(latent) + self.embedding(labels)).unflatten(1, (1, 28, 28))


class OneHot(nn.Module):
    """Told its class otherwise than by an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = 3
        self.layer = nn.Linear(13, 784)

    def forward(self, latent, labels):
        return self.layer(torch.cat([latent, F.one_hot(labels, 10)], dim=1)).tanh().unflatten(1, (1, 28, 28))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_a_third_of_a_quarter_circle_is_30_degrees():
    found = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 1 / 3)
    assert found.tolist() == pytest.approx([2 * math.cos(math.pi / 6), 2 * math.sin(math.pi / 6)])


def test_slerp_keeps_the_length_and_meets_both_ends():
    first, second = (F.normalize(torch.randn(5, 1, 100), dim=-1) * 7 for _ in range(2))
    way = slerp(first.expand(-1, 11, -1), second.expand(-1, 11, -1), torch.linspace(0, 1, 11)[:, None])
    torch.testing.assert_close(way.norm(dim=-1), torch.full((5, 11), 7.0))
    torch.testing.assert_close(way[:, 0], first[:, 0])
    torch.testing.assert_close(way[:, -1], second[:, 0], atol=1e-5, rtol=1e-5)
    steps = way.diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=1e-4, atol=1e-5)  # at even speed
    assert torch.lerp(first, second, 0.5).norm(dim=-1).max() < 6  # what a straight way would do


def test_vectors_on_a_line_are_joined_by_it():
    a = torch.tensor([[3.0, 4.0]])
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)
    torch.testing.assert_close(slerp(a, a, 0.3), a)
    assert slerp(a, -a, 0.5).isfinite().all()


def test_a_position_is_the_coordinate_along_the_direction_and_nothing_else_moves():
    latents, direction = torch.randn(6, 4), torch.tensor([0.6, 0.0, 0.8, 0.0])
    moved = set_coordinate(latents, direction, 2.0)
    torch.testing.assert_close(moved @ direction, torch.full((6,), 2.0))
    across = torch.tensor([[0.8, 0, -0.6, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(moved @ across.T, latents @ across.T)


def test_latents_of_a_class_do_not_depend_on_how_many_are_drawn():
    latents, labels = balanced_latents(range(10), 4, 5, 1, 2)
    assert labels.tolist() == [label for label in range(10) for _ in range(5)]
    assert torch.equal(balanced_latents(range(10), 4, 2, 1, 2)[0][2:4], latents[5:7])
    assert not torch.equal(balanced_latents(range(10), 4, 5, 1, 3)[0], latents)


def test_without_a_generator_the_way_out_is_told():
    with pytest.raises(NotApplicable, match="give run="):
        latent_generator(Subject(None, None, None, None, 0, None))


def test_every_network_meets_both_classes_at_the_ends_and_is_left_as_it_was(network):
    latents, labels = torch.randn(3, 12), torch.full((3,), 4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plain = render(network, latents, labels)
    assert can_blend(network, 10, latents, class_pairs(GARMENTS))
    assert torch.equal(between_classes(network, 10, latents, 4, 7, 0.0), plain)
    with torch.no_grad(), blended(network, 10, 4, 7, 0.5):
        middle = network(latents, labels)
    with torch.no_grad():
        ends = [network(latents, torch.full((3,), label)) for label in (4, 7)]
    ignores_label = torch.equal(*ends)
    assert ignores_label == ignores_labels(network)
    assert any(torch.allclose(middle, end, atol=1e-6) for end in ends) == ignores_label
    assert torch.equal(render(network, latents, labels), plain)  # nothing is left behind
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_only_the_class_on_its_way_is_blended(network):
    latents = torch.randn(2, 12)
    with torch.no_grad():
        plain = network(latents, torch.tensor([4, 2]))
        with blended(network, 10, 4, 7, 0.5):
            other = network(latents, torch.tensor([4, 2]))
    torch.testing.assert_close(other[1], plain[1])
    ignores_label = ignores_labels(network)
    assert torch.allclose(other[0], plain[0], atol=1e-6) == ignores_label


def test_a_network_without_embeddings_cannot_be_blended():
    assert not can_blend(OneHot(), 10, torch.randn(2, 3), [(0, 1)])


def test_every_network_has_affine_layers_and_their_matrix_is_the_jacobian(network):
    layers = affine_layers(network, range(10))
    assert layers.names
    assert layers.next is not None
    exact = type(network).forward  # of the network itself: its own derivative at random places gives A
    expected = torch.zeros(12, 12, dtype=torch.float64)
    modules = {name: network.get_submodule(name) for name in layers.names}
    double = network.double()
    try:
        for label in range(10):
            expected += _gram(double, modules.values(), label, exact) / 10
    finally:
        network.float()
    torch.testing.assert_close(layers.gram, expected, rtol=1e-8, atol=1e-10)


def _gram(network, modules, label, forward):
    """JᵀJ of the modules' outputs with respect to the latent vector, by automatic differentiation."""
    seen = []
    handles = [
        m.register_forward_hook(lambda layer, inputs, output: seen.append(output.flatten().clone())) for m in modules
    ]

    def output(latent):
        seen.clear()
        forward(network, latent[None], torch.tensor([label]))
        return torch.cat(seen)

    try:
        jacobian = torch.func.jacfwd(output)(torch.randn(12, dtype=torch.float64))
    finally:
        for handle in handles:
            handle.remove()
    return jacobian.T @ jacobian


def test_every_network_shows_its_first_activations_and_stays_clean(network):
    layer = affine_layers(network, range(10)).next
    latents, labels = torch.randn(40, 12), torch.arange(40) % 10
    seen = activations_before(network, layer, latents, labels)
    assert seen.shape[0] == 40
    assert render(network, latents, labels).shape == (40, 1, 28, 28)  # no hook is left that would end it early
    found = of_activations(seen, latents, labels, 3, seed=0)
    assert found.directions.shape == (3, 12)
    torch.testing.assert_close(found.directions.norm(dim=1), torch.ones(3))
    assert (found.shares > 0).all()
    assert found.shares.sum() <= 1 + 1e-6


def test_every_network_has_a_path_length(network):
    z1, z2, labels = torch.randn(4, 12), torch.randn(4, 12), torch.tensor([0, 3, 8, 9])
    found = path_lengths(network, lambda images: images.flatten(1), (z1, z2), torch.rand(4), labels)
    assert found.isfinite().all()
    assert (found > 0).all()


def test_closed_form_directions_of_a_linear_generator_are_its_right_singular_vectors():
    matrix = torch.randn(784, 6)
    layers = affine_layers(LinearGenerator(matrix), range(10))
    assert (layers.names, layers.next) == (("layer",), None)
    found = closed_form(layers.gram, 4)
    _, sizes, vectors = torch.linalg.svd(matrix.double())
    torch.testing.assert_close((found.directions.double() * vectors[:4]).sum(dim=1).abs(), torch.ones(4).double())
    assert found.shares.tolist() == pytest.approx((sizes**2 / (sizes**2).sum())[:4].tolist())
    assert (found.directions.gather(1, found.directions.abs().argmax(dim=1, keepdim=True)) > 0).all()


def test_planted_directions_of_activations_are_found_beside_the_classes():
    """Activations follow two directions of ten, bent by a tanh, and the class shifts them by far more."""
    latents, labels = torch.randn(4000, 10), torch.arange(4000) % 10
    planted = torch.linalg.qr(torch.randn(10, 2))[0].T
    maps = torch.linalg.qr(torch.randn(50, 2))[0].T * torch.tensor([[5.0], [2.0]])
    activations = (latents @ planted.T).tanh() @ maps + 20 * torch.randn(10, 50)[labels]
    found = of_activations(activations, latents, labels, 2, seed=1)
    assert (found.directions * planted).sum(dim=1).abs().min() > 0.98
    assert found.shares.tolist() == pytest.approx([25 / 29, 4 / 29], abs=0.01)


def test_the_path_length_of_a_linear_generator_is_known_exactly():
    """On a great circle of radius r and angle ω the speed is ω r; a multiple of an isometry scales it."""
    isometry = torch.linalg.qr(torch.randn(784, 6))[0]
    generator = LinearGenerator(3 * isometry)
    z1, z2 = (F.normalize(torch.randn(8, 6), dim=1) * 2 for _ in range(2))
    found = path_lengths(generator, lambda images: images.flatten(1), (z1, z2), torch.rand(8), torch.zeros(8).long())
    expected = (3 * 2 * F.cosine_similarity(z1, z2).arccos()) ** 2
    torch.testing.assert_close(found.float(), expected, rtol=2e-3, atol=1e-4)


def test_the_path_length_of_a_constant_generator_is_nought():
    generator = LinearGenerator(torch.zeros(784, 6))
    z1, z2 = torch.randn(3, 6), torch.randn(3, 6)
    found = path_lengths(generator, lambda images: images.flatten(1), (z1, z2), torch.rand(3), torch.arange(3))
    assert found.tolist() == [0, 0, 0]
