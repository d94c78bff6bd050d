import pytest
import torch

from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.network.dcgan import Generator
from fmcgan.training import sampling
from fmcgan.training.latent import draw_latents
from fmcgan.training.sampling import render, sample_classes, stream_classes
from fmcgan.training.truncation import TruncatedGenerator


@pytest.fixture
def generator():
    torch.manual_seed(0)
    network = Generator(SharedEmbedding(latent_dim=8), width=8)
    for _ in range(3):  # running statistics that are not their defaults
        network(torch.randn(32, 8), torch.arange(32) % 10)
    return network


def test_an_image_does_not_depend_on_what_else_is_asked_for(generator):
    images, labels = sample_classes(generator, range(10), 60, seed=5)
    assert images.shape == (600, 1, 28, 28)
    assert images.dtype == torch.uint8
    bags = images[labels == 8].int()
    alone, _ = sample_classes(generator, [8], 3, seed=5)
    later, _ = sample_classes(generator, [3, 8], 2, seed=5, first=50)
    assert (alone.int() - bags[:3]).abs().max() <= 1
    assert (later[2:].int() - bags[50:52]).abs().max() <= 1


def test_each_class_may_have_a_number_of_its_own(generator):
    images, labels = sample_classes(generator, [3, 5, 8], [4, 0, 2], seed=5)
    assert labels.tolist() == [3] * 4 + [8] * 2
    as_many, _ = sample_classes(generator, [3, 8], 4, seed=5)
    assert (images.int() - as_many[:6].int()).abs().max() <= 1


def test_a_stream_is_the_whole_in_pieces(generator, monkeypatch):
    monkeypatch.setattr(sampling, "_BATCH", 16)
    batches = list(stream_classes(generator, [3, 8], 40, seed=5, truncation=0.5, first=2))
    assert [len(images) for images, _ in batches] == [16, 16, 8] * 2
    labels = torch.cat([labels for _, labels in batches])
    assert labels.dtype == torch.int64
    assert labels.tolist() == [3] * 40 + [8] * 40
    streamed = torch.cat([images for images, _ in batches])
    together, same_labels = sample_classes(generator, [3, 8], 40, seed=5, truncation=0.5, first=2)
    assert torch.equal(streamed, together)
    assert torch.equal(labels, same_labels)
    latents = torch.cat([draw_latents(5, label, 40, 8, first=2) for label in (3, 8)])
    with torch.no_grad():
        at_once = (TruncatedGenerator(generator.eval())(latents, labels, torch.tensor(0.5)) + 1) * 127.5
    assert (streamed - at_once).abs().max() <= 0.51


def test_memory_is_asked_for_by_the_images_drawn(monkeypatch):
    asked = []
    monkeypatch.setattr("fmcgan.app.memory.require", lambda need, *_: asked.append(need))
    network = Generator(SharedEmbedding(latent_dim=8, num_classes=3), width=8, image_size=32, channels=3)
    images, labels = sample_classes(network, [0, 2], 4, seed=0)
    assert images.shape == (8, 3, 32, 32)
    assert labels.tolist() == [0] * 4 + [2] * 4
    assert asked == [2 * 3 * 32 * 32 * 8]
    sampling.require_memory(5, pixels=100)
    sampling.require_memory(5)
    assert asked[1:] == [2 * 100 * 5, 2 * 16 * 16 * 5]


def test_training_goes_on_between_two_batches_of_a_stream(generator):
    assert generator.training
    next(stream_classes(generator, [0], 10**9, seed=0))
    assert generator.training
    assert torch.is_grad_enabled()


def test_training_mode_and_random_state_are_left_as_they_were(generator):
    before, statistics = torch.get_rng_state(), generator.normalisations[0].norm.running_mean.clone()
    assert generator.training
    render(generator, torch.zeros(2, 8), torch.zeros(2, dtype=torch.int64))
    assert generator.training
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(generator.normalisations[0].norm.running_mean, statistics)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_per_class": 0}, "n_per_class must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"truncation": 1.2}, "truncation must be a number from 0 to 1, got 1.2"),
    ],
)
def test_wrong_values_are_refused(generator, arguments, message):
    with pytest.raises(ValueError, match=message):
        stream_classes(
            generator, **{"classes": [0], "n_per_class": 1, "seed": 0} | arguments
        )  # before any is asked for
