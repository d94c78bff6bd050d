from dataclasses import replace

import pytest
import torch
from torch import nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.effect import ranks_within_classes
from fmcgan.analysis.findings import adjust_effects
from fmcgan.analysis.latent.inversion import Search, invert
from fmcgan.analysis.membership import Membership, _matched
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.images import to_float
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.training.latent import draw_latents
from fmcgan.training.sampling import render
from tests.analysis.small_sets import SCENES, flat_set, noise_set
from tests.shapes import LETTERS, PETS, Painter, drawn

SEARCH = Search(candidates=20, starts=2, steps=60, learning_rate=0.1)


class MeanLevel(nn.Module):
    """A discriminator whose logit is the mean level of an image."""

    def forward(self, images, labels):
        return images.mean(dim=(1, 2, 3))


class Album(nn.Module):
    """A generator that knows some images by heart: the latent vector chooses the mixture of those of the class."""

    def __init__(self, images: ImageSet) -> None:
        super().__init__()
        by_class = [to_float(images.images[images.of_class(label)]) for label in images.info.labels]
        self.pages = nn.Parameter(torch.stack(by_class))
        self.latent_dim = len(by_class[0])

    def forward(self, latent, labels):
        shares = (4 * latent).softmax(dim=1)
        return torch.einsum("bn,bnchw->bchw", shares, self.pages[labels])


def subject_of(samples: ImageSet, train: ImageSet, test: ImageSet, folder, generator=None, discriminator=None):
    return Subject(samples, RealImages(train, test), generator, None, 5, Store(folder), discriminator)


@pytest.fixture(scope="module")
def noise() -> list[ImageSet]:
    return [noise_set(LETTERS, [8] * 26, seed) for seed in range(3)]


def test_a_discriminator_by_hand(tmp_path):
    """Logits rise with 1 and 3 for training images and 0 and 2 for held-out ones: 3 of 4 pairs are told.

    Images of the other class are 100 levels brighter, which must not matter.
    """
    levels, labels = [1, 3] * 10 + [101, 103] * 10, [0] * 20 + [3] * 20
    train, test = (flat_set(SCENES, [[level + shift] * 3 for level in levels], labels) for shift in (0, -1))
    subject = subject_of(train, train, test, tmp_path, discriminator=MeanLevel())
    section = Membership().analyse(subject)
    assert section.values["discriminator"]["auc"] == 0.75
    assert section.values["discriminator"]["images"] == 40
    low, high = section.values["discriminator"]["interval"]
    assert 0.5 < low < 0.75 < high < 1
    rows = [row[1:5] for row in section.tables[0].rows if row[0] == "with the discriminator"]
    assert [row[:3] for row in rows] == [["all", 40, 0.75], ["sky", 20, 0.75], ["$x$", 20, 0.75]]
    (effect,) = [each for each in section.effects if each.key == "membership/all/discriminator"]
    assert effect.difference.size == pytest.approx(0.9539, abs=1e-4)  # √2 Φ⁻¹(0.75)


def test_ranks_within_classes_by_hand():
    scores, labels = torch.tensor([5.0, 1.0, 100.0, 5.0, 300.0]), torch.tensor([0, 0, 7, 0, 7])
    assert ranks_within_classes(scores, labels).tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 4, 2 / 3, 3 / 4])


def test_a_copier_is_told_by_the_nearest_sample(noise, tmp_path):
    train, test, _ = noise
    section = Membership().analyse(subject_of(train, train, test, tmp_path))
    assert section.values["nearest_sample"]["auc"] == 1
    (found,) = adjust_effects(section.effects)
    assert found.is_finding
    examples = found.effect.examples()
    assert (examples.generated == examples.real).all()


def test_new_images_as_samples_tell_nothing(noise, tmp_path):
    train, test, others = noise
    section = Membership().analyse(subject_of(others, train, test, tmp_path))
    low, high = section.values["nearest_sample"]["interval"]
    assert 0.4 < low < 0.5 < high < 0.6
    assert not any(each.is_finding for each in adjust_effects(section.effects))


