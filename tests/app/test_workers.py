"""What the main process of a sweep and its workers agree on: cores, signals, lost jobs."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import pytest
from omegaconf import OmegaConf

from fmcgan.app import workers
from fmcgan.app.extras import MissingExtraError
from fmcgan.app.run_lock import exclusive, locked, owner

JOBLIB = {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"}
LOCAL = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"}
SLURM = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"}
BASIC = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}


def sweep(launcher: dict, max_batch_size: int | None = None, task=("seed=0,1,2,3",)):
    sweeper = {
        "_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "max_batch_size": max_batch_size,
        "params": None,
    }
    return OmegaConf.create(
        {"hydra": {"launcher": launcher, "sweeper": sweeper, "overrides": {"task": list(task)}}},
    )


@pytest.fixture
def threads(monkeypatch):
    """Returns what a sweep sets for its workers, on a machine of some cores."""

    def threads(config, cores: int) -> str | None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(workers, "available_cores", lambda: cores)
        workers.share_cores(config)
        return os.environ.pop("OMP_NUM_THREADS", None)

    return threads


@pytest.mark.parametrize(
    ("launcher", "batch", "cores", "expected"),
    [
        (JOBLIB | {"n_jobs": 2}, None, 2, "1"),
        (JOBLIB | {"n_jobs": 2}, None, 8, "4"),
        (JOBLIB | {"n_jobs": -1}, None, 8, "2"),  # four jobs, not eight
        (JOBLIB | {"n_jobs": -1}, None, 2, "1"),
        (JOBLIB | {"n_jobs": -2}, None, 4, "1"),  # three workers
        (JOBLIB | {"n_jobs": 16}, 3, 9, "3"),
        (LOCAL, None, 8, "2"),  # all jobs at once
        (LOCAL, 2, 8, "4"),
        (LOCAL, None, 2, "1"),
        (LOCAL | {"cpus_per_task": 3}, None, 8, "3"),
        (SLURM | {"cpus_per_task": 3}, None, 8, None),
        (BASIC, None, 8, None),
    ],
)
def test_workers_share_the_cores(threads, launcher, batch, cores, expected):
    assert threads(sweep(launcher, batch), cores) == expected


def test_jobs_are_the_product_of_all_choices(threads):
    product = sweep(LOCAL, task=["loss=hinge,wgan_gp", "seed=range(3)", "metric=[frechet,gan_test]", "n_critic=2"])
    assert threads(product, 12) == "2"


def test_the_users_number_of_threads_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    workers.share_cores(sweep(LOCAL))
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"SLURM_CPUS_PER_TASK": "6", "SLURM_CPUS_ON_NODE": "12"}, "6"), ({"SLURM_CPUS_ON_NODE": "3"}, "3"), ({}, None)],
)
def test_a_worker_takes_the_cores_that_slurm_gave_it(monkeypatch, variables, expected):
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        workers.prepare_worker(stop := lambda number, frame: None)
        assert signal.getsignal(signal.SIGTERM) is stop
        assert os.environ.get("OMP_NUM_THREADS") == expected
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_launcher_without_its_package_names_the_extra(monkeypatch):
    workers.require_launcher("basic")
    workers.require_launcher("a_plugin_of_the_user")
    monkeypatch.setitem(workers.LAUNCHERS, "joblib", "no_such_namespace.no_such_plugin")
    with pytest.raises(MissingExtraError, match=r"hydra/launcher=joblib needs .*fmcgan\[launchers\]"):
        workers.require_launcher("joblib")


def test_only_errors_of_launchers_are_lost_jobs():
    class UncompletedJobError(RuntimeError):
        __module__ = "submitit.core.utils"

    assert "finished jobs are skipped" in workers.lost_job(BrokenProcessPool("a worker was\nkilled"))
    assert "(no output)" in workers.lost_job(UncompletedJobError("no output"))
    assert workers.lost_job(RuntimeError("submitit")) is None


WRITER = """
import signal, sys, time
from pathlib import Path
from fmcgan.app.run_lock import lock, unlock_all

def save(number, frame):
    time.sleep(0.3)
    Path("saved").touch()
    unlock_all()
    sys.exit(143)

signal.signal(signal.SIGTERM, save)
lock(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(60)
"""


@pytest.mark.process
def test_the_workers_of_this_session_are_stopped_and_waited_for(tmp_path):
    for name in ("ours", "other_session", "other_machine"):
        (tmp_path / name).mkdir()
    started = {
        name: subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / name)],
            cwd=tmp_path / name,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=name == "other_session",
        )
        for name in ("ours", "other_session", "other_machine")
    }
    try:
        for process in started.values():
            assert process.stdout.readline() == "locked\n"
        elsewhere = f"process {started['other_machine'].pid} on {socket.gethostname()}x"
        (tmp_path / "other_machine" / ".lock").write_text(elsewhere, encoding="utf-8")
        assert owner(tmp_path / "ours") == started["ours"].pid
        assert owner(tmp_path / "other_machine") is None
        workers.stop_workers(tmp_path)
        assert (tmp_path / "ours" / "saved").exists()
        assert started["ours"].wait(10) == 143
        assert [started[name].poll() for name in ("other_session", "other_machine")] == [None, None]
    finally:
        for process in started.values():
            process.kill()
            process.communicate()


def test_a_lock_left_by_a_killed_process_has_no_owner(tmp_path):
    (tmp_path / ".lock").write_text(f"process {os.getppid()} on {socket.gethostname()}", encoding="utf-8")
    assert owner(tmp_path) is None
    with locked(tmp_path):
        assert owner(tmp_path) is None  # this process
    assert owner(tmp_path / "none") is None


@pytest.mark.process
def test_short_work_is_done_by_one_process_at_a_time(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from fmcgan.app.run_lock import exclusive\n"
        "with exclusive(Path('lock')): print('inside', flush=True); time.sleep(0.5)"
    )
    other = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "inside\n"
    began = time.monotonic()
    with exclusive(tmp_path / "lock"):
        assert time.monotonic() - began > 0.2
    assert other.wait(10) == 0
    other.communicate()
