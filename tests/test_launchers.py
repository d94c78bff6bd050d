"""Sweeps of four jobs over two workers: joblib, submitit's local processes, Ray and SLURM, killed and resumed."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from fmcgan.app import workers
from fmcgan.app.run_files import read_metrics
from fmcgan.app.run_lock import is_locked, owner
from tests import slurm

pytestmark = [pytest.mark.train, pytest.mark.timeout(1200)]

TINY = [
    *("experiment=smoke", "metric=[]", "logger=[]", "trainer.accelerator=cpu", "network.width=4"),
    "callback=[metrics_logger,checkpointing,run_info]",
]
OPTIONS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra.sweeper.max_batch_size=2"],
    "ray": ["+hydra.launcher.ray.init.num_cpus=2", "+hydra.launcher.ray.init.include_dashboard=false"],
}
SCRIPT = "import sys\nfrom fmcgan.train import main\nsys.exit(main())\n"  # what pip writes as `fmcgan-train`


@pytest.fixture(params=OPTIONS)
def launcher(request) -> list[str]:
    """The overrides of a launcher with two workers."""
    package = workers.LAUNCHERS[request.param]
    if find_spec("hydra_plugins") is None or find_spec(package) is None:
        pytest.skip(f"{package} is not installed: see docs/sweeps.md")
    return [f"hydra/launcher={request.param}", *OPTIONS[request.param]]


@pytest.fixture
def environment(monkeypatch) -> None:
    """Threads are shared out by the sweep itself."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's own 15 starves workers beside other tests


def wait_for(condition, process, seconds=500):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def jobs_of(sweep):
    return sorted(path for path in sweep.iterdir() if (path / ".hydra").is_dir()) if sweep.is_dir() else []


def rows(job):
    path = job / "metrics.jsonl"
    return read_metrics(path) if path.exists() else []


def states(errors: str) -> dict[str, str]:
    """The jobs in the summary of a sweep."""
    listed = re.findall(r"^  (finished|running|FAILED|interrupted) +(\S+)$", errors, re.MULTILINE)
    return {job: state for state, job in listed}


def kill(process, sweep):
    """A power cut: the main process and all workers at once."""
    running = {found for job in jobs_of(sweep) if (found := owner(job)) is not None}
    running |= descendants(process.pid)  # also a worker between two jobs
    process.kill()
    for each in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    process.communicate(timeout=60)