def test_held_out_images_as_samples_are_no_finding(noise, tmp_path):
    train, test, _ = noise
    section = Membership().analyse(subject_of(test, train, test, tmp_path))
    assert section.values["nearest_sample"]["auc"] == 0
    assert not any(each.is_finding for each in adjust_effects(section.effects))


def test_a_generator_that_knows_its_images_by_heart_is_told_by_inversion(tmp_path):
    train, test = (noise_set(SCENES, [6] * 5, seed) for seed in (0, 1))
    section = Membership(candidates=10, starts=1).analyse(subject_of(test, train, test, tmp_path, Album(train)))
    assert section.values["inversion"]["auc"] == 1
    assert [effect.key.rpartition("/")[2] for effect in section.effects] == ["nearest_sample", "inversion"]
    assert [picture.name for picture in section.pictures] == ["auc", "reconstructions"]


@pytest.mark.parametrize("info", [LETTERS, PETS], ids=lambda info: info.name)
def test_images_of_the_generator_are_inverted_and_noise_is_not(info):
    generator, labels = Painter(info).eval(), torch.arange(12) % info.num_classes
    own = ImageSet(render(generator, draw_latents(8, 0, 12, generator.latent_dim), labels), labels, info)
    noise = noise_set(info, labels.bincount(minlength=info.num_classes).tolist(), 4)
    found, of_noise = (invert(generator, images, SEARCH, 3) for images in (own, noise))
    assert found.errors.max() < of_noise.errors.min()
    assert found.errors.median() < 3  # levels of 255
    difference = (found.images.double() - own.images.double()).square().mean(dim=(1, 2, 3)).sqrt()
    assert torch.equal(difference, found.errors)
    started = invert(generator, own, replace(SEARCH, steps=1, learning_rate=1e-9), 3)
    assert (found.errors < started.errors).all()


def test_the_same_twice_and_nothing_else_is_changed(tmp_path):
    generator, (train, test) = Painter(PETS).eval(), (drawn(PETS, [6] * 5, seed) for seed in (1, 2))
    subject = subject_of(train, train, test, tmp_path, generator, MeanLevel())
    state = torch.get_rng_state()
    first, second = (Membership(steps=3).analyse(subject) for _ in range(2))
    assert first.values == second.values
    assert first.tables == second.tables
    assert torch.equal(torch.get_rng_state(), state)
    assert all(each.grad is None and each.requires_grad for each in generator.parameters())


def test_both_splits_have_equally_many_of_each_class(tmp_path):
    train, test = drawn(PETS, [20, 4, 9, 0, 4], 1), drawn(PETS, [6, 8, 9, 6, 4], 2)
    subject = subject_of(drawn(PETS, [1, 1, 1, 1, 0]), train, test, tmp_path)
    for n, expected in ((100, [6, 4, 9]), (15, [5, 4, 5])):
        for images in _matched(subject, n):
            assert images.labels.bincount().tolist() == expected
    with pytest.raises(NotApplicable, match="10 training and as many test images"):
        Membership().analyse(replace(subject, samples=drawn(PETS, [0, 9, 0, 9, 0])))


def test_a_single_class_and_what_is_left_out(tmp_path):
    train, test = (drawn(PETS, [0, 30, 0, 0, 0], seed) for seed in (1, 2))
    section = Membership().analyse(subject_of(train, train, test, tmp_path))
    assert list(section.values) == ["nearest_sample"]
    assert [row[1] for row in section.tables[0].rows] == ["all"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 9}, "n must be a whole number of at least 10, got 9"),
        ({"starts": 101}, "starts must be a whole number of at least 1 and at most 100, got 101"),
        ({"learning_rate": 0}, "learning_rate must be a number"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
    ],
)
def test_refuses_wrong_values(options, message):
    with pytest.raises(InvalidValueError, match=message):
        Membership(**options)
