"""Every wrong value of a composed configuration gives one line, before anything is measured, fetched or written.

The cases are made: each key of each command's configuration is given each of a set of wrong values. A seeded part of
them is tried here; ``python tests/test_wrong_values.py`` tries all and counts them.
"""

import collections
import copy
import logging
import math
import random
import sys

import pytest
import torch
from hydra import compose as compose_with_hydra
from hydra import initialize_config_dir
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf, open_dict

from fmcgan import analyze, compare, evaluate, export, leaderboard, probe, train, usefulness
from fmcgan.app import checks, resume
from fmcgan.app.config_dir import config_dir
from fmcgan.app.config_validation import check_types, typed_key
from fmcgan.app.dataset import dataset_of
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.data.garments import GARMENTS

pytestmark = pytest.mark.train  # composes or draws for seconds

WRONG = (-1, 0, 1e300, math.nan, math.inf, "abc", "", True, None, [], [1], {"a": 1}, 10**30)

NEVER_MEANT = (1e300, math.nan, math.inf, [], {"a": 1})
"""Not accepted for any key, but for those below."""

HARMLESS = (
    "callback.",
    "logger.",
    "training.schedules.",
    "trainer.plugins",
    "baselines",
    "analysis.truncation.shown",
    "dataset",
    *(f"protocol.{name}" for name in ("sizes", "ratios", "augmented_ratios", "long_tail_sizes")),
)
"""Values of a callback or schedule that was not chosen lie there unused; the other lists may be empty; the data set
replaces what is given of it."""

RECIPES = (
    ["network=conv", "loss=hinge", "augment=adaptive", "regularizer=lecam", "logger=[tensorboard]"],
    ["network=mlp", "loss=wgan", "optimizer@training.generator_optimizer=rmsprop"],
    [
        *("network=r3", "loss=relativistic", "regularizer=consistency"),
        *("schedule@training.schedules.generator_lr=cosine", "schedule@training.schedules.penalty_weight=exponential"),
        *("schedule@training.schedules.beta2=linear", "training.schedules.beta2.start_value=0.9"),
    ],
    ["network=resnet", "loss=dragan", "conditioning/discriminator=auxiliary_classifier", "metric=[manifold,ms_ssim]"],
    ["conditioning/discriminator=label_map", "augment=diff_augment", "data=fashion_mnist", "trainer=ddp"],
)
ALL_SCORES = "frechet,class_frechet,kernel,manifold,gan_test,gan_train_quick,inception_score,memorisation"
COMMANDS = {
    "evaluate": (evaluate._checked_metrics, [f"metric=[{ALL_SCORES},sliced_wasserstein,ms_ssim,spectrum]"]),
    "analyze": (analyze._checked_parts, []),
    "export": (export._output, []),
    "compare": (compare._checked_paths, ["runs=x"]),
    "usefulness": (usefulness._checked_options, []),
    "leaderboard": (leaderboard._checked_options, ["samples=x"]),
    "probe": (probe._checked_options, ["model=a:b"]),
}