def descendants(pid: int) -> set[int]:
    """The children of a process, and theirs."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    found = {int(child) for children in listed for child in children.read_text(encoding="ascii").split()}
    return found.union(*map(descendants, found))


def test_a_sweep_over_two_workers_is_killed_and_resumed(start, environment, launcher, tmp_path):
    """Started by the installed script; one of five jobs fails both times."""
    (tmp_path / "fmcgan-train.py").write_text(SCRIPT, encoding="utf-8")
    epochs, batches, sizes = 12, 5, (16, 32, 48, 64)
    sweep = [
        *(*TINY, f"trainer.max_epochs={epochs}", f"trainer.limit_train_batches={batches}", "trainer.precision=auto"),
        *("callback.metrics_logger.every_n_batches=1", "hydra.sweep.dir=sweep", *launcher),
        "data.batch_size=99999," + ",".join(map(str, sizes)),
    ]
    process = start("fmcgan-train.py", "-m", *sweep)
    folder = tmp_path / "sweep"

    def finished() -> dict:
        results = (job / "result.json" for job in jobs_of(folder))
        return {result.parent: result.stat().st_mtime_ns for result in results if result.exists()}

    def in_the_middle() -> bool:
        begun = [job for job in jobs_of(folder) if len(rows(job)) > 2 * batches]
        return 0 < len(finished()) < len(begun)

    wait_for(in_the_middle, process)
    kill(process, folder)
    before, answers = finished(), json.loads((folder / ".precision.json").read_text(encoding="utf-8"))
    begun = {job for job in jobs_of(folder) if (job / "checkpoints/last.ckpt").exists()} - before.keys()

    resumed = start("fmcgan-train.py", "-m", *sweep)
    _, errors = resumed.communicate(timeout=400)
    assert resumed.returncode == 1, errors
    assert sorted(states(errors).values()) == ["FAILED", *["finished"] * len(sizes)]
    assert {job: finished()[job] for job in before} == before  # skipped
    known = json.loads((folder / ".precision.json").read_text(encoding="utf-8"))
    assert answers.items() <= known.items()  # not asked again
    seen = []
    for job in finished():
        images = [row["images_seen"] for row in rows(job)]
        assert images == sorted(set(images))
        seen.append(images[-1])
        log = (job / "train.log").read_text(encoding="utf-8")
        assert job not in begun or log.count("run folder: ") == 2, log  # resumed, at its first epoch or later
        config = (job / "config.yaml").read_text(encoding="utf-8")
        assert re.search(r"  precision: (\S+)", config)[1] in known.values()
        about = json.loads((job / "environment.json").read_text(encoding="utf-8"))
        assert about["command"].startswith("fmcgan-train.py -m ")
    assert sorted(seen) == [epochs * batches * size for size in sizes]
    (failed,) = folder.glob("*/error.json")
    assert "data.batch_size must be at most" in json.loads(failed.read_text(encoding="utf-8"))["message"]
    assert "data.batch_size must be at most" in (failed.parent / "train.log").read_text(encoding="utf-8")


def test_a_stopped_sweep_saves_the_checkpoints_of_its_jobs(start, environment, launcher, tmp_path):
    if "hydra/launcher=ray" in launcher:
        pytest.skip("Ray handles SIGTERM itself and ends its workers at once; docs/sweeps.md says so")
    long = ["trainer.max_epochs=5000", "trainer.limit_train_batches=20", "callback.metrics_logger.every_n_batches=1"]
    process = start("train", "-m", *TINY, *long, "seed=0,1", "hydra.sweep.dir=sweep", *launcher)
    folder = tmp_path / "sweep"
    wait_for(lambda: len([job for job in jobs_of(folder) if len(rows(job)) > 25]) == 2, process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors, errors
    assert set(states(errors).values()) == {"interrupted"}
    for job in jobs_of(folder):
        saved = torch.load(job / "checkpoints/last.ckpt", weights_only=True)["images_seen"]
        assert rows(job)[-1]["images_seen"] == saved  # at the signal, not at the end of an epoch
        assert owner(job) is None


def torchrun(port: int, *arguments: str) -> list[str]:
    """One of two nodes with one process each."""
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *rendezvous]
    return [*launcher, "-m", "fmcgan.train", *arguments]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def nodes(tmp_path):
    """Starts the same command on two nodes, which are both this machine; returns exit codes and error outputs."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    started = []

    def nodes(*arguments: str, number: int = 2) -> tuple[list[int], list[str]]:
        command = torchrun(free_port(), *arguments)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running = [subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) for _ in range(number)]
        started.extend(running)
        errors = [process.communicate(timeout=300)[1] for process in running]
        return [process.returncode for process in running], errors

    yield nodes
    for process in started:
        process.kill()


DDP = [
    "trainer=ddp",
    "trainer.devices=1",
    "trainer.num_nodes=2",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=4",
]


