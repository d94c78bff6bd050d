import copy

import pytest
import torch
from torch import Tensor, nn

from fmcgan.data.images import to_float
from fmcgan.metric.gan_train import (
    NETWORKS,
    design,
    downstream_accuracy,
    logistic_regression,
    predict_classes,
    train_downstream,
)


class BrightestOfTen(nn.Module):
    """Reads the brightest of the first ten pixels as the class, once its dropout is switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.99)

    def forward(self, images: Tensor) -> Tensor:
        return self.dropout(images.flatten(1)[:, :10] + 2)


def pairs(n: int, wrong: float = 0.0) -> tuple[Tensor, Tensor]:
    """Noise with two bright rows whose place tells the class, and labels of which a share is drawn anew."""
    generator = torch.Generator().manual_seed(n)
    labels = torch.arange(n) % 10
    images = torch.randint(0, 100, (n, 1, 28, 28), dtype=torch.uint8, generator=generator)
    for row in (0, 1):
        images[torch.arange(n), 0, 2 * labels + row] = 255
    drawn = torch.randint(0, 10, (n,), generator=generator)
    return images, labels.where(torch.rand(n, generator=generator) >= wrong, drawn)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("name", "parameters"), [("logistic_regression", 7850), ("mlp", 79510), ("cnn", 241546), ("quick_cnn", 20490)]
)
def test_the_networks_have_the_size_that_is_said_and_give_ten_logits(name, parameters):
    network = NETWORKS[name]()
    assert sum(each.numel() for each in network.parameters()) == parameters
    assert network(to_float(pairs(3)[0])).shape == (3, 10)


def test_classes_are_read_by_hand_with_dropout_off():
    images = torch.zeros(1500, 1, 28, 28, dtype=torch.uint8)
    labels = torch.arange(1500) % 7
    images[torch.arange(1500), 0, 0, labels] = 255
    network = BrightestOfTen()
    assert torch.equal(predict_classes(network, images, "cpu"), labels)
    labels[:300] = 9
    assert downstream_accuracy(network.train(), images, labels, "cpu") == 0.8
    assert not network.training


def test_the_first_step_is_one_of_adam_on_the_nine_tenths():
    images, labels = pairs(40)
    before = []

    def build() -> nn.Module:
        before.append(logistic_regression())
        return copy.deepcopy(before[0])

    after = train_downstream(build, images, labels, epochs=1, batch_size=36, learning_rate=0.01, seed=3)
    training = torch.randperm(40, generator=torch.Generator().manual_seed(3))[4:]
    nn.functional.cross_entropy(before[0](to_float(images[training])), labels[training]).backward()
    gradient = before[0][1].weight.grad
    # Kingma and Ba 2015, algorithm 1: m / sqrt(v) of the first step is the sign of the gradient.
    moved = (after[1].weight - before[0][1].weight).detach()
    torch.testing.assert_close(moved, -0.01 * gradient / (gradient.abs() + 1e-8), rtol=1e-3, atol=1e-6)


def test_the_held_out_tenth_does_not_train():
    images, labels = pairs(40)
    held_out, training = torch.randperm(40, generator=torch.Generator().manual_seed(0)).split([4, 36])
    trained = train_downstream(logistic_regression, images, labels, epochs=1)
    for indices, is_same in ((held_out, True), (training[:1], False)):
        other = labels.index_add(0, indices, torch.ones_like(indices)) % 10
        assert same(trained, train_downstream(logistic_regression, images, other, epochs=1)) is is_same


def test_the_earliest_of_the_epochs_that_read_the_held_out_pairs_best_is_kept():
    images, labels = pairs(200, wrong=0.2)
    held_out = torch.randperm(200, generator=torch.Generator().manual_seed(2))[:20]
    made, states, shares = [], [], []

    def build() -> nn.Module:
        made.append(logistic_regression())
        return made[0]

    def progress(done: int, total: int) -> None:
        assert (done, total) == (len(states) + 1, 12)
        states.append(copy.deepcopy(made[0].state_dict()))
        right = made[0](to_float(images[held_out])).argmax(dim=1) == labels[held_out]
        shares.append(right.sum().item())

    network = train_downstream(
        build, images, labels, epochs=12, learning_rate=3e-4, batch_size=16, seed=2, progress=progress
    )
    best = shares.index(max(shares))
    assert 0 < best < 11  # neither the first nor the last, so that the choice is seen
    assert shares.count(max(shares)) > 1
    assert torch.equal(network[1].weight, states[best]["1.weight"])
    assert not network.training


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_alone_decides_and_the_global_random_state_stays(name):
    images, labels = pairs(60)
    given = images.clone(), labels.clone()
    before = torch.get_rng_state()
    first = train_downstream(NETWORKS[name], images, labels, epochs=1, batch_size=20, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    assert same(first, train_downstream(NETWORKS[name], images, labels, epochs=1, batch_size=20, seed=5))
    assert not same(first, train_downstream(NETWORKS[name], images, labels, epochs=1, batch_size=20, seed=6))
    assert torch.equal(images, given[0])
    assert torch.equal(labels, given[1])


@pytest.mark.parametrize("n", [2, 9, 11])
def test_a_handful_of_pairs_is_enough(n):
    network = train_downstream(logistic_regression, *pairs(n), epochs=2)
    assert all(weight.isfinite().all() for weight in network.parameters())


def test_the_design_tells_networks_apart_and_draws_nothing(monkeypatch):
    before = torch.get_rng_state()
    designs = {name: design(name) for name in NETWORKS}
    assert torch.equal(torch.get_rng_state(), before)
    assert len(set(designs.values())) == len(NETWORKS)
    monkeypatch.setitem(NETWORKS, "mlp", NETWORKS["cnn"])
    assert design("mlp") == designs["cnn"]
