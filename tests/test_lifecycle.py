"""The life of a run folder: two starts at once, a closed terminal, a full disk, a folder deleted, many jobs."""

import json
import os
import pty
import threading
import time
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fmcgan.app.run_files import read_metrics

TINY = ["experiment=smoke", "trainer.limit_train_batches=2", "trainer.max_epochs=1", "metric=[]"]
LONG = ["experiment=smoke", "metric=[]", "logger=[]", "callback.metrics_logger.every_n_batches=1"]

STARTS = """
import gc, json, os, resource, sys, threading
from pathlib import Path
from fmcgan.app.hydra_app import run_command
from fmcgan.train import train

jobs = []

def watched(config):
    train(config)
    gc.collect()
    with open("/proc/self/statm", encoding="utf-8") as file:
        megabytes = int(file.read().split()[1]) * resource.getpagesize() / 1e6
    jobs.append([len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), megabytes])

def start(arguments, limit=None, environment=None):
    jobs.clear()
    os.environ.update(environment or {})
    none = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (none if limit is None else limit, none))
    sys.argv[1:] = arguments
    code = None
    try:
        run_command("train", watched)
    except SystemExit as end:
        code = end.code
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (none, none))
    for name in environment or {}:
        del os.environ[name]
    if isinstance(code, str):
        print(code, file=sys.stderr)
    print("\\n<<<start>>>", file=sys.stderr, flush=True)
    return [1 if isinstance(code, str) else code or 0, list(jobs)]

print(json.dumps([start(**each) for each in json.loads(sys.argv[1])]))
"""


@pytest.fixture
def starts(start, tmp_path):
    """Starts `fmcgan.train` several times in one process; returns of each its exit code, its messages and its jobs.

    A limit stands for a full disk: no file can grow beyond it.
    """

    def starts(*each: dict) -> list:
        (tmp_path / "starts.py").write_text(STARTS, encoding="utf-8")
        process = start("starts.py", json.dumps(each))
        output, errors = process.communicate(timeout=400)
        assert process.returncode == 0, errors
        messages = errors.split("\n<<<start>>>\n")
        results = json.loads(output.splitlines()[-1])
        return [(code, told, jobs) for (code, jobs), told in zip(results, messages[:-1], strict=True)]

    return starts


def one_line(told: str) -> str:
    """The error of a refused or failed start: one line and no stack trace."""
    assert "Traceback" not in told, told
    assert "Exception in thread" not in told, told
    assert "Logging error" not in told, told
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    return line


