"""Runs, checkpoints and exported generators of the release before the renaming still work.

`tests/fixtures/old_names` was written by commit 022caf3: ``run`` by `OLD_COMMAND` and ``fmcgan.evaluate``, ``sweep`` by
``-m loss=wgan_gp,hinge``, ``generator.safetensors`` by ``fmcgan.export run=run``.
"""

import hashlib
import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from fmcgan.analysis.alarms.run_facts import read_facts
from fmcgan.app import resume
from fmcgan.app.renamed import rename_overrides
from fmcgan.app.run_files import read_config, read_metrics
from fmcgan.comparison.results import gather
from fmcgan.inference.generator import load_generator
from fmcgan.training.checkpoint_file import read_checkpoint

OLD = Path(__file__).parent / "fixtures" / "old_names"
OLD_WORDS = {
    "penalty@loss.penalty": "penalty",
    "penalty=interpolated_one_sided": "penalty=wgan_lp",
    "loss.penalty": "penalty",
    "training.schedules.*.until": "training.schedules.*.end_images",
    "callback.checkpointing.best_by": "callback.checkpointing.monitor",
    "callback.recorder": "callback.metrics_logger",
    "training.capture": "training.cuda_graphs",
}
IMAGES_SHA256 = "a1a7c9cf80ca8842fcb70d7d1cc3efa264e93ea5d4bc0e462df4b3b80ca11ab0"
"""Of the images that the program of that time drew, one of each class, seed 0."""


@pytest.fixture
def run(tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["generator.safetensors", "run", "run/checkpoints/last.ckpt"])
def test_an_old_generator_draws_the_same_images(name):
    images = load_generator(OLD / name).sample(n_per_class=1, seed=0).images
    assert hashlib.sha256(images.tobytes()).hexdigest() == IMAGES_SHA256


def test_old_configurations_have_todays_shape_wherever_they_are_read():
    config = read_config(OLD / "run" / "config.yaml")
    for each in (
        config,
        read_checkpoint(OLD / "run" / "checkpoints" / "last.ckpt", for_resume=True)["config"],
        load_generator(OLD / "generator.safetensors").about["config"],
    ):
        assert each["loss"] == {"_target_": "fmcgan.loss.wasserstein.Wasserstein"}
        assert (each["penalty"]["weight"], each["penalty"]["one_sided"]) == (5, True)
        assert each["training"]["schedules"]["generator_lr"]["end_images"] == 100_000
        assert each["callback"]["checkpointing"]["monitor"] == "fd_classifier"
        assert "metrics_logger" in each["callback"]


def test_an_old_run_resumes_as_if_nothing_had_been_renamed(command, run):
    before = read_metrics(run / "metrics.jsonl")
    resumed = command("train", "ckpt_path=run/checkpoints/last.ckpt", "trainer.max_epochs=2", "metric=[]")
    for old, new in OLD_WORDS.items():
        (line,) = (each for each in resumed.stderr.splitlines() if each.startswith(f"{old} "))
        assert new in line
    assert "changed settings" not in resumed.stderr
    rows = read_metrics(run / "metrics.jsonl")
    assert rows[: len(before)] == before
    trained = [row for row in rows if "loss/penalty" in row]
    assert [row["images_seen"] for row in trained] == list(range(32, 1281, 32))
    assert trained[20]["seconds"] > trained[19]["seconds"] > 0.4  # the clock was restored too
    config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert (config["penalty"]["weight"], config["penalty"]["one_sided"]) == (5, True)
    assert "penalty=wgan_lp" in json.loads((run / "environment.json").read_text(encoding="utf-8"))["overrides"]
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert "MetricsLogger" in checkpoint["callbacks"]
    assert checkpoint["images_seen"] == 1280


def test_commands_take_an_old_run(command, run, tmp_path):
    command("generate", "run=run", "n_per_class=1", "output=samples.npz")
    evaluated = command("evaluate", "run=run", "n=100", "metric=[gan_test]", "replicates=10", "metric/feature=[]")
    assert "bootstrap_samples" in evaluated.stderr
    command("export", "run=run", "output=new.safetensors")
    images = load_generator(tmp_path / "new.safetensors").sample(n_per_class=1, seed=0).images
    assert hashlib.sha256(images.tobytes()).hexdigest() == IMAGES_SHA256
    command("analyze", "run=run", "analysis=[training]", "n=100", "metric=[]", "output=analysis")


def test_old_and_new_runs_of_the_same_settings_are_one_group(run, tmp_path):
    new = shutil.copytree(run, tmp_path / "new")
    (new / ".hydra" / "overrides.yaml").write_text(
        yaml.safe_dump(
            [
                *("experiment=smoke", "network=mlp", "network.width=8", "network.embedding_dim=4", "loss=wgan_gp"),
                *("penalty=wgan_lp", "schedule@training.schedules.generator_lr=cosine", "penalty.weight=5"),
                *("training.schedules.generator_lr.end_images=100000", "callback.checkpointing.monitor=fd_classifier"),
                *("callback.metrics_logger.every_n_batches=1", "training.cuda_graphs=false", "trainer.max_epochs=1"),
                "seed=1",
            ]
        )
    )
    (group,) = gather([run, new]).groups
    assert len(group.runs) == 2
    assert len(gather([run, new, OLD / "sweep"]).groups) == 3


def test_a_finished_job_of_an_old_sweep_is_done(compose, monkeypatch):
    monkeypatch.chdir(OLD)
    few = (
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=4",
        "callback.evaluation.n=100",
        "callback.evaluation.cache=null",
    )
    for loss in ("wgan_gp", "hinge"):
        folder = f"trainer.default_root_dir=sweep/{loss}"
        config = compose("network=mlp", "network.width=8", f"loss={loss}", *few, folder, "trainer.accelerator=auto")
        assert resume.already_done(OmegaConf.to_container(config, resolve=True))


def test_an_old_sweep_goes_on_in_its_folders(command, tmp_path):
    job = shutil.copytree(OLD / "run", tmp_path / "sweep" / "old")
    as_sweep = {
        ": run\n": f": {job}\n",
        "cache: null": f"cache: {os.environ['FMCGAN_CACHE']}",
        "capture=false": "capture=False",
    }
    overrides = job / ".hydra" / "overrides.yaml"
    for file, (here, there) in itertools.product((job / "config.yaml", overrides), as_sweep.items()):
        file.write_text(file.read_text(encoding="utf-8").replace(here, there), encoding="utf-8")
    written, rows = overrides.read_text(encoding="utf-8"), read_metrics(job / "metrics.jsonl")
    for typed in (yaml.safe_load(written), rename_overrides(yaml.safe_load(written))):
        overrides.write_text(written, encoding="utf-8")
        assert "already finished, skipped: sweep/old" in command("train", "-m", *typed, "hydra.sweep.dir=sweep").stderr
    (job / "result.json").unlink()  # as if interrupted; its overrides have the new names by now
    command("train", "-m", *typed, "hydra.sweep.dir=sweep")
    assert json.loads((job / "result.json").read_text(encoding="utf-8"))["images_seen"] == 640
    assert read_metrics(job / "metrics.jsonl") == rows
    assert [path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()] == ["old"]


def test_of_old_runs_the_loss_says_whether_logits_divide():
    assert not read_facts(OLD / "run").has_decision_boundary
    assert not read_facts(OLD / "sweep" / "wgan_gp").has_decision_boundary
    assert read_facts(OLD / "sweep" / "hinge").has_decision_boundary