def composed(name: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose_with_hydra(name, list(overrides))
    with open_dict(config):
        config.pop("hydra", None)
        if "logger" in config and "tensorboard" in config.logger:
            config.logger.tensorboard.save_dir = "nowhere"
    return config


def composed_run(*overrides: str) -> DictConfig:
    usual = ["experiment=smoke", "trainer.default_root_dir=nowhere", "trainer.accelerator=cpu", "logger=[]"]
    config = composed("train", *usual, *overrides)
    config.dataset = GARMENTS.as_config()
    return config


def check_run(config: DictConfig) -> None:
    """What `train` does before it reads a checkpoint."""
    resume.check_config(config)
    config.dataset = dataset_of(config.data, config.seed)
    train.validate(config)


def keys(config: DictConfig, above: str = ""):
    for name, value in OmegaConf.to_container(config, resolve=False).items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from keys(config[name], f"{above}{name}.")


def cases(config: DictConfig):
    return [(key, value) for key in keys(config) for value in WRONG]


def outcome(check, config: DictConfig, key: str, value) -> str:
    """``accepted``, or what the user reads."""
    changed = copy.deepcopy(config)
    OmegaConf.set_struct(changed, False)
    OmegaConf.update(changed, key, value, merge=False)
    OmegaConf.set_struct(changed, True)
    try:
        check(changed)
    except Exception as error:
        return format_error(error, changed)
    return "accepted"


def check_outcome(text: str, key: str, value) -> None:
    if text == "accepted":
        never = any(value is each or value == each for each in NEVER_MEANT)
        assert not never or key.startswith(HARMLESS), f"{key}={value!r} is accepted"
    else:
        assert text.startswith("error: "), f"{key}={value!r}: {text}"
        assert "\n" not in text
        assert len(text) < 600


@pytest.fixture
def untouched(monkeypatch, tmp_path):
    """An empty folder to be in, and an error where anything is fetched, measured or trained."""
    from fmcgan.data import archive, downloaded
    from fmcgan.metric.evaluation import Evaluator
    from fmcgan.training import precision

    def refuse(*args, **kwargs):
        raise AssertionError("something was begun")

    for module in (archive, downloaded):
        monkeypatch.setattr(module, "ensure_archives", refuse)
    monkeypatch.setattr(precision, "faster_precision", refuse)
    monkeypatch.setattr(Evaluator, "__init__", refuse)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe[0])
def test_a_wrong_value_of_a_run_is_refused_in_one_line(untouched, recipe):
    config = composed_run(*recipe)
    check_run(copy.deepcopy(config))  # as it is
    for key, value in random.Random(f"seed of {recipe[0]}").sample(cases(config), 8):
        check_outcome(outcome(check_run, config, key, value), key, value)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_value_of_a_command_is_refused_in_one_line(untouched, name):
    check, overrides = COMMANDS[name]
    config = composed(name, *overrides)
    check(copy.deepcopy(config))
    everything = cases(config)
    for key, value in random.Random(1).sample(everything, min(20, len(everything))):
        check_outcome(outcome(check, config, key, value), key, value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batch_size=-4", "data.batch_size must be a whole number of at least 1, got -4"),
        ("data.batch_size=5000", "data.batch_size must be at most 2000, the number of training images"),
        ("network.width=abc", "network.width must be a whole number of at least 1, got 'abc'"),
        ("network.generator=null", "network.generator must be an object with a _target_: choose with network= from"),
        ("penalty._target_=null", "penalty._target_ must be the dotted name of a class"),
        ("training.schedules=null", "training.schedules must be an object with a _target_"),
        ("training.generator_optimizer.betas=[0.5]", "training.generator_optimizer.betas must be a list of 2 values"),
        ("training.generator_optimizer.lr=abc", "training.generator_optimizer.lr must be a finite number, got 'abc'"),
        ("training.generator_optimizer.lr=0", "training.generator_optimizer.lr must be a number above 0, got 0"),
        ("training.discriminator_optimizer.fused=5", "training.discriminator_optimizer.fused must be true or false"),
        ("callback.checkpointing.monitor=5", "callback.checkpointing.monitor must be a prefix of a score's name"),
        (
            "callback.checkpointing.monitor=foo",
            "monitor=foo matches no score of this run: fd_classifier",
        ),
        ("callback.samples.n_columns=100000", "at least 1 and at most 100, got 100000"),
        ("callback.evaluation.n=1000000000", "callback.evaluation.n must be a whole number of at least 10 and at most"),
        ("callback=[evaluation]", "the callback metrics_logger is missing"),
        ("callback.evaluation.scores=5", "callback.evaluation.scores must be named objects"),
        ("trainer.devices=0", "trainer.devices must be a whole number of at least 1, a list of devices"),
        ("trainer.limit_train_batches=0.001", "of 62 batches leaves none"),
        ("trainer.max_time=-1", "trainer.max_time must be DD:HH:MM:SS"),
        ("trainer.max_time=[1]", "trainer.max_time must be DD:HH:MM:SS"),
        ("trainer.max_time=10:00", "trainer.max_time must be DD:HH:MM:SS"),
        ("n_critic=9999", "n_critic=9999 exceeds the 40 batches"),
        ("ckpt_path=[a]", "ckpt_path must be one path"),
        ("training.generator_optimizer._target_=torch.optim.Nope", "cannot import torch.optim.Nope"),
        ("+callback.mine._target_=no_such_module.Mine", "callback.mine: Python cannot import no_such_module.Mine"),
        ("+callback.mine={_target_:os.getcwd}", "callback: str is no Lightning Callback"),
        ("trainer.accelerator=tpu", "torch_xla"),
        ("+trainer.overfit_batches=2", "trainer.overfit_batches is not supported"),
    ],
)
def test_what_is_said_of_a_wrong_value(untouched, override, message):
    config = composed_run(override)
    with pytest.raises((UserError, InstantiationException)) as error:
        check_run(config)
    assert message in format_error(error.value, config)


