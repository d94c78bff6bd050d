"""Overrides that cannot be meant are refused in one line; those that a class takes are allowed."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from fmcgan.app import hydra_app
from fmcgan.app.composed_overrides import check_composed
from fmcgan.app.config_dir import config_dir
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import parse, parse_arguments
from fmcgan.app.typed_overrides import normalize_overrides


@pytest.mark.parametrize(
    ("name", "overrides", "told"),
    [
        ("train", "seed=1 seed=2", "seed is given twice, seed=1 and seed=2"),
        ("train", "loss=hinge loss=wgan", "loss is given twice"),
        ("train", "+trainer.x=1 ++trainer.x=2", "trainer.x is given twice"),
        ("train", "penalty=none penalty=dragan", "penalty is given twice"),
        ("train", "=1", "has no key in front of ="),
        ("train", "={a:1}", "has no key in front of ="),
        ("train", "banana", "banana .*key=value"),
        ("train", "~data", "~data: this command needs data; data=OPTION"),
        ("train", "~trainer", "command needs trainer"),
        ("train", "~seed", "~seed: this command needs seed; seed=VALUE"),
        ("evaluate", "~data=fashion_mnist", "command needs data"),
        ("generate", "~n_per_class", "command needs n_per_class"),
        ("train", "ckpt_path=[a]", r"ckpt_path must be one path, got \[a\]"),
        ("train", "ckpt_path={a:b}", r"ckpt_path must be one path, got \{a:b\}"),
        ("train", "ckpt_path=", "ckpt_path= is empty"),
        ("train", "ckpt_path=''", "ckpt_path= is empty"),
        ("train", "++ckpt_path=[a]", "ckpt_path must be one path"),
        ("train", "ckpt_path=~/x.ckpt", "a shell does not expand ~ here"),
        ("train", "hydra.run.dir=", "hydra.run.dir= is empty"),
        ("train", "data.root=[a]", "data.root must be one path"),
        ("generate", "output=", "output= is empty"),
        ("generate", "run=[a,b]", "run must be one path"),
        ("evaluate", "output=[a]", "output must be one path"),
        ("compare", "runs=''", "runs= is empty"),
        ("compare", "runs=[a,[b]]", "runs must be a list of paths"),
        ("train", "experiment=[smoke,quick]", "experiment takes one option, got .* available: best"),
        ("train", "loss=[hinge]", "loss takes one option"),
        ("train", "penalty=7", "there is no penalty=7; available: dragan"),
        ("train", "data=5", "there is no data=5; available: cifar10, digits, "),
        ("train", "callback=[1]", "there is no callback="),
        ("train", "data=null", "command needs data"),
        ("train", "callback=null", r"callback takes a list, got null; callback=\[\]"),
        ("train", "+experiment=smoke", "experiment exists already"),
        ("train", "++loss=hinge", "loss exists already"),
        ("train", "experiment=null", "experiment=null: leave that out, or choose from best"),
        ("train", "conditioning/generator=null", "leave that out, or choose from concatenation"),
        ("train", "penalty=null", "penalty=null: this command needs penalty; available: dragan"),
        ("train", "penalty=[none]", "penalty takes one option"),
        ("train", "callback=[metrics_logger,null]", "there is no callback="),
        ("train", "-m loss=hinge,null", "null is no option of loss"),
        ("train", f"seed={'9' * 5000}", "seed=9+"),
    ],
)
def test_what_cannot_be_meant_is_refused(name, overrides, told):
    with pytest.raises(UserError, match=told) as error:
        normalize_overrides(parse_arguments(overrides.split()), name)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        "callback=samples",
        "metric=[]",
        "~experiment",
        "~logger",
        "~callback",
        "~training.generator_optimizer.fused",
        "schedule@training.schedules.beta1=cosine optimizer@training.generator_optimizer=rmsprop",
        "optimizer@training.discriminator_optimizer=adam optimizer@training.generator_optimizer=adam",
        "hydra.run.dir=a hydra.run.dir=a",  # as Lightning starts the processes of other devices
        "-m loss=hinge,wgan seed=range(1,3) experiment=smoke,quick",
        "callback={samples:{seed:1}}",
        "data.root=${oc.env:HOME}",
        "ckpt_path=null",
    ],
)
def test_what_can_be_meant_stays_as_it_is(overrides):
    line = parse_arguments(overrides.split())
    assert normalize_overrides(line, "train") == line.overrides


def test_no_word_is_lost_as_the_name_of_a_folder():
    names = ("7", "1e3", "true", "null", "2026_11_29")
    for override in (f"hydra.{kind}.dir={name}" for kind in ("run", "sweep") for name in names):
        (meant,) = normalize_overrides(parse_arguments([override]), "train")
        assert parse(meant).value() == override.partition("=")[2]


@pytest.fixture
def check():
    """Composes and checks like a command does."""

    def check(*overrides):
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = compose("train", ["experiment=smoke", *overrides], return_hydra_config=True)
            with open_dict(config):
                config.hydra.job.config_name = "train"
                config.hydra.runtime.output_dir = "."
            HydraConfig.instance().set_config(config)
            check_composed(DictConfig({key: config._get_node(key) for key in config if key != "hydra"}))

    return check


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("+foo=1", "unknown key foo: nothing reads it.*Known there: augment, callback"),
        ("++foo=1", "unknown key foo"),
        ("++x.y=2", "unknown key x.y: .*Known there: augment"),
        ("+foo={_target_:torch.load}", "unknown key foo"),
        ("+foo._target_=torch.load", "unknown key foo._target_"),
        ("+network.foo=1", "unknown key network.foo.*Known there: discriminator, generator, latent_dim, width"),
        ("+network.generator.foo=1", "unknown key network.generator.foo"),
        ("+trainer.foo=1", "unknown key trainer.foo"),
        ("+data.foo.bar=1", "unknown key data.foo.bar"),
        ("+callback.mine=1", "unknown key callback.mine"),
        ("+callback.mine.x=1", "unknown key callback.mine.x"),
        ("+training.schedules.foo=1", "unknown key training.schedules.foo"),
        ("+optimizer=adam", "unknown key optimizer"),
        ("+loss@another=hinge", "unknown key another"),
        ("+trainer.max_steps=1", "trainer.max_steps is not supported.*trainer.max_epochs"),
        ("++trainer.max_steps=1", "trainer.max_steps is not supported"),
        ("+trainer.callbacks=[]", "trainer.callbacks is not supported: callback="),
        ("+trainer.logger=true", "trainer.logger is not supported"),
        ("+trainer.fast_dev_run=true", "trainer.fast_dev_run is not supported"),
        ("+trainer.val_check_interval=1", "trainer.val_check_interval is not supported"),
        ("training.generator_optimizer=rmsprop", "optimizer@training.generator_optimizer=rmsprop"),
    ],
)
def test_what_has_no_effect_is_refused(check, override, told):
    with pytest.raises(UserError, match=told):
        check(override)


@pytest.mark.parametrize(
    "overrides",
    [
        ["+trainer.deterministic=true"],
        ["+trainer.deterministic=false", "++trainer.max_epochs=3", "++seed=3", "++network.width=8"],
        ["+training.generator_optimizer.weight_decay=0.1", "+data._convert_=all"],
        ["+callback.mine._target_=a.B", "+callback.mine.x=1"],
        ["+callback.mine={_target_: a.B, x: {y: 1}}", "+logger.csv={_target_: a.C}"],
        ["loss={_target_: my.Loss}"],
    ],
)
def test_what_a_class_takes_can_be_added(check, overrides):
    check(*overrides)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("betas=abc", "Did you mean training.discriminator_optimizer.betas or training.generator_optimizer.betas"),
        ("max_epochs=1", "Did you mean trainer.max_epochs"),
        ("network.widht=3", "Did you mean network.width?"),
        ("widht=3", "unknown key widht"),
        ("training.schedules.beta1=cosine", "schedule@training.schedules.beta1=OPTION"),
        ("+seed=3", "An item is already at 'seed'"),
    ],
)
def test_an_unknown_key_is_told_with_its_full_name(check, override, told):
    with pytest.raises(HydraException) as error:
        check(override)
    assert told in format_error(error.value)
    assert "Traceback" not in format_error(error.value)


@pytest.mark.parametrize("place", ["a${b}", "${x}"])
def test_a_folder_that_hydra_would_interpolate_is_told(tmp_path, monkeypatch, place):
    (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / place)
    with pytest.raises(UserError, match="Hydra reads as an interpolation"):
        normalize_overrides(parse_arguments(["seed=1"]), "train")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="Hydra reads"):
        hydra_app._with_saved_overrides(parse_arguments([f"ckpt_path='{place}/checkpoints/last.ckpt'"]), "train")