@pytest.mark.process
def test_two_nodes_of_torchrun_share_one_run_folder(nodes, tmp_path):
    codes, errors = nodes(*TINY, *DDP)
    assert codes == [0, 0], "\n".join(errors)
    (run,) = (tmp_path / "outputs").glob("*/*")  # named by the clock, which each process reads for itself
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["images_seen"] == 4 * 32
    assert "2 " in result["hardware"], result["hardware"]
    assert "num_nodes: 2" in (run / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.process
def test_nodes_that_disagree_with_the_run_are_refused_at_once(nodes, tmp_path):
    codes, errors = nodes(*TINY, *(each.replace("devices=1", "devices=2") for each in DDP))
    assert all(codes), errors
    for told in errors:
        assert "torchrun started 2 processes, 1 of them on this node, for trainer.devices=2 trainer.num_nodes=2" in told
    assert not (tmp_path / "outputs").exists()


@pytest.mark.process
def test_a_node_that_never_comes_is_reported_in_time(start, tmp_path):
    launch = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2", "RANK": "0"}
    launch |= {"TORCHELASTIC_RUN_ID": "test", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    began = time.monotonic()
    process = start("train", *TINY, *DDP, "hydra.callbacks.claim_run_dir.launch_timeout=2", env=launch)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert re.search(r"1 of 2 processes have not come to 127\.0\.0\.1:\d+ within 2 s: rank 1\.", line)
    assert time.monotonic() - began < 60
    assert not (tmp_path / "outputs").exists()


EPOCHS, BATCHES = 40, 5
ON_SLURM = [
    *(*TINY, f"trainer.max_epochs={EPOCHS}", f"trainer.limit_train_batches={BATCHES}", "hydra.sweep.dir=sweep"),
    *("callback.metrics_logger.every_n_batches=1", "hydra/launcher=submitit_slurm"),
    "hydra.launcher.cpus_per_task=1",  # two jobs at once on two cores
]


def environment_of(cluster: dict[str, str]) -> dict[str, str]:
    if find_spec("submitit") is None:
        pytest.skip("submitit is not installed: pip install 'fmcgan[launchers]'")
    return {name: cluster[name] for name in ("SLURM_CONF", "PATH")}


def in_third_epoch(sweep) -> int:
    """Counts the jobs that are in their third epoch or later."""
    return len([job for job in jobs_of(sweep) if len(rows(job)) > 2 * BATCHES + 2])


def assert_whole(job):
    """All images were seen, none of them twice."""
    seen = [row["images_seen"] for row in rows(job)]
    assert seen == sorted(set(seen))
    assert seen[-1] == EPOCHS * BATCHES * 32


@pytest.fixture
def slurm_cluster(tmp_path):
    """The environment of a SLURM cluster of this machine."""
    if reason := slurm.why_not():
        pytest.skip(f"no SLURM: {reason}")
    with slurm.cluster(tmp_path / "slurm") as environment:
        yield environment


@pytest.mark.process
def test_a_sweep_on_slurm_is_cancelled_and_resumed(start, command, environment, slurm_cluster, tmp_path):
    sweep, here = [*ON_SLURM, "seed=0,1,2,3"], environment_of(slurm_cluster)
    process = start("train", "-m", *sweep, env=here, fresh=True)
    folder = tmp_path / "sweep"
    wait_for(lambda: in_third_epoch(folder) >= 2, process)
    subprocess.run(["scancel", "--user=root"], env=slurm_cluster, check=True)
    wait_for(lambda: not any(map(is_locked, jobs_of(folder))), process)
    process.send_signal(signal.SIGTERM)  # submitit learns of cancelled jobs from SLURM's accounting, which is off here
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 143, errors
    interrupted = jobs_of(folder)
    assert {states(errors)[job.name] for job in interrupted} == {"interrupted"}
    for job in interrupted:
        saved = torch.load(job / "checkpoints/last.ckpt", weights_only=True)["images_seen"]
        assert rows(job)[-1]["images_seen"] == saved  # at the signal, not at the end of an epoch

    resumed = command("train", "-m", *sweep, env=here, fresh=True)
    assert sorted(states(resumed.stderr).values()) == ["finished"] * 4
    for job in jobs_of(folder):
        assert_whole(job)


@pytest.mark.process
def test_a_preempted_job_of_slurm_goes_back_into_the_queue_and_resumes(start, environment, slurm_cluster, tmp_path):
    process = start("train", "-m", *ON_SLURM, "seed=0", env=environment_of(slurm_cluster), fresh=True)
    folder = tmp_path / "sweep"
    wait_for(lambda: in_third_epoch(folder) >= 1, process)
    subprocess.run(["scancel", "--signal=USR2", "--user=root"], env=slurm_cluster, check=True)
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    assert list(states(errors).values()) == ["finished"]
    (job,) = jobs_of(folder)
    assert_whole(job)
    assert (job / "train.log").read_text(encoding="utf-8").count("run folder: ") == 2


@pytest.mark.process
def test_two_tasks_of_srun_share_one_run_folder(slurm_cluster, tmp_path):
    srun = ["srun", "--ntasks=2", sys.executable, "-m", "fmcgan.train", *TINY]
    run = ["trainer=ddp", "trainer.devices=2", "trainer.max_epochs=1", "trainer.limit_train_batches=4"]
    pipes = {"cwd": tmp_path, "env": slurm_cluster | {"OMP_NUM_THREADS": "1"}, "capture_output": True, "text": True}
    ended = subprocess.run([*srun, *run], timeout=300, **pipes)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "outputs").glob("*/*")
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["images_seen"] == 4 * 32
    wrong = subprocess.run([*srun, *run, "trainer.num_nodes=2"], timeout=300, **pipes)
    assert wrong.returncode != 0
    assert "srun started 2 tasks for trainer.devices=2 on 2 nodes" in wrong.stderr
