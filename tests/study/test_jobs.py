import logging
import sys
import time
from pathlib import Path

import pytest

from study import jobs

SPEEDS = {
    "study/base": {"budget": 540_000, "batch_size": 64, "precision": "bf16-mixed"},
    "recipe_b": {"budget": 6_400, "batch_size": 64, "precision": "32-true"},
}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(jobs, "PAUSE", 0)


def test_all_arms_with_the_first_seed_come_first():
    planned = jobs.planned(["study/base", "recipe_b"], [1, 2], SPEEDS, Path("runs"))
    assert [str(job) for job in planned] == [
        "study/base seed 1",
        "recipe_b seed 1",
        "study/base seed 2",
        "recipe_b seed 2",
    ]
    base = planned[0]
    assert base.folder == Path("runs/study-base/seed_1")
    assert base.output == Path("runs/study-base/seed_1.log")
    assert {
        "experiment=study/base",
        "seed=1",
        "trainer.max_epochs=10",
        "trainer.limit_train_batches=844",
        "trainer.precision=bf16-mixed",
        "metric=[frechet,gan_test,class_frechet,manifold]",
        "hydra.sweep.dir=runs/study-base",
        "hydra.sweep.subdir=seed_1",
    } <= set(base.overrides)
    assert {"trainer.max_epochs=1", "trainer.limit_train_batches=100"} <= set(planned[1].overrides)


class FakeProcess:
    """Ends with ``code`` when it has been looked at ``looks`` times."""

    def __init__(self, job, log, looks=1, code=0):
        self.job, self.log, self.looks, self.code = job, log, looks, code
        log.append(("start", job.arm))

    def poll(self):
        self.looks -= 1
        if self.looks > 0:
            return None
        if self.looks == 0:
            self.log.append(("end", self.job.arm))
        if self.code == 0:
            self.job.folder.mkdir(parents=True, exist_ok=True)
            (self.job.folder / "result.json").touch()
        return self.code

    def terminate(self):
        self.log.append(("terminate", self.job.arm))

    def wait(self):
        self.log.append(("wait", self.job.arm))
        return 143


def make(tmp_path, *names):
    return [jobs.Job(name, 1, tmp_path / name, 640, ()) for name in names]


def test_so_many_run_side_by_side_and_a_failure_stops_nothing(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    log, looks, codes = [], {"a": 3, "b": 1, "c": 1}, {"b": 1}
    todo = make(tmp_path, "a", "b", "c")

    def start(job):
        return FakeProcess(job, log, looks[job.arm], codes.get(job.arm, 0))

    failed = jobs.sweep(todo, 2, start, lambda job: log.append(("told", job.arm)))
    order = ("start a", "start b", "end b", "told b", "start c", "end c", "end a")
    assert log == [(what, arm) for what, arm in (each.split() for each in order)]
    assert failed == [todo[1]]
    said = [record.message for record in caplog.records]
    assert said[0].startswith("b seed 1: FAILED, see ")
    assert said[0].endswith("; 0 done, 1 failed, 2 left")
    assert said[1] == "c seed 1: done in 0:00:00; 1 done, 1 failed, 1 left, about 0:00:00"
    assert said[2].endswith("2 done, 1 failed, 0 left")


def test_a_job_without_a_result_has_failed_whatever_its_exit_code_says(tmp_path):
    class Quiet(FakeProcess):
        def poll(self):
            return 0

    (job,) = make(tmp_path, "a")
    assert jobs.sweep([job], 1, lambda job: Quiet(job, [])) == [job]


def test_time_left_is_that_of_trained_jobs_shared_by_the_workers(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    tally, (a, b, c) = jobs._JobProgress(9, 2), make(tmp_path, "a", "b", "c")
    tally.note(a, True, 2.0, before=True)
    assert str(tally) == "1 done, 0 failed, 8 left"
    tally.note(b, True, 1000.0, before=False)
    tally.note(c, True, 2000.0, before=False)
    assert str(tally) == "3 done, 0 failed, 6 left, about 1:15:00"  # 6 x 1,500 s by two
    assert "a seed 1: finished before; 1 done" in caplog.text


def test_ctrl_c_ends_all_that_run_and_starts_nothing_more(tmp_path, monkeypatch):
    log = []

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        jobs.sweep(make(tmp_path, "a", "b", "c"), 2, lambda job: FakeProcess(job, log, looks=9))
    assert log == [("start", "a"), ("start", "b"), ("terminate", "a"), ("terminate", "b"), ("wait", "a"), ("wait", "b")]


@pytest.mark.process
def test_a_launched_job_is_told_its_threads_and_what_it_says_is_kept(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "threads $OMP_NUM_THREADS $@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    job = jobs.Job("a", 1, tmp_path / "runs" / "a" / "seed_1", 640, ("experiment=a", "seed=1"))
    for threads in (1, 3):
        assert jobs.launch(job, threads).wait() == 0
    expected = [f"threads {threads} -m fmcgan.train -m experiment=a seed=1" for threads in (1, 3)]
    assert job.output.read_text(encoding="utf-8").splitlines() == expected
    assert job.last_error == "threads 3 -m fmcgan.train -m experiment=a seed=1"


def test_the_last_word_is_an_error_where_there_is_one(tmp_path):
    progress = "epoch 1  640/1,280 images\repoch 1  660/1,280 images"
    assert jobs.last_error(f"error: an older one\n{progress}\nerror: loss is nan\nsee the log\n") == "loss is nan"
    assert jobs.last_error(progress) == "epoch 1  660/1,280 images"
    assert jobs.last_error(" \n") == "nothing"
    assert jobs.Job("a", 1, tmp_path / "not_begun", 640, ()).last_error == "nothing"
