"""Kills, full disks and several processes: what must not be lost."""

import json
import re
import shlex
import signal
import time

import pytest
import torch

from fmcgan.app.run_files import read_metrics

SMALL = ["experiment=smoke", "logger=[]", "metric=[]", "callback=[metrics_logger,checkpointing,progress,run_info]"]


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows(folder):
    path = folder / "metrics.jsonl"
    return read_metrics(path) if path.exists() else []


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_printed_command_goes_on(start, command, tmp_path, signal_number, code):
    run = [*SMALL, "trainer.limit_train_batches=40", "trainer.max_epochs=2"]
    process = start("train", *run, "hydra.run.dir=run")
    wait_for(lambda: len(rows(tmp_path / "run")) >= 2, process)
    started = rows(tmp_path / "run")[-1]["images_seen"]
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert started <= checkpoint["images_seen"] < 2 * 40 * 32
    assert not (tmp_path / "run" / "result.json").exists()
    resume = re.search(r"python -m fmcgan\.train (ckpt_path=.*)", errors)
    command("train", *shlex.split(resume.group(1)))
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["images_seen"] == 2 * 40 * 32

    command("train", *run, "hydra.run.dir=whole")
    whole, resumed = (
        torch.load(tmp_path / f / "checkpoints" / "last.ckpt", weights_only=True) for f in ("whole", "run")
    )
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name


def test_kill_loses_at_most_one_epoch_and_leaves_whole_files(start, command, tmp_path):
    process = start("train", *SMALL, "trainer.max_epochs=500", "trainer.limit_train_batches=3", "hydra.run.dir=run")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    wait_for(lambda: len(rows(tmp_path / "run")) >= 8, process)
    process.kill()
    process.communicate()
    saved = torch.load(checkpoint, weights_only=True)  # whole, whenever the kill came
    last_row = rows(tmp_path / "run")[-1]["images_seen"]
    assert last_row - saved["images_seen"] <= 2 * 3 * 32
    epochs = saved["images_seen"] // (3 * 32) + 2
    command("train", f"ckpt_path={checkpoint}", f"trainer.max_epochs={epochs}")
    seen = [row["images_seen"] for row in rows(tmp_path / "run")]
    assert seen == sorted(set(seen))  # no row twice
    assert seen[-1] == epochs * 3 * 32


def test_a_full_disk_is_told_and_the_earlier_checkpoint_stays(command, tmp_path):
    command("train", *SMALL, "trainer.max_epochs=1", "trainer.limit_train_batches=2", "hydra.run.dir=run")
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = checkpoint.read_bytes()
    failed = command("train", f"ckpt_path={checkpoint}", "trainer.max_epochs=2", code=1, limit=500_000)
    assert re.search(r"error: cannot write .*last\.ckpt \(\d\.\d MB\): File too large", failed.stderr)
    assert "Traceback" not in failed.stderr
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == ["last.ckpt"]


def test_two_processes_give_the_losses_of_one(command, tmp_path):
    """Same global batch, same random numbers, statistics of the whole batch, a penalty and n_critic 2.

    The optimizer is plain descent: Adam's first steps have the size of the learning rate whatever the gradient, so they
    would blow rounding up, as large steps would.
    """
    descent = [
        override
        for player in ("training.generator_optimizer", "training.discriminator_optimizer")
        for override in (f"{player}._target_=torch.optim.SGD", f"{player}.lr=0.001", f"~{player}.betas")
    ]
    run = [*SMALL, "loss=wgan_gp", "n_critic=2", "network.width=8", "trainer.max_epochs=1", *descent]
    command("train", *run, "trainer.accelerator=cpu", "hydra.run.dir=one")
    one_thread = {"OMP_NUM_THREADS": "1"}  # for the second process, which the first one starts
    command("train", *run, "trainer=ddp", "trainer.accelerator=cpu", "hydra.run.dir=two", env=one_thread)
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert [row["images_seen"] for row in one] == [row["images_seen"] for row in two] == [160, 320, 480, 640]
    for row, same in zip(one, two, strict=True):
        for name in row:
            if name.startswith(("loss/", "logit/", "gradient_norm/")):
                assert same[name] == pytest.approx(row[name], rel=1e-3, abs=1e-5), name
    states = [
        torch.load(tmp_path / f / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for f in ("one", "two")
    ]
    for name, value in states[0].items():
        if value.is_floating_point():
            assert torch.allclose(value, states[1][name], atol=5e-5), name  # rounding, grown in 20 updates


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_training_ends_at_once_with_its_code(start, tmp_path, signal_number, code):
    process = start("train", *SMALL, "trainer.max_epochs=500", "hydra.run.dir=run", fresh=True)  # while it imports
    wait_for(lambda: (tmp_path / "run" / ".hydra" / "config.yaml").exists(), process)
    process.send_signal(signal_number)
    process.communicate(timeout=60)
    assert process.returncode in (code, -signal_number)  # a shell shows -15 as 143
