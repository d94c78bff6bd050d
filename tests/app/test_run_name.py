"""`name=` and `lr=`: short words for several settings."""

import json

import pytest
import torch
from omegaconf import OmegaConf

from fmcgan.app import resume
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.app.overrides import key_of, parse
from fmcgan.app.run_name import check_name, folder_overrides


def folders(*overrides: str) -> list[str]:
    return folder_overrides({key_of(each): each for each in map(parse, overrides)})


def test_a_name_names_the_folders_that_are_not_given():
    assert folders("name=first") == ["hydra.run.dir=outputs/first", "hydra.sweep.dir=outputs/multirun/first"]
    assert folders("name=7", "hydra.run.dir=x") == ["hydra.sweep.dir=outputs/multirun/7"]
    assert folders("seed=1") == folders("name=null") == []


@pytest.mark.parametrize(
    "name", ["a/b", "../a", ".a", "-a", "a=b", "", "last", "best", "multirun", "ä", 1.5, True, "a" * 101]
)
def test_what_cannot_name_a_folder_and_a_file_is_refused(name):
    with pytest.raises(InvalidValueError, match=r"^name must have .*, got "):
        check_name(name)


def test_a_sweep_over_names_is_refused():
    with pytest.raises(InvalidValueError, match="whole sweep"):
        folders("name=a,b")


@pytest.fixture
def config():
    optimizers = {f"{network}_optimizer": {"lr": 1.0, "betas": [0, 1]} for network in ("generator", "discriminator")}
    return OmegaConf.create({"lr": None, "training": optimizers})


def rates(config):
    resume._set_learning_rates(config)
    return [config.training[f"{network}_optimizer"].lr for network in ("generator", "discriminator")]


def test_lr_sets_both_learning_rates(config):
    assert rates(config) == [1.0, 1.0]
    config.lr = 0.25
    assert rates(config) == [0.25, 0.25]


@pytest.mark.parametrize("lr", [0, -1, "fast", True])
def test_a_wrong_lr_is_named(config, lr):
    config.lr = lr
    with pytest.raises(InvalidValueError, match=r"^lr must be a number above 0"):
        rates(config)


def test_lr_beside_one_of_the_two_is_refused(config, monkeypatch):
    monkeypatch.setattr(resume, "applied_overrides", lambda: ["lr=0.5", "training.discriminator_optimizer.lr=0.1"])
    config.lr = 0.5
    with pytest.raises(UserError, match=r"training\.discriminator_optimizer\.lr is given too"):
        rates(config)


def test_a_run_gets_its_name(command, tmp_path):
    few = ["experiment=smoke", "metric=[]", "trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    command("train", *few, "name=first", "lr=3e-3")
    run = tmp_path / "outputs" / "first"
    last, named = ((run / "checkpoints" / f"{name}.ckpt").read_bytes() for name in ("last", "first"))
    assert last == named
    saved = torch.load(run / "checkpoints" / "first.ckpt", weights_only=True)["config"]
    assert saved["name"] == "first"
    assert [saved["training"][f"{each}_optimizer"]["lr"] for each in ("generator", "discriminator")] == [3e-3, 3e-3]
    again = command("train", *few, "name=first", code=1)
    assert "outputs/first already holds a run" in again.stderr
    command("train", "ckpt_path=outputs/first/checkpoints/last.ckpt", "trainer.max_epochs=2")
    assert json.loads((run / "result.json").read_text(encoding="utf-8"))["images_seen"] == 2 * 2 * 32
