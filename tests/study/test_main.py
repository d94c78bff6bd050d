import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fmcgan.app.run_files import read_metrics
from study import __main__, budget, jobs, results_store, speed
from study.hardware import CPU, GPU

CHECKOUT = Path(__file__).resolve().parents[2]


def study(*arguments, code=0):
    with pytest.raises(SystemExit) as end:
        __main__.main([str(each) for each in arguments])
    assert end.value.code == code
    return end.value.code


@pytest.fixture
def page(tmp_path, record):
    path = tmp_path / "study.md"
    known = {"precision": "32-true", "batch_size": 32}
    budget.write_speed(path, "smoke", record, 600, turns=[640 / 600], **known)  # 20 batches
    return path


def test_only_arms_with_a_budget_run_and_threads_are_shared_out(page, tmp_path, monkeypatch, caplog):
    seen = []
    monkeypatch.setattr(__main__, "cores", lambda: 4)
    monkeypatch.setattr(jobs, "launch", lambda job, threads: seen.append(threads))

    def sweep(todo, workers, start, on_failure):
        seen.extend([[str(job) for job in todo], workers])
        start(todo[0])
        return []

    monkeypatch.setattr(jobs, "sweep", sweep)
    arguments = ("--output", page, "run", "smoke", "recipe_b", "--folder", tmp_path, "--seeds", 7, 7, 8, "--workers")
    for workers in (2, 8, 1):
        study(*arguments, workers)
    both = ["smoke seed 7", "smoke seed 8"]
    assert seen == [both, 2, 2, both, 8, 1, both, 1, None]
    assert "recipe_b" in caplog.text


def test_a_kept_training_is_not_run_again_until_it_is_forgotten(page, tmp_path, monkeypatch, caplog):
    seen = []
    monkeypatch.setattr(
        jobs, "sweep", lambda todo, workers, start, on_failure: seen.append([job.seed for job in todo]) or []
    )
    entry = {"arm": "smoke", "seed": 2, "images_seen": 640, "parameters": {}, "scores": {}}
    results_store.write(page.with_suffix(".json"), [entry])
    run = ("--output", page, "run", "smoke", "--folder", tmp_path / "runs", "--seeds", 1, 2)
    study(*run)
    assert str(page.with_suffix(".json")) in caplog.text
    study("--output", page, "page", "--folder", tmp_path / "runs", "--forget", "smoke")
    assert results_store.read(page.with_suffix(".json")) == []
    study(*run)
    assert seen == [[1], [1, 2]]


def test_a_kept_training_of_another_budget_is_not_mixed_with_new_ones(page, tmp_path):
    entry = {"arm": "smoke", "seed": 2, "images_seen": 608, "parameters": {}, "scores": {}}
    results_store.write(page.with_suffix(".json"), [entry])
    with pytest.raises(SystemExit) as end:
        __main__.main(["--output", str(page), "run", "smoke", "--folder", str(tmp_path / "runs"), "--seeds", "1", "2"])
    for fact in ("error: smoke seed 2", "608", "640", "python -m study page --forget smoke"):
        assert fact in str(end.value.code)


def test_a_failure_is_written_down_with_its_last_word(page, tmp_path, monkeypatch):
    def sweep(todo, workers, start, on_failure):
        todo[0].output.parent.mkdir(parents=True)
        todo[0].output.write_text("epoch 1\nerror: loss/generator is nan\n")
        on_failure(todo[0])
        return todo[:1]

    monkeypatch.setattr(jobs, "sweep", sweep)
    study("--output", page, "run", "smoke", "--folder", tmp_path / "runs", "--seeds", 7, code=1)
    assert results_store.failures(page.with_suffix(".json")) == [
        {"arm": "smoke", "seed": 7, "why": "loss/generator is nan"}
    ]


def test_a_gpu_has_its_own_page_folder_time_and_no_second_training_beside(page, monkeypatch):
    seen = []
    monkeypatch.setattr(jobs, "sweep", lambda todo, workers, start, on_failure: seen.extend([*todo, workers]) or [])
    for accelerator in ("cpu", "gpu"):
        study("--accelerator", accelerator, "--output", page, "run", "smoke", "--seeds", 7)
    on_cores, two, on_gpu, one = seen
    assert (two, one) == (2, 1)
    assert "trainer.accelerator=cpu" in on_cores.overrides
    assert "trainer.accelerator=gpu" in on_gpu.overrides
    assert on_cores.folder == Path("outputs/multirun/study/smoke/seed_7")
    assert on_gpu.folder == Path("outputs/multirun/study_gpu/smoke/seed_7")
    assert GPU.page("study") == CHECKOUT / "docs" / "study_gpu.md"
    assert (CPU.seconds, GPU.seconds) == (600, 300)


def test_what_cannot_be_run_is_told(page):
    with pytest.raises(SystemExit, match=r"^error: .*recipe_b.*python -m study speed"):
        __main__.main(["--output", str(page), "run", "recipe_b"])
    study(
        "--output",
        page,
        "run",
        "smoke",
        "--workers",
        0,
        code="error: --workers must be a whole number of at least 1, got 0",
    )


def test_a_failed_job_is_exit_code_1_and_ctrl_c_says_how_to_go_on(page, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "sweep", lambda todo, workers, start, on_failure: todo[:1])
    study("--output", page, "run", "smoke", code=1)

    def interrupted(todo, workers, start, on_failure):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "sweep", interrupted)
    study("--output", page, "run", "smoke", code=130)
    assert f":\n  python -m study --output {page} run smoke\n" in capsys.readouterr().err


@pytest.mark.process
def test_the_whole_way_with_real_trainings(page, tmp_path, record, monkeypatch):
    monkeypatch.setattr(speed, "WARM_UP", 0.0)
    monkeypatch.setattr(speed, "TURNS", 1)
    other = tmp_path / "other.md"

    def quickly(runs):  # in the precision of the experiment: no trial of another
        dropped = ("trainer.max_time", "trainer.precision")
        kept = [[each for each in overrides if not each.startswith(dropped)] for overrides in runs]
        speed.train([[*overrides, "trainer.max_time=00:00:00:06", "logger=[]"] for overrides in kept])

    assert speed.measure(["smoke"], other, record, quickly) == []
    measured = budget.speeds(other)["smoke"]
    assert (measured["precision"], measured["batch_size"]) == ("32-true", 32)
    assert measured["images_per_second"] > 1

    command = [sys.executable, "-m", "study", "--output", str(page), "run", "smoke", "--folder", "runs", "--seeds", "1"]
    paths = {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "src")]), "CUDA_VISIBLE_DEVICES": ""}
    folder = tmp_path / "runs" / "smoke" / "seed_1"
    for said in ("smoke seed 1: done in 0:0", "smoke seed 1: finished before"):
        ended = subprocess.run(
            command, cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr + folder.with_suffix(".log").read_text(encoding="utf-8")
        assert said in ended.stderr
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["images_seen"], result["seed"]) == (640, 1)
    assert {"precision_k3_classifier_500_test", "class_fd_classifier_500_test"} <= set(result["scores"])
    assert sum("score/fd_classifier_500_test" in row for row in read_metrics(folder / "metrics.jsonl")) == 1