def test_what_a_class_hands_on_is_checked_as_its_base_asks():
    with pytest.raises(InvalidValueError, match=r"^logger.tensorboard.name must be a text or null, got \['a'\]"):
        check_types(composed_run("logger=[tensorboard]", "logger.tensorboard.name=[a]"))


def test_a_schedule_that_cannot_end_is_named(untouched):
    begin = ("schedule@training.schedules.generator_lr=linear", "training.schedules.generator_lr.start_images=10000")
    with pytest.raises(
        InvalidValueError, match=r"^training.schedules.generator_lr.end_images must be larger than start_images"
    ):
        check_run(composed_run(*begin))


@pytest.mark.parametrize(
    "wrong", ["data.batch_size=-4", "data.batch_size=60001", "n_critic=99999", "metric=[gan_test]"]
)
def test_nothing_is_begun_before_all_is_checked(untouched, wrong):
    """With all that a run does first: the trial of precisions, the download, the measurement of real images."""
    config = composed_run("data=fashion_mnist", "trainer.precision=auto", "callback.checkpointing.monitor=fd", wrong)
    with pytest.raises((UserError, InstantiationException)) as error:
        train.train(config)
    assert format_error(error.value, config).startswith("error: ")


def test_validation_leaves_no_trace_in_the_run(untouched):
    config = composed_run("trainer.precision=auto")
    before = OmegaConf.to_container(config)
    train.validate(config)
    assert OmegaConf.to_container(config) == before
    _, gan, _ = train.build(composed_run())
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert all(not parameter.is_meta for parameter in gan.parameters())
    config = composed_run()
    train.validate(config)
    _, again, _ = train.build(config)
    assert all(torch.equal(one, other) for one, other in zip(gan.parameters(), again.parameters(), strict=True))
    assert not torch.equal(torch.get_rng_state(), state)  # `build` seeds anew, whatever validation has drawn


@pytest.mark.parametrize(("given", "meant"), [(60, "00:00:01:00"), (5, "00:00:00:05"), (90_061, "01:01:01:01")])
def test_seconds_are_a_time_limit(given, meant):
    config = composed_run(f"trainer.max_time={given}")
    check_run(config)
    assert config.trainer.max_time == meant


def test_a_tiny_rate_is_allowed(untouched):
    check_run(composed_run("training.generator_optimizer.lr=1e-12"))


