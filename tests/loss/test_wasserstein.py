import pytest
import torch

from fmcgan.layer.spectral_norm import normalise_spectrally
from fmcgan.loss.wasserstein import ClippedWasserstein, Wasserstein


@pytest.mark.parametrize("loss", [Wasserstein(), ClippedWasserstein()])
def test_by_hand(loss):
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([-1.0, 2.0])
    assert loss.discriminator(real, fake).item() == pytest.approx(0.5 - 3.0)
    assert loss.generator(None, fake).item() == pytest.approx(-0.5)


def test_clipping_bounds_every_weight_and_moves_only_those_outside():
    critic = torch.nn.Linear(2, 1)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.5, 0.004]]))
        critic.bias.fill_(-3.0)
    ClippedWasserstein(0.01).constrain(critic)
    assert torch.allclose(critic.weight, torch.tensor([[0.01, 0.004]]))
    assert critic.bias.item() == pytest.approx(-0.01)


def test_without_clipping_the_weights_stay():
    critic = torch.nn.Linear(2, 1)
    before = critic.weight.clone()
    Wasserstein().constrain(critic)
    assert torch.equal(critic.weight, before)


def test_clip_must_be_positive():
    with pytest.raises(ValueError, match="weight_clip must be a number of at least"):
        ClippedWasserstein(-1)


def test_clipping_refuses_weights_that_are_divided_by_their_norm():
    critic = torch.nn.Linear(2, 1)
    ClippedWasserstein(0.01).check_discriminator(critic, penalized=False)
    normalise_spectrally(critic)
    with pytest.raises(ValueError, match="spectral_norm=none"):
        ClippedWasserstein(0.01).check_discriminator(critic, penalized=False)


def test_a_critic_that_nothing_bounds_is_told_of(caplog):
    critic = torch.nn.Linear(2, 1)
    Wasserstein().check_discriminator(critic, penalized=True)
    normalise_spectrally(critic)
    Wasserstein().check_discriminator(critic, penalized=False)
    assert not caplog.text
    Wasserstein().check_discriminator(torch.nn.Linear(2, 1), penalized=False)
    assert "Lipschitz" in caplog.text
