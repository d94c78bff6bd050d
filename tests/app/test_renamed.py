"""Old names become today's, once, wherever they are read."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import fmcgan.loss
from fmcgan.app.config_dir import config_dir
from fmcgan.app.overrides import parse_arguments
from fmcgan.app.renamed import (
    had_decision_boundary,
    register_options,
    rename_overrides,
    upgrade_checkpoint,
    upgrade_composed,
    upgrade_config,
)
from fmcgan.app.typed_overrides import normalize_overrides
from fmcgan.loss.base import AdversarialLoss


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("penalty@loss.penalty=interpolated", "penalty=wgan_gp"),
        ("penalty@loss.penalty=zero_centered,none", "penalty=r1,none"),
        ("penalty=interpolated_one_sided,zero_centered_fake", "penalty=wgan_lp,r2"),
        ("penalty@mine='zero_centered_both'", "penalty@mine='r1_r2'"),
        ("loss.penalty.weight=5,10", "penalty.weight=5,10"),
        ("++loss.penalty.weight=5", "++penalty.weight=5"),
        ("loss.adversarial.weight_clip=0.1", "loss.weight_clip=0.1"),
        ("callback=[recorder,checkpointing,run_record]", "callback=[metrics_logger,checkpointing,run_info]"),
        ("callback=[recorder],[ recorder, run_record ]", "callback=[metrics_logger],[ metrics_logger, run_info ]"),
        ("callback={recorder: {every_n_batches: 5}}", "callback={metrics_logger: {every_n_batches: 5}}"),
        ("callback.recorder.every_n_batches=1", "callback.metrics_logger.every_n_batches=1"),
        ("~callback.run_record", "~callback.run_info"),
        ("+callback.recorder.x = 1", "+callback.metrics_logger.x = 1"),
        ("callback.checkpointing.best_by=null", "callback.checkpointing.monitor=null"),
        ("callback.checkpointing={best_by: fd}", "callback.checkpointing={monitor: fd}"),
        ("training.capture=false", "training.cuda_graphs=false"),
        ("training.schedules.beta1.start=0.5", "training.schedules.beta1.start_value=0.5"),
        ("training.schedules.beta1.end=range(1,3)", "training.schedules.beta1.end_value=range(1,3)"),
        ("training.schedules.generator_lr.begin=9", "training.schedules.generator_lr.start_images=9"),
        ("training.schedules.generator_lr.until=9", "training.schedules.generator_lr.end_images=9"),
        ("replicates=10", "bootstrap_samples=10"),
        ("rows=[real,noise,copies]", "baselines=[real,uniform_noise,training_copies]"),
    ],
)
def test_an_old_name_becomes_the_new_one(old, new):
    assert rename_overrides([old]) == [new]
    assert rename_overrides([new]) == [new]


@pytest.mark.parametrize(
    "other",
    [
        *(
            "loss.penalty_x=1",
            "my.loss.penalty=1",
            "loss=interpolated",
            "callback.recorders=1",
            "penalty=my_interpolated",
        ),
        *(
            "callback=[my/recorder]",
            "trainer.rows=1",
            "data.root=rows",
            "schedules.beta1.start=1",
            "regularizer.start=0",
        ),
        *("nothing", "", "=1", "seed=[[", "+", "a=b=c", "penalty"),
    ],
)
def test_what_only_looks_like_one_stays(other, caplog):
    assert rename_overrides([other], warn=True) == [other]
    assert not caplog.text


def test_each_old_name_is_warned_of_once_with_the_new_one(caplog):
    typed = parse_arguments(
        [
            *("penalty@loss.penalty=interpolated,interpolated_one_sided", "loss.penalty.weight=1"),
            *("training.schedules.beta1.until=5", "training.schedules.beta2.until=5", "loss.penalty.interval=1"),
        ]
    )
    assert normalize_overrides(typed, "train")[0] == "penalty=wgan_gp,wgan_lp"
    said = [record.getMessage() for record in caplog.records]
    pairs = [("penalty@loss.penalty", "penalty"), ("penalty=interpolated", "penalty=wgan_gp")]
    pairs += [("penalty=interpolated_one_sided", "penalty=wgan_lp"), ("loss.penalty", "penalty")]
    pairs += [("training.schedules.*.until", "training.schedules.*.end_images")]
    assert len(said) == len(pairs)
    for (old, new), message in zip(pairs, said, strict=True):
        assert message.startswith(f"{old} ")
        assert new in message


OLD = {
    "loss": {"penalty": {"_target_": "fmcgan.penalty.none.NoPenalty"}, "adversarial": {"_target_": "a.B"}},
    "training": {
        "_target_": "fmcgan.training.gan.ConditionalGAN",
        "capture": True,
        "schedules": {
            "_target_": "fmcgan.training.schedules.Schedules",
            "beta1": {"_target_": "fmcgan.schedule.linear.Linear", "start": 1, "end": 2, "begin": 3, "until": 4},
            "beta2": {"_target_": "my.Schedule", "start": 1},
        },
    },
    "callback": {
        "recorder": {"_target_": "fmcgan.callback.recorder.Recorder"},
        "checkpointing": {"_target_": "fmcgan.callback.checkpointing.Checkpointing", "best_by": "fd"},
    },
    "rows": 3,
}
NEW = {
    "loss": {"_target_": "a.B"},
    "penalty": {"_target_": "fmcgan.penalty.none.NoPenalty"},
    "training": {
        "_target_": "fmcgan.training.gan.ConditionalGAN",
        "cuda_graphs": True,
        "schedules": {
            "_target_": "fmcgan.training.schedules.Schedules",
            "beta1": {
                **{"_target_": "fmcgan.schedule.linear.Linear", "start_value": 1, "end_value": 2},
                **{"start_images": 3, "end_images": 4},
            },
            "beta2": {"_target_": "my.Schedule", "start": 1},  # not ours
        },
    },
    "callback": {
        "metrics_logger": {"_target_": "fmcgan.callback.metrics_logger.MetricsLogger"},
        "checkpointing": {"_target_": "fmcgan.callback.checkpointing.Checkpointing", "monitor": "fd"},
    },
    "rows": 3,  # nothing of a run
}


def test_a_configuration_of_before_gets_todays_shape():
    assert upgrade_config(OLD) == NEW
    assert upgrade_config(NEW) == NEW


@pytest.mark.parametrize(
    "odd",
    [{"loss": 3}, {"loss": {"adversarial": 3}}, {"callback": {"recorder": [1]}}, {"training": {"schedules": {"a": 1}}}],
)
def test_a_damaged_configuration_is_left_to_its_reader(odd):
    upgrade_config(odd)
    assert upgrade_checkpoint({"config": 3, "callbacks": [1]}) == {"config": 3, "callbacks": [1]}
    assert upgrade_checkpoint(7) == 7


def test_the_losses_of_old_runs_are_what_their_classes_say():
    for file in Path(fmcgan.loss.__path__[0]).glob("*.py"):
        module = import_module(f"fmcgan.loss.{file.stem}")
        for _, loss in inspect.getmembers(module, inspect.isclass):
            if issubclass(loss, AdversarialLoss):
                config = {"loss": {"_target_": f"{loss.__module__}.{loss.__name__}"}}
                assert had_decision_boundary(config) == loss.has_decision_boundary
    assert had_decision_boundary({})


@pytest.fixture
def own(tmp_path):
    """Composes a training run with a loss and an experiment of the user's own, written for the release before."""
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text(
        "defaults:\n  - /penalty@penalty: zero_centered_fake\n  - _self_\nadversarial:\n  _target_: my.Loss\n"
    )
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /schedule@training.schedules.beta1: cosine\n"
        "training:\n  capture: false\n  schedules:\n    beta1:\n      end: 0.5\n      until: 9\n"
        "loss:\n  penalty:\n    weight: 7\n    interval: 2\ncallback:\n  recorder:\n    every_n_batches: 3\n"
    )
    register_options()

    def own(*typed):
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = compose("train", [f"hydra.searchpath=[file://{tmp_path}]", *typed])
        upgrade_composed(config, [each.partition("=")[0] for each in typed])
        return config

    return own


def test_a_users_loss_yaml_of_before_still_works(own, caplog):
    config = own("loss=mine")
    assert config.loss == {"_target_": "my.Loss"}
    assert config.penalty == OmegaConf.load(config_dir() / "penalty" / "r2.yaml")
    assert len(caplog.records) == 2
    assert own("loss=mine", "penalty=none").penalty == OmegaConf.load(config_dir() / "penalty" / "none.yaml")
    caplog.clear()
    upgrade_composed(config, [])
    assert not caplog.text


def test_a_users_experiment_of_before_still_works(own, caplog):
    config = own("experiment=mine", "penalty.weight=5")
    assert config.loss == own().loss
    assert (config.penalty.weight, config.penalty.interval, config.penalty.images) == (5, 2, "real")
    assert (config.training.cuda_graphs, config.callback.metrics_logger.every_n_batches) == (False, 3)
    assert (config.training.schedules.beta1.end_value, config.training.schedules.beta1.end_images) == (0.5, 9)
    assert not {"capture", "recorder", "end", "until"} & {
        *config.training,
        *config.callback,
        *config.training.schedules.beta1,
    }
    assert len(caplog.records) == 5