def test_a_score_that_was_left_out_is_allowed(untouched, caplog):
    check_run(composed_run("metric=[gan_test]"))  # nobody chose the usual monitor
    assert not caplog.records
    check_run(composed_run("metric=[]", "callback.checkpointing.monitor=label_agreement"))
    assert "this run measures no scores" in caplog.text


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("evaluate", "reference=foo", "reference must be one of train, test, got 'foo'"),
        ("analyze", "reference=foo", "reference must be one of train, test, got 'foo'"),  # by the same code
        ("evaluate", "bootstrap_samples=1", "must be a whole number of at least 10, got 1"),
        ("evaluate", "bootstrap_samples=1000000000", "at most 10000"),
        ("evaluate", "n=1000000000000", "at most 1000000"),
        ("evaluate", "n=1234", "n must be a multiple of 10"),
        ("analyze", "n=1234", "n must be a multiple of 10"),
        ("evaluate", "device=meta", "device=meta is not available"),
        ("evaluate", "device=[cpu]", "device must be cpu, cuda"),
        ("evaluate", "device=nan", "device must be cpu, cuda"),
        ("evaluate", "weights=5", "weights must be one of ema, raw, got 5"),
        ("evaluate", "output=[a]", "output must be one path"),
        ("evaluate", "output=1e3", "needs two quotes"),
        ("evaluate", "run=''", "run must be one path"),
        ("evaluate", "metric.frechet=null", "metric.frechet must be an object with a _target_"),
        ("analyze", "metric.frechet=null", "metric.frechet must be an object with a _target_"),
    ],
)
def test_what_is_said_of_wrong_samples(untouched, name, override, message):
    config = composed(name, override)
    with pytest.raises(UserError) as error:
        COMMANDS[name][0](config)
    assert message in format_error(error.value, config)


@pytest.mark.parametrize("classes", ["1.0", "true", "[[1]]", "{a: 1}", ".nan"])
def test_classes_that_do_not_exist(classes):
    with pytest.raises(UserError, match=r"unknown class|classes must be names or labels"):
        evaluate._checked_metrics(composed("evaluate", f"classes={classes}"))


@pytest.mark.parametrize("runs", ["''", "null", "[]", "[a,null]", "[[a]]", "true"])
def test_runs_that_are_no_folders(runs):
    with pytest.raises(UserError, match="runs must be"):
        compare._checked_paths(composed("compare", f"runs={runs}"))


def test_a_run_that_is_named_twice_is_compared_once(monkeypatch, tmp_path, caplog):
    from fmcgan.comparison import comparison, results, summary
    from fmcgan.comparison import runs as comparison_runs

    compared = []
    monkeypatch.setattr(comparison_runs, "find_runs", lambda path: [path])
    monkeypatch.setattr(results, "gather", compared.extend)
    monkeypatch.setattr(comparison, "write_comparison", lambda found, output: None)
    monkeypatch.setattr(summary, "summary", lambda found, output, columns: "")
    monkeypatch.chdir(tmp_path)
    compare.compare_runs(composed("compare", "runs=[b,a,b,./a]", "output=."))
    assert [path.name for path in compared] == ["b", "a"]
    assert "2 of 4 runs more than once" in caplog.text


def test_a_value_that_stands_in_several_places_is_called_as_the_user_does():
    config = composed_run("network=r3")
    assert typed_key(config, "network.generator.width") == "network.width"
    assert typed_key(config, "callback.evaluation.scores.gan_test.batch_size") == "metric.gan_test.batch_size"
    assert typed_key(config, "trainer.max_epochs") == "trainer.max_epochs"
    assert typed_key(config, "trainer.plugins[0].value") == "trainer.plugins[0].value"


@pytest.mark.parametrize("check", [checks.whole_number, checks.number, checks.positive_number])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**30, "1", None, True, [1]])
def test_what_no_number_is(check, value):
    with pytest.raises(InvalidValueError, match=r"^rate must be a") as error:
        check(rate=value)
    assert error.value.name == "rate"


def _count_all() -> None:
    """Tries every case."""
    logging.disable(logging.WARNING)
    counts: collections.Counter = collections.Counter()
    runs = [(check_run, composed_run(*recipe)) for recipe in ([], *RECIPES)]
    for check, config in [*runs, *((check, composed(name, *given)) for name, (check, given) in COMMANDS.items())]:
        for key, value in cases(config):
            text = outcome(check, config, key, value)
            counts["accepted" if text == "accepted" else "refused"] += 1
            try:
                check_outcome(text, key, value)
            except AssertionError as failure:
                counts["wrong"] += 1
                sys.stderr.write(f"{failure}\n")
        sys.stderr.write(f"{dict(counts)}\n")


if __name__ == "__main__":
    _count_all()
