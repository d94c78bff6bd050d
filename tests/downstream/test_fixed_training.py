import functools

import pytest
import torch

from fmcgan.downstream import fixed_training
from fmcgan.downstream.fixed_training import predictions, train_fixed
from fmcgan.metric.gan_train import logistic_regression, quick_cnn
from tests.downstream.drawn import noisy_classes

build = functools.partial(logistic_regression, 1, 16, 4)
FEW = {"steps": 20, "batch_size": 16, "learning_rate": 0.02, "seed": 3}


def weights(network):
    return torch.cat([each.flatten() for each in network.parameters()])


def test_every_step_has_a_whole_batch_and_every_pass_every_image_once():
    batches = fixed_training._batches(10, 4, torch.Generator().manual_seed(0))
    seen = torch.cat([next(batches) for _ in range(10)])
    assert len(seen) == 40
    for one in seen.split(10):
        assert one.sort().values.tolist() == list(range(10))
    of_few = next(fixed_training._batches(3, 8, torch.Generator().manual_seed(0)))
    assert sorted(of_few.bincount().tolist()) == [2, 3, 3]


@pytest.mark.parametrize("n", [5, 16, 300])
def test_the_number_of_steps_does_not_depend_on_the_number_of_images(n, monkeypatch):
    sizes = []
    monkeypatch.setattr(fixed_training, "prepared", lambda images: sizes.append(len(images)) or images.float())
    images = noisy_classes(n, 0)
    train_fixed(build, images.images, images.labels, **FEW)
    assert sizes == [16] * 20


def test_the_same_seed_gives_the_same_bits_and_the_global_random_state_stays():
    images = noisy_classes(50, 0)
    network = functools.partial(quick_cnn, 1, 16, 4)
    before = torch.get_rng_state()
    same = [weights(train_fixed(network, images.images, images.labels, **FEW, augment=True)) for _ in range(2)]
    other = weights(train_fixed(network, images.images, images.labels, **FEW | {"seed": 4}, augment=True))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*same)
    assert not torch.equal(same[0], other)


def test_augmentation_shifts_and_mirrors_where_asked(monkeypatch):
    asked = []
    real = fixed_training.augmented
    monkeypatch.setattr(fixed_training, "augmented", lambda *given: asked.append(given[2]) or real(*given))
    images = noisy_classes(50, 0)
    for options in ({}, {"flips": True}, {"augment": True}, {"augment": True, "flips": True}):
        train_fixed(build, images.images, images.labels, **FEW | {"steps": 10}, **options)
    assert asked == [False] * 10 + [True] * 10


def test_predictions_are_the_most_probable_class_and_its_probability():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2))
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.copy_(torch.tensor([0.0, 3.0]).log1p())  # 1 : 4
    read = predictions(network, noisy_classes(3, 0).images, "cpu")
    assert read["predicted"].tolist() == [1, 1, 1]
    assert read["confidence"].tolist() == pytest.approx([0.8] * 3)
