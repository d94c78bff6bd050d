import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fmcgan.app import job_folder as module
from fmcgan.app import run_dir
from fmcgan.app.job_folder import folder_name, job_folder, job_state, mark

ORDINARY = {
    "": "default",
    "loss=hinge,seed=0": "loss-hinge__seed-0",
    "experiment=study/hinge,seed=1": "experiment-study-hinge__seed-1",
    "callback=[progress,samples],logger=[],metric=[frechet]": "callback-progress__samples-__logger-__metric-frechet",
    "optimizer@training.generator_optimizer=adam,training.generator_clip=1e-3": (
        "optimizer-training.generator_optimizer-adam__training.generator_clip-1e-3"
    ),
    "training.generator_optimizer.betas=[0.0,0.9],x=-1": "training.generator_optimizer.betas-0.0__0.9-__x--1",
    "+trainer.deterministic=true,~data.seed": "trainer.deterministic-true__-data.seed",
}


@pytest.mark.parametrize(("overrides", "name"), ORDINARY.items())
def test_folders_of_ordinary_sweeps_keep_their_names(overrides, name):
    assert folder_name(overrides) == name


VALUES = st.text(st.sampled_from("ab01-_./ ,'\"[]{}=$ä"), max_size=5) | st.sampled_from(
    ["1", "[1]", "[1,2]", "1__2", "a-b"]
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(VALUES, VALUES, st.sampled_from(["data.mirror", "callback.x.y"]))
@example("'a b'", "'a-b'", "data.mirror")
@example("/a/b", "a-b", "data.mirror")
@example("[1]", "1", "trainer.devices")
@example("a", "a_", "data.mirror")
@example("a/b", "a-b", "experiment")
def test_jobs_of_different_values_have_different_folders(one, other, key):
    folders = {folder_name(f"{key}={value}") for value in (one, other)}
    assert len(folders) == len({one, other})
    assert all(re.fullmatch(r"[\w.,-]+", folder, re.ASCII) for folder in folders)


@pytest.fixture
def job(tmp_path):
    """Makes a job folder in a sweep, as Hydra leaves it."""

    def job(name, *overrides):
        (tmp_path / name / ".hydra").mkdir(parents=True)
        (tmp_path / name / ".hydra" / "overrides.yaml").write_text("".join(f"- {each}\n" for each in overrides))

    return job


def found(sweep, *overrides):
    return job_folder(",".join(sorted(overrides)), str(sweep), overrides)


OLD = "loss=hinge", "penalty@loss.penalty=zero_centered", "seed=0"
NEW = "penalty=r1", "seed=0", "loss=hinge"


def test_the_folder_of_an_older_release_is_used_again(job, tmp_path):
    job("loss-hinge__penalty-loss.penalty-zero_centered__seed-0", *OLD)
    job("loss-hinge__penalty-loss.penalty-zero_centered__seed-1", *OLD[:2], "seed=1")
    (tmp_path / "comparison").mkdir()
    job("damaged", "{")
    assert found(tmp_path, *NEW) == found(tmp_path, *OLD) == "loss-hinge__penalty-loss.penalty-zero_centered__seed-0"
    assert found(tmp_path, *NEW[:2]) == "penalty-r1__seed-0"  # other overrides


def test_a_folder_of_todays_name_is_preferred(job, tmp_path):
    job("old", *OLD)
    job("loss-hinge__penalty-r1__seed-0", *NEW)
    assert found(tmp_path, *NEW) == "loss-hinge__penalty-r1__seed-0"


def test_a_fresh_sweep_reads_no_folder_of_its_own(job, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(module, "read_overrides", lambda file: read.append(file) or [])
    for seed in range(50):
        job(found(tmp_path, f"seed={seed}"), f"seed={seed}")
        assert found(tmp_path, f"seed={seed}") == f"seed-{seed}"
    assert read == []


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ([], "interrupted"),
        (["metrics.jsonl", "train.log"], "interrupted"),
        (["error.json"], "FAILED"),
        (["error.json", "metrics.jsonl"], "FAILED"),
        (["result.json"], "finished"),
        (["result.json", "error.json"], "finished"),
    ],
)
def test_files_tell_what_became_of_a_job(tmp_path, files, state):
    for name in files:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert job_state(tmp_path) == state


def test_a_pruned_job_is_none_that_failed(tmp_path):
    run_dir.write_json(tmp_path / run_dir.ERROR, {"status": "pruned", "message": "worse than the others"})
    assert (job_state(tmp_path), run_dir.is_pruned(tmp_path)) == ("pruned", True)
    run_dir.write_json(tmp_path / run_dir.ERROR, {"status": "failed", "message": 'pruned "status": "pruned"'})
    assert (job_state(tmp_path), run_dir.is_pruned(tmp_path)) == ("FAILED", False)


def test_the_log_says_nothing_about_the_state(tmp_path):
    (tmp_path / "train.log").write_bytes(b"L\xe4ufe\n[x][ERROR] no\n")
    assert job_state(tmp_path) == "interrupted"


@pytest.mark.parametrize(("keys", "marks"), [({"trainer": {}}, True), ({"output": "x"}, False)])
def test_only_a_training_job_of_a_sweep_is_marked_until_it_starts_again(tmp_path, monkeypatch, keys, marks):
    hydra = OmegaConf.create({"runtime": {"output_dir": str(tmp_path)}, "mode": "MULTIRUN"})
    monkeypatch.setattr(module.HydraConfig, "get", lambda: hydra)
    for in_sweep in (False, True):
        monkeypatch.setattr(module, "in_sweep", lambda in_sweep=in_sweep: in_sweep)
        mark(OmegaConf.create(keys), "failed", "no")
        assert (tmp_path / run_dir.ERROR).exists() == (marks and in_sweep)
    mark(OmegaConf.create(keys), None)
    assert not (tmp_path / run_dir.ERROR).exists()
