"""What `trainer.precision=auto` becomes: in a sweep, in a resumed run, with several devices."""

import signal
import time

import pytest
import torch
from omegaconf import OmegaConf

from fmcgan import train
from fmcgan.app import sweep_precision
from fmcgan.app.errors import UserError
from fmcgan.inference.generator import read_checkpoint


@pytest.fixture
def trials(monkeypatch):
    """How often precisions were tried; bf16 wins."""
    tried = []
    answer = lambda build, trainer, batch_size, info: tried.append((build(), batch_size)) or "bf16-mixed"  # noqa: E731
    monkeypatch.setattr("fmcgan.training.precision.faster_precision", answer)
    return tried


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """As if this were a job of a sweep in this folder."""
    hydra = OmegaConf.create({"sweep": {"dir": str(tmp_path)}})
    monkeypatch.setattr(sweep_precision.HydraConfig, "get", lambda: hydra)
    monkeypatch.setattr(sweep_precision, "in_sweep", lambda: True)


def test_the_jobs_of_a_sweep_share_one_answer(trials, sweep, plain):
    answers = [train._precision(plain(f"seed={seed}"), None) for seed in (0, 1)]
    assert answers == ["bf16-mixed", "bf16-mixed"]
    assert [batch_size for _, batch_size in trials] == [32]
    train._precision(plain("network.width=16"), None)
    assert len(trials) == 2


@pytest.mark.train
def test_trial_steps_know_no_end_of_the_run(plain, monkeypatch):
    """They have neither the data nor the epochs that a schedule until the end would need."""
    monkeypatch.setattr("fmcgan.training.precision._has_bf16", lambda device: True)
    monkeypatch.setattr("fmcgan.training.precision._MIN_SECONDS", 0.0)
    found = train._precision(plain("schedule@training.schedules.generator_lr=cosine"), None)
    assert found in ("32-true", "bf16-mixed")


def test_a_resumed_run_goes_on_as_it_began(trials, plain, fit, tmp_path):
    fit("trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.precision=32-true")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert train._precision(plain(), str(checkpoint)) == "32-true"
    assert trials == []


@pytest.mark.parametrize("devices", [2, "auto", [0, 1]])
def test_several_devices_do_not_try(trials, plain, devices):
    config = plain()
    config["trainer"]["devices"] = devices
    assert train._precision(config, None) == "32-true"
    assert trials == []


def test_a_checkpoint_of_another_order_of_weights_is_refused(fit, tmp_path):
    fit("trainer.max_epochs=1", "trainer.limit_train_batches=1")
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["format"]
    torch.save(content, path)
    with pytest.raises(UserError, match="format 1, but this version reads format 3"):
        read_checkpoint(path)


def test_auto_trains_and_writes_down_what_it_chose(command, tmp_path):
    few = ("trainer.max_epochs=1", "trainer.limit_train_batches=2", "metric=[]", "hydra.run.dir=run")
    output = command("train", "experiment=smoke", "trainer.precision=auto", *few).stderr
    chosen = OmegaConf.load(tmp_path / "run" / "config.yaml").trainer.precision
    assert chosen in ("32-true", "bf16-mixed")
    assert f"precision: {chosen} (" in output
    again = command("train", "ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=2").stderr
    assert f"precision: {chosen}, from the checkpoint" in again


def test_sigterm_while_precisions_are_tried_is_no_success(start, tmp_path):
    process = start("train", "data=synthetic", "network=conv", "data.batch_size=256", "hydra.run.dir=run")
    folder = tmp_path / "run" / ".hydra"
    while not folder.exists():
        time.sleep(0.05)
    time.sleep(3)  # imports; a step of these networks takes seconds
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM)
