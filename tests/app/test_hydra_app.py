"""What the summary of a sweep says of a job."""

import pytest
from omegaconf import OmegaConf

from fmcgan.app import hydra_app, run_dir
from fmcgan.app.hydra_app import job_state


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
    monkeypatch.setattr(hydra_app.HydraConfig, "get", lambda: hydra)
    for in_sweep in (False, True):
        monkeypatch.setattr(hydra_app, "in_sweep", lambda in_sweep=in_sweep: in_sweep)
        hydra_app._mark(OmegaConf.create(keys), "failed", "no")
        assert (tmp_path / run_dir.ERROR).exists() == (marks and in_sweep)
    hydra_app._mark(OmegaConf.create(keys), None)
    assert not (tmp_path / run_dir.ERROR).exists()
