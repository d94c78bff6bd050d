import pytest
import torch
from torch import nn

from fmcgan.augment.adaptive import Adaptive
from fmcgan.augment.translation import Translation
from fmcgan.regularizer.consistency import Consistency


class Critic(nn.Module):
    """D(x, y) = w * (first pixel) + y."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.judged = []

    def forward(self, images, labels):
        self.judged.append(len(images))
        return self.weight * images[:, 0, 0, 0] + labels


class Brighter(nn.Module):
    def forward(self, images):
        return 3 * images


def images(*values):
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)


def measure(regularizer, critic, real, fake, labels):
    real_logits, fake_logits = critic(real, labels), critic(fake, labels)
    critic.judged.clear()
    return regularizer(critic, real, fake, labels, real_logits, fake_logits)


LABELS = torch.tensor([4.0, 7.0])


def test_real_images_by_hand():
    critic = Critic()
    value = measure(Consistency(Brighter(), weight=10), critic, images(1.0, 0.5), images(9.0, 9.0), LABELS)
    assert value.item() == pytest.approx(10 * (2**2 + 1**2) / 2)  # 3 x - x = 2 x
    assert critic.judged == [2]  # the images themselves are not judged again


def test_both_kinds_by_hand_with_a_weight_each():
    critic = Critic()
    regularizer = Consistency(Brighter(), weight=10, fake_weight=2, images="both")
    value = measure(regularizer, critic, images(1.0, 0.5), images(3.0, 1.0), LABELS)
    assert value.item() == pytest.approx(10 * (2**2 + 1**2) / 2 + 2 * (6**2 + 2**2) / 2)
    assert critic.judged == [4]


@pytest.mark.parametrize("kinds", ["real", "both"])
def test_an_indifferent_discriminator_has_nothing_to_pay(kinds):
    """The sum of all pixels above the background does not change when a small garment moves."""

    def brightness(images, labels):
        return (images + 1).sum(dim=(1, 2, 3)) + labels

    real, fake = torch.full((2, 8, 1, 28, 28), -1.0)
    real[:, :, 8:20, 8:20], fake[:, :, 8:20, 8:20] = 1.0, -0.5
    labels = torch.arange(8.0)
    logits = brightness(real, labels), brightness(fake, labels)
    regularizer = Consistency(Translation(0.125), images=kinds)
    assert regularizer(brightness, real, fake, labels, *logits).item() == 0.0

    def place(images, labels):
        return images[:, 0, 8:20, 8:20].sum(dim=(1, 2)) + labels

    logits = place(real, labels), place(fake, labels)
    assert regularizer(place, real, fake, labels, *logits).item() > 1


def test_gradients_flow_into_both_judgements():
    critic = Critic(weight=1.5)
    measure(Consistency(Brighter(), weight=1), critic, images(1.0, 0.5), images(0.0, 0.0), LABELS).backward()
    # E[(3 w x - w x)^2] = 4 w^2 E[x^2]; its derivative is 8 w E[x^2]. Without the given logits' graph: 12 w E[x^2].
    assert critic.weight.grad.item() == pytest.approx(8 * 1.5 * (1 + 0.25) / 2)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="images must be one of real, both, got 'fake'"):
        Consistency(Brighter(), images="fake")
    with pytest.raises(ValueError, match="fake_weight must be a number of at least 0, got -1"):
        Consistency(Brighter(), fake_weight=-1)
    with pytest.raises(ValueError, match="acts from the start, got Adaptive"):
        Consistency(Adaptive(Translation()))
