import copy
import math
import signal

import pytest
import torch
from hydra.errors import InstantiationException
from lightning.pytorch import Callback

from fmcgan.app.errors import Interrupted, InvalidValueError
from fmcgan.schedule.constant import Constant
from fmcgan.schedule.cosine import Cosine
from fmcgan.schedule.exponential import Exponential
from fmcgan.schedule.linear import Linear
from fmcgan.train import build
from fmcgan.training.schedules import Schedules

BATCH = 32


def chosen(knob, option, **values):
    given = [f"training.schedules.{knob}.{name}={value}" for name, value in values.items()]
    return [f"schedule@training.schedules.{knob}={option}", *given]


class Watch(Callback):
    """What a step used, seen right after it; and the GAN before each."""

    def __init__(self):
        self.used, self.outputs, self.before = [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before.append([copy.deepcopy(list(pl_module.generator.parameters())), copy.deepcopy(pl_module.ema)])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.used.append([(each.param_groups[0]["lr"], each.param_groups[0]["betas"]) for each in trainer.optimizers])
        self.outputs.append({name: value.item() for name, value in outputs.items()})


def test_the_second_of_two_steps_at_half_the_rate_is_adams_by_hand(fit):
    """Adam (Kingma and Ba 2015, algorithm 1) in float64 from the gradients that the run met."""
    gradients, watch = [], Watch()

    class Gradients(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            gradients.append([parameter.grad.double().clone() for parameter in pl_module.generator.parameters()])

    run = ("network=mlp", "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    schedule = chosen("generator_lr", "linear", end_images=2 * BATCH)
    _, gan = fit(*run, *schedule, extra_callbacks=[Gradients(), watch])
    assert [rates[0][0] for rates in watch.used] == pytest.approx([2e-3, 1e-3])
    assert [rates[1][0] for rates in watch.used] == [2e-3, 2e-3]
    start = watch.before[0][0]
    for weight, value, first, second in zip(start, gan.generator.parameters(), *gradients, strict=True):
        expected, m, v = weight.detach().double(), 0.0, 0.0
        for count, (rate, gradient) in enumerate([(2e-3, first), (1e-3, second)], start=1):
            m, v = gradient, 0.99 * v + 0.01 * gradient**2  # betas 0 and 0.99
            expected = expected - rate * m / ((v / (1 - 0.99**count)).sqrt() + 1e-8)
        assert torch.allclose(value.double(), expected, rtol=0, atol=1e-6)  # a float32 weight of 1 to 2


def test_the_penalty_is_as_many_times_as_heavy(fit):
    one, two = Watch(), Watch()
    run = ("loss=wgan_gp", "network=mlp", "trainer.max_epochs=1", "trainer.limit_train_batches=2")
    fit(*run, extra_callbacks=[one], folder="plain")
    fit(
        *run,
        *chosen("penalty_weight", "linear", start_value=3.0, end_value=0.0, end_images=BATCH),
        extra_callbacks=[two],
    )
    assert two.outputs[0]["loss/penalty"] == pytest.approx(3 * one.outputs[0]["loss/penalty"], rel=1e-6)
    assert two.outputs[1]["loss/penalty"] == 0.0
    for each in two.outputs:
        assert each["loss/discriminator"] == pytest.approx(each["loss/adversarial"] + each["loss/penalty"], rel=1e-5)


def test_the_averages_half_life_follows_its_factor(fit):
    watch = Watch()
    run = (
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=3",
        "network=mlp",
        "training.ema.half_life=64",
        "training.ema.ramp_up=1",
    )
    _, gan = fit(
        *run,
        *chosen("ema_half_life", "linear", start_value=0.25, end_value=1.25, end_images=4 * BATCH),
        extra_callbacks=[watch],
    )
    before, value, after = watch.before[-1][1], next(gan.generator.parameters()), next(gan.ema.parameters())
    kept = 0.5 ** (BATCH / (0.75 * 64))  # 64 images seen at the beginning of the third step
    expected = kept * next(before.parameters()) + (1 - kept) * value
    assert torch.allclose(after, expected, atol=1e-7)
    watch = Watch()
    _, gan = fit(*run, *chosen("ema_half_life", "constant", value=0.0), extra_callbacks=[watch], folder="copy")
    assert torch.equal(next(gan.ema.parameters()), next(gan.generator.parameters()))


def test_betas_are_the_values_of_their_schedules(fit):
    watch = Watch()
    burn_in = chosen("beta2", "cosine", start_value=0.9, end_value=0.99, end_images=2 * BATCH)
    fit("network=mlp", "trainer.max_epochs=1", "trainer.limit_train_batches=4", *burn_in, extra_callbacks=[watch])
    assert [used[0][1][1] for used in watch.used] == pytest.approx([0.9, 0.945, 0.99, 0.99])
    assert all(both[0][1] == both[1][1] and both[0][1][0] == 0.0 for both in watch.used)


def test_the_record_shows_the_rates_of_the_last_step(fit, tmp_path):
    from fmcgan.app.run_files import read_metrics

    schedule = chosen("discriminator_lr", "cosine", end_images=20 * BATCH)
    fit("network=mlp", "trainer.max_epochs=1", *schedule)
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "learning_rate/generator" in row]
    assert len(rows) == 4
    for row in rows:
        share = (row["images_seen"] - BATCH) / (20 * BATCH)  # at the beginning of its last step
        assert row["learning_rate/discriminator"] == pytest.approx(1e-3 * (1 + math.cos(math.pi * share)))
        assert row["learning_rate/generator"] == 2e-3


def test_constants_of_1_change_no_bit(fit):
    knobs = ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life")
    constants = [word for knob in knobs for word in chosen(knob, "constant")]
    run = ("network=mlp", "trainer.max_epochs=1", "trainer.limit_train_batches=5")
    _, plain = fit(*run, folder="plain")
    _, constant = fit(*run, *constants)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, constant.state_dict()[name]), name


def test_resume_amid_all_schedules_is_exact_to_the_bit(fit, tmp_path):
    class Signal(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if pl_module.images_seen == 7 * BATCH:
                signal.raise_signal(signal.SIGTERM)

    span = {"start_images": 3 * BATCH, "end_images": 17 * BATCH}
    run = ["loss=wgan_gp", "n_critic=2", "network=mlp", "trainer.limit_train_batches=10", "trainer.max_epochs=2"]
    for knob in ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life"):
        run += chosen(knob, "cosine", end_value=0.1, warm_up=5 * BATCH, **span)
    run += chosen("beta1", "linear", start_value=0.0, end_value=0.5, **span) + chosen(
        "beta2", "linear", start_value=0.9, end_value=0.99, **span
    )
    trainer, whole = fit(*run)
    with pytest.raises(Interrupted):
        fit(*run, extra_callbacks=[Signal()], folder="halved")
    checkpoint = tmp_path / "halved" / "checkpoints" / "last.ckpt"
    resumed_trainer, resumed = fit(*run, ckpt_path=checkpoint, folder="halved")
    assert resumed.images_seen == 20 * BATCH
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    for one, two in zip(trainer.optimizers, resumed_trainer.optimizers, strict=True):
        assert one.param_groups[0]["lr"] == two.param_groups[0]["lr"] == pytest.approx(2e-4)
        assert one.param_groups[0]["betas"] == two.param_groups[0]["betas"] == (0.5, 0.99)


def test_a_moving_rate_is_one_that_float32_holds_and_a_still_one_is_left_alone():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizers = [torch.optim.Adam([weight], 4e-4), torch.optim.Adam([weight], 4e-4)]
    schedules = Schedules(Linear(1.0, 0.5, start_images=0, end_images=3), Constant(1.0))
    schedules.set_rates(optimizers, 1)
    moving, still = (optimizer.param_groups[0]["lr"] for optimizer in optimizers)
    assert moving == torch.tensor(4e-4 * 5 / 6, dtype=torch.float32).item() != 4e-4 * 5 / 6
    assert still == 4e-4
    assert schedules.moving_rates(optimizers) == optimizers[:1]


def test_values_of_a_schedule_that_nobody_chose_are_told_of(caplog):
    schedules = Schedules(generator_lr={"warm_up": 30_000})
    assert schedules.rates == (None, None)
    assert "generator_lr has no schedule, so warm_up=30000 is not used" in caplog.text


def test_a_schedule_of_what_is_not_there_is_told_of(compose, caplog):
    idle = chosen("penalty_weight", "cosine") + chosen("ema_half_life", "cosine")
    build(compose("trainer.precision=32-true", *idle))
    assert "changes nothing" not in caplog.text
    build(compose("trainer.precision=32-true", "loss=hinge", "training.ema.half_life=0", *idle))
    assert "training.schedules.penalty_weight changes nothing: the loss has no penalty" in caplog.text
    assert "training.schedules.ema_half_life changes nothing: the average is a copy" in caplog.text


def test_a_number_is_not_a_schedule():
    with pytest.raises(InvalidValueError, match=r"beta2 must be a schedule, .*.*beta2=cosine, got 0\.99"):
        Schedules(beta2=0.99)


def test_betas_need_an_optimizer_with_betas():
    optimizers = [torch.optim.RMSprop([torch.nn.Parameter(torch.zeros(1))]) for _ in range(2)]
    Schedules(generator_lr=Constant(1.0)).check_optimizers(optimizers)
    with pytest.raises(InvalidValueError, match="need an optimizer with betas, such as Adam, got RMSprop"):
        Schedules(beta2=Constant(0.9)).check_optimizers(optimizers)


@pytest.mark.parametrize(
    ("knob", "values", "message"),
    [
        ("generator_lr", {"end_value": -0.1}, r"generator_lr.end_value must be a number of at least 0, got -0.1"),
        ("beta2", {"end_value": 0.99}, r"beta2.start_value must be a number from 0 to 0.999999, got 1.0"),
        (
            "penalty_weight",
            {"start_images": 9, "end_images": 9},
            r"end_images must be larger than start_images, got end_images=9 and start_images=9",
        ),
    ],
)
def test_wrong_values_are_refused_before_anything_is_trained(compose, knob, values, message):
    from fmcgan.app.error_messages import format_error

    with pytest.raises(InstantiationException) as error:
        build(compose(*chosen(knob, "cosine", **values), "callback=[]"))
    assert format_error(error.value).startswith("error: training.schedules")
    assert message in format_error(error.value)


def test_without_a_choice_nothing_is_scheduled_and_an_experiment_may_choose(compose, tmp_path):
    assert list(compose().training.schedules) == ["_target_"]
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "burn_in.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n"
        "  - override /schedule@training.schedules.generator_lr: cosine\n"
        "training:\n"
        "  schedules:\n"
        "    generator_lr:\n"
        "      end_value: 0.25\n"
    )
    experiment = (f"hydra.searchpath=[file://{tmp_path}]", "experiment=burn_in")
    schedule = compose(*experiment).training.schedules.generator_lr
    assert (schedule["_target_"], schedule.end_value) == ("fmcgan.schedule.cosine.Cosine", 0.25)
    assert (
        compose(*experiment, "training.schedules.generator_lr.end_value=0.5").training.schedules.generator_lr.end_value
        == 0.5
    )
    gone = ("~schedule@training.schedules.generator_lr", "callback=[]", "trainer.precision=32-true")
    _, gan, _ = build(compose(*experiment, *gone))
    assert gan.schedules.rates == (None, None)


@pytest.mark.train
def test_every_schedule_is_built_for_every_knob(compose):
    options = {"constant": Constant, "linear": Linear, "cosine": Cosine, "exponential": Exponential}
    knobs = ("generator_lr", "discriminator_lr", "penalty_weight", "ema_half_life")
    for option, kind in options.items():
        betas = {"value": 0.5} if option == "constant" else {"start_value": 0.5, "end_value": 0.9}
        words = [word for knob in knobs for word in chosen(knob, option)]
        words += [word for knob in ("beta1", "beta2") for word in chosen(knob, option, **betas)]
        _, gan, _ = build(compose(*words, "callback=[]"))
        built = [*gan.schedules.rates, gan.schedules.penalty_weight, gan.schedules.ema_half_life]
        built += gan.schedules.betas
        assert [type(each) for each in built] == [kind] * 6
