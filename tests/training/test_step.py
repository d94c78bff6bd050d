import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fmcgan.augment.base import Augmentation
from fmcgan.conditioning.discriminator.auxiliary_classifier import AuxiliaryClassifier
from fmcgan.loss.hinge import Hinge
from fmcgan.loss.non_saturating import NonSaturating
from fmcgan.loss.wasserstein import Wasserstein
from fmcgan.penalty.interpolated import InterpolatedGradientPenalty
from fmcgan.penalty.none import NoPenalty
from fmcgan.penalty.zero_centered import ZeroCenteredGradientPenalty
from fmcgan.regularizer.base import Regularizer

LOSSES = [(NonSaturating(), ZeroCenteredGradientPenalty()), (Wasserstein(), InterpolatedGradientPenalty())]


class NothingWaits(TorchDispatchMode):
    """Refuses every operation that makes the host wait for a value on the device."""

    SYNCHRONISING = ("_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "_unique2", "equal")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in self.SYNCHRONISING, func
        return func(*args, **(kwargs or {}))


def test_the_guard_notices_a_synchronising_read():
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NothingWaits():
        torch.ones(()).item()


@pytest.mark.parametrize("network", ["dcgan", "conv", "mlp"])
@pytest.mark.parametrize(("loss", "penalty"), LOSSES)
@pytest.mark.parametrize("bf16", [False, True])
def test_nothing_in_a_step_waits_for_the_device(make_step, make_inputs, network, loss, penalty, bf16):
    step = make_step(network, loss=loss, penalty=penalty, clip=1.0)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), NothingWaits():
        step(*make_inputs())


def test_images_are_made_once_for_both_players(make_step, make_inputs):
    step = make_step()
    calls = []
    step.generator.register_forward_hook(lambda module, inputs, output: calls.append(output.requires_grad))
    step(*make_inputs())
    assert calls == [True]
    step(*make_inputs(), with_generator=False)
    assert calls == [True, False]  # nothing is kept for a backward pass that does not come
    assert step.generator.normalisations[0].norm.num_batches_tracked == 2


def test_the_generator_learns_from_the_updated_discriminator(make_step, make_inputs):
    """Its loss is that of the images made before, judged by the discriminator after its update."""
    step = make_step(loss=Hinge(), penalty=NoPenalty())
    before = copy.deepcopy(step.generator)
    real, labels, latents, epsilon = make_inputs()
    loss = step(real, labels, latents, epsilon)["loss/generator"]
    fake = before(latents, labels)
    judged = step.discriminator(fake, labels)  # not changed by the generator's update
    assert loss.item() == pytest.approx(-judged.mean().item(), rel=1e-5)
    gradients = torch.autograd.grad(-judged.mean(), list(before.parameters()))
    for parameter, gradient in zip(step.generator.parameters(), gradients, strict=True):
        assert torch.allclose(parameter.grad, gradient, atol=1e-7)
    assert all(parameter.requires_grad for parameter in step.discriminator.parameters())


def test_a_lazy_penalty_counts_as_many_times_as_it_is_left_out(make_step, make_inputs):
    lazy = make_step(penalty=ZeroCenteredGradientPenalty(weight=2.0, interval=4))(*make_inputs())
    plain = make_step(penalty=ZeroCenteredGradientPenalty(weight=8.0))(*make_inputs())
    assert lazy["loss/penalty"].item() == pytest.approx(plain["loss/penalty"].item() / 4)  # told for every update
    assert lazy["loss/discriminator"].item() == pytest.approx(plain["loss/discriminator"].item())
    assert lazy["gradient_norm/discriminator"].item() == pytest.approx(plain["gradient_norm/discriminator"].item())
    without = make_step()(*make_inputs(), with_penalty=False)
    assert "loss/penalty" not in without
    assert without["loss/discriminator"] == without["loss/adversarial"]


def test_a_step_that_fails_leaves_the_discriminator_trainable(make_step, make_inputs):
    step = make_step()
    step.loss = copy.copy(step.loss)
    step.loss.generator = None  # not callable
    with pytest.raises(TypeError):
        step(*make_inputs())
    assert all(parameter.requires_grad for parameter in step.discriminator.parameters())