def wait_for(condition, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_rows(folder, n=3):
    path = folder / "metrics.jsonl"
    return path.exists() and len(read_metrics(path)) >= n


def test_a_second_start_is_refused_and_a_closed_terminal_saves(start, command, tmp_path):
    terminal, inside = pty.openpty()
    run = [*LONG, "trainer.max_epochs=5000", "hydra.run.dir=run"]
    first = start("train", *run, streams=[inside] * 3, terminal=True)
    os.close(inside)
    wait_for(lambda: has_rows(tmp_path / "run"), first)
    before = {name: (tmp_path / "run" / name).read_bytes() for name in ("config.yaml", ".hydra/overrides.yaml")}
    second = command("train", *TINY, "hydra.run.dir=run", "seed=7", code=1)
    assert f"run is being written by process {first.pid} on" in one_line(second.stderr)
    assert before == {name: (tmp_path / "run" / name).read_bytes() for name in before}
    assert "error" not in (tmp_path / "run" / "train.log").read_text(encoding="utf-8").lower()
    os.close(terminal)  # SIGHUP, and nothing can be printed any more
    assert first.wait(timeout=60) == 129
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["images_seen"]
    assert read_metrics(tmp_path / "run" / "metrics.jsonl")[-1]["images_seen"] == saved
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_sweep_skips_a_job_that_runs_elsewhere_and_a_deleted_folder_is_one_line(start, command, tmp_path):
    sweep = ["-m", *LONG, "trainer.max_epochs=5000,1", "hydra.sweep.dir=sweep"]
    first = start("train", *sweep)
    job = tmp_path / "sweep"
    wait_for(lambda: any(has_rows(each) for each in job.glob("*5000")), first)
    second = command("train", *sweep)
    assert "5000 is being written by process" in second.stderr.partition("skipped: ")[2]
    assert "Traceback" not in second.stderr
    assert "Error" not in second.stderr
    summary = second.stderr.partition("sweep in sweep")[2].splitlines()
    assert [line.split()[0] for line in summary if "max_epochs" in line] == ["finished", "running"]
    log = next(job.glob("*5000")) / "train.log"
    assert "ERROR" not in log.read_text(encoding="utf-8")
    job.rename(tmp_path / "gone")  # at once, whatever is being written
    _, told = first.communicate(timeout=120)
    assert first.returncode == 1
    assert "No such file or directory" in one_line(told.partition("max_epochs=1")[0])


def test_a_full_disk_is_one_line_and_with_space_again_the_same_command_works(starts, tmp_path):
    limits = [0, 2_000, 8_000, 40_000, 100_000, 300_000]
    run = [*TINY, "hydra.run.dir=run"]
    *failed, (code, told, _) = starts(*({"arguments": run, "limit": limit} for limit in limits), {"arguments": run})
    for limit, (failure, messages, _) in zip(limits, failed, strict=True):
        assert failure == 1, limit
        assert "File too large" in one_line(messages), limit
    assert code == 0
    assert "replacing 1 rows of a run that stopped before its first checkpoint" in told
    assert [row["images_seen"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [64]
    assert points(tmp_path / "run", "1_loss/generator") == [64]


def points(folder, tag):
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_a_run_refused_leaves_nothing_and_one_is_never_written_over(starts, tmp_path):
    """Whatever launchers left in the environment and whichever of a run's files are gone."""
    run = [*TINY, "hydra.run.dir=run", "callback=[metrics_logger,checkpointing]"]
    shell = {"LOCAL_RANK": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_JOB_ID": "1", "SLURM_LOCALID": "2"}
    wrong = [
        "network.width=abc",
        "ckpt_path=nowhere.ckpt",
        "trainer=ddp",
        "+trainer.num_nodes=5",
        "data.batch_size=9999",
    ]
    refused = [{"arguments": [*TINY, "hydra.run.dir=a/b", each], "environment": shell} for each in wrong]
    done = starts(*refused, {"arguments": run, "environment": shell}, {"arguments": run, "environment": shell})
    for each, (code, told, _) in zip(wrong, done, strict=False):
        assert code == 1, each
        one_line(told)
    assert not (tmp_path / "a").exists()
    assert done[-2][0] == 0, done[-2][1]
    assert points(tmp_path / "run", "1_loss/generator") == [64]  # the only process logs
    assert done[-1][0] == 1
    assert "ckpt_path=run/checkpoints/last.ckpt" in one_line(done[-1][1])


def test_the_jobs_of_a_sweep_leave_nothing_open(starts):
    seeds = ",".join(map(str, range(5)))
    code, told, jobs = starts({"arguments": ["-m", *TINY, f"seed={seeds}", "hydra.sweep.dir=sweep"]})[0]
    assert code == 0, told
    files, threads, megabytes = zip(*jobs, strict=True)
    assert len(files) == 5
    assert 3 < max(files) <= files[1]
    assert set(threads[1:]) == {threads[1]}
    assert -30 < megabytes[-1] - megabytes[1] < 15, megabytes


def test_epochs_leave_nothing_open_and_take_no_longer(fit, tmp_path):
    marks = []

    class Watch(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            marks.append((len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), time.process_time()))

    few = ("trainer.max_epochs=80", "trainer.limit_train_batches=1", "callback.metrics_logger.every_n_batches=1")
    logger = ("logger=[tensorboard]", f"logger.tensorboard.save_dir={tmp_path / 'run'}", "network.width=4")
    fit(*few, *logger, extra_callbacks=[Watch()], figures=True)
    files, threads, seconds = zip(*marks, strict=True)
    assert min(files[60:]) <= max(files[:20])  # one that is just being written comes on top
    assert set(threads[40:]) == set(threads[20:40])
    early, late = seconds[39] - seconds[9], seconds[79] - seconds[49]
    assert early / 3 < late < 2 * early
    assert has_rows(tmp_path / "run", 80)
