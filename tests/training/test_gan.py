import copy
import logging
import shutil
from types import SimpleNamespace

import pytest
import torch
from hydra.errors import InstantiationException
from lightning.pytorch import Callback
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch import nn

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.loss.non_saturating import NonSaturating
from fmcgan.train import build, validate
from fmcgan.training.ema import EMA
from fmcgan.training.latent import seed_of

BATCH = 32


class StepOutputs(Callback):
    def __init__(self):
        self.outputs, self.images_seen = [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.outputs.append({name: value.item() for name, value in outputs.items()})
        self.images_seen.append(pl_module.images_seen)


@pytest.fixture
def outputs():
    return StepOutputs()


def test_counters_at_n_critic_3(fit, outputs, monkeypatch):
    averaged = []
    monkeypatch.setattr(EMA, "update", lambda self, generator, images, images_seen, factor: averaged.append(images))
    trainer, gan = fit(
        "n_critic=3", "trainer.max_epochs=1", "trainer.limit_train_batches=10", extra_callbacks=[outputs]
    )
    assert outputs.images_seen == [BATCH * (step + 1) for step in range(10)]
    assert [("loss/generator" in each) for each in outputs.outputs] == [step % 3 == 2 for step in range(10)]
    assert gan.discriminator_updates == 10
    assert averaged == [3 * BATCH] * 3  # the half-life counts the images of all three updates
    assert trainer.global_step == 3  # generator updates, not the sum over both optimizers


def test_each_player_learns_at_its_own_rate(fit):
    """Two time scales (TTUR, Heusel et al. 2017): Adam's first step moves a weight by the rate of its own player."""
    before = {}

    class Before(Callback):
        def on_train_start(self, trainer, pl_module):
            before.update(copy.deepcopy(pl_module.state_dict()))

    rates = {"generator": 1e-3, "discriminator": 4e-3}
    given = [f"training.{player}_optimizer.lr={rate}" for player, rate in rates.items()]
    _, gan = fit(*given, "trainer.max_epochs=1", "trainer.limit_train_batches=1", extra_callbacks=[Before()])
    for player, rate in rates.items():
        for name, weight in getattr(gan, player).named_parameters():
            if weight.grad is not None and weight.dim() == 4:  # convolutions, whose gradients are no rounding errors
                moved = (weight - before[f"{player}.{name}"]).abs()
                assert moved.median().item() == pytest.approx(rate, rel=1e-3), name


def test_a_run_in_which_the_generator_would_never_learn_is_refused(fit):
    too_few = ("n_critic=5", "trainer.max_epochs=2", "trainer.limit_train_batches=2")
    with pytest.raises(InvalidValueError, match=r"n_critic=5 .* 4 batches"):
        fit(*too_few)
    _, gan = fit(*too_few, "n_critic=4")
    assert gan.discriminator_updates == 4


def test_one_image_has_no_batch_statistics(fit):
    one = ("data.batch_size=1", "trainer.max_epochs=1", "trainer.limit_train_batches=1")
    with pytest.raises(InvalidValueError, match=r"data\.batch_size=1 .* at least 2"):
        fit(*one, "network=mlp")
    _, gan = fit(*one, "network=dcgan")  # over the pixels too
    assert gan.images_seen == 1


def test_the_first_step_is_what_the_losses_and_adam_say(fit, outputs):
    """One batch by hand: both losses from the same weights, the norms of their gradients, the first Adam step."""
    recorded = {}

    class BeforeAndAfter(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            recorded["before"] = copy.deepcopy(pl_module)
            recorded["batch"] = [tensor.clone() for tensor in batch]

    one_batch = ("loss=non_saturating", "trainer.max_epochs=1", "trainer.limit_train_batches=1")
    _, gan = fit(*one_batch, extra_callbacks=[BeforeAndAfter(), outputs])
    before, (real, labels) = recorded["before"], recorded["batch"]
    latents = torch.randn(BATCH, 16, generator=torch.Generator().manual_seed(seed_of(0, 0)))  # seed 0, no image seen
    with torch.no_grad():
        fake = before.generator(latents, labels)
    loss = NonSaturating().discriminator(before.discriminator(real, labels), before.discriminator(fake, labels))
    gradients = torch.autograd.grad(loss, list(before.discriminator.parameters()))
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
    assert outputs.outputs[0]["loss/discriminator"] == pytest.approx(loss.item(), rel=1e-6)
    assert outputs.outputs[0]["gradient_norm/discriminator"] == pytest.approx(norm, rel=1e-5)
    # Adam's first step moves each weight by lr * sign(gradient), up to its epsilon.
    moved = gan.discriminator.head.logit.weight - before.discriminator.head.logit.weight
    gradient = dict(zip([n for n, _ in before.discriminator.named_parameters()], gradients, strict=True))[
        "head.logit.weight"
    ]
    assert torch.allclose(moved, -2e-3 * gradient / (gradient.abs() + 1e-8), atol=1e-7)


def test_gradients_are_clipped_and_the_norm_before_is_reported(fit, outputs):
    norms = []

    class GradientNorms(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            gradients = [parameter.grad.flatten() for parameter in pl_module.generator.parameters()]
            norms.append(torch.cat(gradients).norm().item())

    options = ("trainer.max_epochs=1", "trainer.limit_train_batches=5", "training.generator_clip=1e-4")
    fit(*options, extra_callbacks=[outputs, GradientNorms()])
    assert norms == pytest.approx([1e-4] * 5, rel=1e-3)
    assert all(each["gradient_norm/generator"] > 2e-4 for each in outputs.outputs)


def test_the_penalty_is_part_of_the_discriminators_loss(fit, outputs):
    fit("loss=wgan_gp", "trainer.max_epochs=1", "trainer.limit_train_batches=3", extra_callbacks=[outputs])
    for each in outputs.outputs:
        assert each["loss/penalty"] > 0.5  # weight 10, and a fresh critic's gradient is far from norm 1
        assert each["loss/discriminator"] == pytest.approx(each["loss/adversarial"] + each["loss/penalty"], rel=1e-5)


def test_weights_stay_in_the_clip_of_wgan(fit):
    _, gan = fit("loss=wgan", "trainer.max_epochs=1", "trainer.limit_train_batches=3")
    assert max(parameter.abs().max().item() for parameter in gan.discriminator.parameters()) == pytest.approx(0.01)


def test_the_average_follows_the_generator(fit):
    _, gan = fit("trainer.max_epochs=1", "training.ema.half_life=0")
    for average, value in zip(gan.ema.generator.parameters(), gan.generator.parameters(), strict=True):
        assert torch.equal(average, value)


def test_mixed_precision_sees_the_discriminator_as_it_is_after_its_update(compose, fit):
    """Autocast keeps casts of weights until its region ends; the generator is to learn from those after the update."""
    seen = []

    class LastLayer(Callback):
        def on_fit_start(self, trainer, pl_module):
            pl_module.discriminator.head.logit.register_forward_hook(self.note)

        def note(self, layer, inputs, output):
            features = inputs[0].float()
            with torch.autocast("cpu", enabled=False):
                exact = nn.functional.linear(features, layer.weight, layer.bias)
                rounded = nn.functional.linear(features.abs(), layer.weight.abs(), layer.bias.abs())
            seen.append(((output.float() - exact).abs() / rounded).max().item())

    options = ("trainer.precision=bf16-mixed", "trainer.max_epochs=1", "trainer.limit_train_batches=6")
    large_steps = ("training.discriminator_optimizer.lr=0.05", "training.generator_optimizer.lr=1e-30")
    _, gan = fit(*options, *large_steps, extra_callbacks=[LastLayer()])
    assert max(seen) < 2**-7, seen  # a weight, a feature, a logit, each rounded by 2**-9 of itself at most
    assert min(seen) > 0, seen  # the layer did compute in bf16
    assert all(
        parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in gan.generator.parameters()
    )
    assert gan.generator.to_image.weight.dtype == torch.float32


def test_every_random_number_of_a_step_follows_from_seed_and_images_seen(fit, outputs):
    """Something that draws from the global generator between steps changes nothing."""

    class Noise(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            torch.rand(17)

    network = ("network=conv", "network.width=8")  # has dropout
    _, plain = fit(*network, "trainer.max_epochs=1")
    _, disturbed = fit(*network, "trainer.max_epochs=1", extra_callbacks=[Noise()], folder="disturbed")
    _, other_seed = fit(*network, "trainer.max_epochs=1", "seed=1", folder="other")
    for name, value in plain.state_dict().items():
        assert torch.equal(value, disturbed.state_dict()[name]), name
    assert not torch.equal(plain.generator.upsample[4].weight, other_seed.generator.upsample[4].weight)


def test_augmentations_and_dropout_do_not_see_the_numbers_of_the_latents(fit, outputs):
    _, module = fit("trainer.max_epochs=1")
    latents, _ = module._draw(2)
    shared = torch.Generator().manual_seed(seed_of(module.seed, module.images_seen))
    assert torch.equal(latents, torch.randn(2, module.latent_dim, generator=shared))
    assert torch.initial_seed() != shared.initial_seed()


STATES = {
    "dropout, a penalty": ("network=conv", "network.width=4", "loss=wgan_gp"),
    "normalisation, singular vectors, a lazy penalty, anchors, a probability": (
        *("network=resnet", "network.width=8", "spectral_norm=both", "penalty.interval=3"),
        *("regularizer=lecam", "augment=adaptive"),
    ),
}
"""Beside the moments of Adam."""


@pytest.mark.parametrize("stop", [pytest.param(10, id="at the end of an epoch"), pytest.param(7, id="within an epoch")])
@pytest.mark.parametrize("states", STATES.values(), ids=STATES)
def test_resume_is_exact_to_the_bit(fit, tmp_path, stop, states):
    import signal

    from fmcgan.app.errors import Interrupted

    class Signal(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if pl_module.images_seen == stop * BATCH:
                signal.raise_signal(signal.SIGTERM)

    run = (*states, "n_critic=2", "trainer.limit_train_batches=10")
    trainer, whole = fit(*run, "trainer.max_epochs=2")
    with pytest.raises(Interrupted):
        fit(*run, "trainer.max_epochs=2", extra_callbacks=[Signal()], folder="halved")
    checkpoint = tmp_path / "halved" / "checkpoints" / "last.ckpt"
    resumed_trainer, resumed = fit(*run, "trainer.max_epochs=2", ckpt_path=checkpoint, folder="halved")
    assert resumed.images_seen == whole.images_seen == 20 * BATCH
    assert resumed_trainer.global_step == trainer.global_step == 10
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    for one, two in zip(trainer.optimizers, resumed_trainer.optimizers, strict=True):
        for state, resumed_state in zip(one.state.values(), two.state.values(), strict=True):
            assert all(torch.equal(state[key], resumed_state[key]) for key in state)


def test_resumed_records_are_those_of_an_uninterrupted_run(fit, tmp_path):
    from fmcgan.app.run_files import read_metrics

    fit("trainer.max_epochs=3")
    fit("trainer.max_epochs=1", folder="halved")
    checkpoint = tmp_path / "halved" / "checkpoints" / "last.ckpt"
    with (tmp_path / "halved" / "metrics.jsonl").open("a") as file:  # what a killed session wrote after its checkpoint
        file.write('{"images_seen": 700, "epoch": 1.1, "seconds": 1.0, "loss/generator": 99.0}\n{"images_se')
    fit("trainer.max_epochs=3", ckpt_path=checkpoint, folder="halved")
    whole, halved = (read_metrics(tmp_path / folder / "metrics.jsonl") for folder in ("run", "halved"))
    clock = ("seconds", "images_per_second")
    strip = [[{k: v for k, v in row.items() if k not in clock} for row in rows] for rows in (whole, halved)]
    assert strip[0] == strip[1]
    assert len((tmp_path / "halved" / "epochs.csv").read_text(encoding="utf-8").splitlines()) == 4


def test_a_resumed_run_obeys_its_own_learning_rate(fit, tmp_path):
    fit("trainer.max_epochs=1")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    trainer, _ = fit("trainer.max_epochs=2", "training.generator_optimizer.lr=1e-5", ckpt_path=checkpoint)
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == [1e-5, 2e-3]


@pytest.mark.parametrize("bad", ["n_critic=0", "training.generator_clip=0", "training.ema.half_life=-5"])
def test_wrong_values_are_refused(compose, bad):
    from hydra.errors import InstantiationException

    from fmcgan.train import build

    with pytest.raises((ValueError, InstantiationException), match="must be a"):
        build(compose(bad, "callback=[]"))


@pytest.mark.parametrize("loss", ["wgan_gp", "relativistic"])
def test_an_augmentation_that_reads_signs_needs_a_loss_that_gives_them(compose, loss):
    with pytest.raises(InstantiationException, match=r"Adaptive follows the sign of logits"):
        build(compose("augment=adaptive", f"loss={loss}", "callback=[]"))
    with pytest.raises(InstantiationException, match=r"DiffAugment follows the sign of logits"):
        build(compose("augment=diff_augment", "+augment@augment.policies.last=adaptive", f"loss={loss}", "callback=[]"))
    build(compose("augment=adaptive", "loss=hinge", "callback=[]"))


@pytest.mark.parametrize("where", ["discriminator", "both"])
def test_weight_clipping_needs_a_discriminator_whose_weights_it_bounds(compose, where):
    with pytest.raises(InstantiationException, match=r"choose spectral_norm=none, or loss=wgan_gp"):
        build(compose("loss=wgan", f"spectral_norm={where}", "callback=[]"))
    build(compose("loss=wgan_gp", f"spectral_norm={where}", "callback=[]"))


def test_an_optimizer_is_refused_with_what_it_does_not_take(compose):
    """`experiment=wgan_gp` sets betas, which remain where another optimizer is chosen."""
    others = ["experiment=wgan_gp", "optimizer@training.generator_optimizer=rmsprop"]
    others += ["trainer.precision=32-true", "callback=[]"]
    with pytest.raises(InstantiationException, match=r"generator_optimizer: .*'betas'; .*~training\.gen"):
        build(compose(*others))
    build(compose(*others, "~training.generator_optimizer.betas"))
    with pytest.raises(InstantiationException, match=r"discriminator_optimizer: Invalid learning rate: -1"):
        build(compose("training.discriminator_optimizer.lr=-1.0", "callback=[]"))


def test_a_generator_without_latent_vectors_is_refused(compose):
    with pytest.raises(InstantiationException, match=r"network\.generator must have .*latent_dim"):
        build(compose("network.generator={_target_:torch.nn.Identity}"))


@pytest.mark.parametrize(
    ("device", "strategy", "chosen", "reason"),
    [
        ("cuda", SingleDeviceStrategy(), True, None),
        ("cuda", SingleDeviceStrategy(), False, "training.cuda_graphs=false"),
        ("cuda", DDPStrategy(), True, "DDPStrategy exchanges gradients within the step"),  # also on one device
        ("mps", SingleDeviceStrategy(), True, "the device is mps"),
        ("cpu", SingleDeviceStrategy(), True, None),
    ],
)
def test_one_line_says_why_steps_are_not_replayed(compose, monkeypatch, caplog, device, strategy, chosen, reason):
    _, gan, _ = build(compose(f"training.cuda_graphs={str(chosen).lower()}"))
    recorded = []
    monkeypatch.setattr("fmcgan.training.gan.CapturedStep", lambda *arguments: recorded.append(arguments))
    monkeypatch.setattr(type(gan), "device", torch.device(device))
    trainer = SimpleNamespace(strategy=strategy, optimizers=gan.configure_optimizers(), is_global_zero=True)
    monkeypatch.setattr(type(gan), "trainer", trainer)
    with caplog.at_level(logging.INFO):
        gan._build_step()
    assert bool(recorded) == (device == "cuda" and reason is None)
    assert [record.getMessage() for record in caplog.records] == ([f"CUDA graphs: no ({reason})"] if reason else [])


@pytest.mark.parametrize(("interval", "n_critic", "cycle"), [(1, 1, 1), (4, 1, 4), (1, 5, 5), (4, 6, 12)])
def test_kinds_of_steps_repeat_after_a_cycle(compose, interval, n_critic, cycle):
    _, gan, _ = build(compose(f"penalty.interval={interval}", f"n_critic={n_critic}"))
    assert gan.cycle == cycle


def test_a_gpu_that_runs_no_kernel_ends_a_run_before_it_begins(compose, monkeypatch):
    monkeypatch.setattr(SingleDeviceStrategy, "root_device", torch.device("cuda:0"))

    ones = torch.ones

    def fail(*arguments, device=None, **options):
        if str(device).startswith("cuda"):
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return ones(*arguments, device=device, **options)

    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(UserError, match=r"^cuda:0, .*accelerator=cpu, .*no kernel image .*; use trainer=cpu$"):
        validate(compose())


@pytest.mark.process  # the compiler
@pytest.mark.parametrize("fused", ["auto", "false"])
def test_the_trained_generator_alone_is_fused(compose, fused):
    _, gan, _ = build(compose(f"training.fused={fused}", "callback=[]"))
    keys = gan.state_dict().keys()
    gan.adversarial_step(gan.configure_optimizers())
    trained, average = (
        {module.fused for module in network.modules() if isinstance(module, nn.BatchNorm2d)}
        for network in (gan.generator, gan.ema.generator)
    )
    assert trained == {fused == "auto" and shutil.which("c++") is not None}
    assert average == {False}
    assert gan.state_dict().keys() == keys


def test_other_values_of_fused_are_refused(compose):
    with pytest.raises(InstantiationException, match="fused must be true, false or auto, got 'fast'"):
        build(compose("training.fused=fast", "callback=[]"))