class Darken(Augmentation):
    """Halves the distance to the background; counts what it is told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, images):
        return 0.5 * images - 0.5

    def update(self, real_logits):
        self.told.append(real_logits)
        return {}


def test_both_players_see_augmented_images(make_step, make_inputs):
    """The discriminator is updated on them and the generator learns through the change."""
    real, labels, latents, epsilon = make_inputs()
    step = make_step(loss=Hinge(), penalty=NoPenalty(), augmentation=Darken())
    generator, discriminator = copy.deepcopy(step.generator), copy.deepcopy(step.discriminator)
    metrics = step(real, labels, latents, epsilon)
    fake = generator(latents, labels)
    logits = discriminator(0.5 * real - 0.5, labels), discriminator(0.5 * fake.detach() - 0.5, labels)
    assert metrics["loss/adversarial"].item() == pytest.approx(Hinge().discriminator(*logits).item(), rel=1e-5)
    assert torch.allclose(step.augmentation.told[0], logits[0], atol=1e-6)
    judged = step.discriminator(0.5 * fake - 0.5, labels)
    gradients = torch.autograd.grad(-judged.mean(), list(generator.parameters()))
    for parameter, gradient in zip(step.generator.parameters(), gradients, strict=True):
        assert torch.allclose(parameter.grad, gradient, atol=1e-7)


def test_the_auxiliary_classifier_enters_both_losses(make_step, make_inputs):
    """Odena et al. 2017: D minimises the cross-entropy of real and generated images, G that of generated ones."""
    real, labels, latents, epsilon = make_inputs()
    step = make_step(loss=Hinge(), penalty=NoPenalty(), judged_by=AuxiliaryClassifier(weight=2.0))
    generator, discriminator = copy.deepcopy(step.generator), copy.deepcopy(step.discriminator)
    metrics = step(real, labels, latents, epsilon)
    fake = generator(latents, labels).detach()

    def cross_entropy(judge, images):
        classes = judge.head.classes(judge.features(images))
        return torch.nn.functional.cross_entropy(classes, labels).item()

    auxiliary = 2 * (cross_entropy(discriminator, real) + cross_entropy(discriminator, fake))
    assert metrics["loss/auxiliary"].item() == pytest.approx(auxiliary, rel=1e-5)
    total = metrics["loss/adversarial"].item() + auxiliary
    assert metrics["loss/discriminator"].item() == pytest.approx(total, rel=1e-5)
    of_generator = -step.discriminator(fake, labels).mean().item() + 2 * cross_entropy(step.discriminator, fake)
    assert metrics["loss/generator"].item() == pytest.approx(of_generator, rel=1e-5)


class Gap(Regularizer):
    """Squared distance of the mean logits, times 3."""

    def forward(self, discriminator, real, fake, labels, real_logits, fake_logits):
        assert real.shape == fake.shape
        assert not fake.requires_grad
        return 3 * (real_logits.mean() - fake_logits.mean()).square()


def test_a_regularizer_is_part_of_the_discriminators_loss(make_step, make_inputs):
    metrics = make_step(penalty=NoPenalty(), regularizer=Gap())(*make_inputs())
    expected = 3 * (metrics["logit/real"] - metrics["logit/fake"]).square()
    assert metrics["loss/regularizer"].item() == pytest.approx(expected.item(), rel=1e-4)
    total = metrics["loss/adversarial"] + metrics["loss/regularizer"]
    assert metrics["loss/discriminator"].item() == pytest.approx(total.item(), rel=1e-6)
    without = make_step(penalty=NoPenalty())(*make_inputs())
    assert without["gradient_norm/discriminator"] != metrics["gradient_norm/discriminator"]


@pytest.mark.train
@pytest.mark.parametrize("network", ["dcgan", "resnet", "r3"])
@pytest.mark.parametrize("bf16", [False, True])
def test_nothing_of_the_whole_zoo_waits_for_the_device(make_zoo, make_inputs, network, bf16):
    step = make_zoo(network)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), NothingWaits():
        step(*make_inputs())
        step(*make_inputs(), with_generator=False)
