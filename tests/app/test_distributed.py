"""Variables of launchers, clusters and earlier sessions, left in the environment or meant."""

import itertools
import socket

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer

from fmcgan.app.distributed import (
    Meeting,
    check_launch,
    cluster_environment,
    is_distributed,
    is_launched_from_outside,
    is_nonzero_rank,
)
from fmcgan.app.errors import UserError
from fmcgan.app.trainer_options import check_run

LAUNCH = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "2"}
SHELL = {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "2", "SLURM_NODEID": "0", "SLURM_JOB_ID": "123"}
TORCHRUN = LAUNCH | {"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
SRUN = SHELL | {"SLURM_STEP_ID": "0", "SLURM_NNODES": "1"}


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", rank_zero_only.rank)
    for name in (*TORCHRUN, *SRUN, "SLURM_NTASKS_PER_NODE", "SLURM_JOB_NAME", "SLURM_NODELIST"):
        monkeypatch.delenv(name, raising=False)

    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize("devices", [1, "1", [3]])
def test_one_device_is_one_process_whatever_stands_in_the_environment(environment, devices):
    assert not is_distributed(devices)
    left = [{"LOCAL_RANK": "1"}, {"RANK": "3"}, LAUNCH, SHELL, SRUN, {"SLURM_JOB_NAME": "bash"}]
    for some in itertools.product((False, True), repeat=len(left)):
        for each in itertools.compress(left, some):
            environment(**each)
        assert not is_nonzero_rank(devices)
        check_launch(devices)
        rank_zero_only.rank = 2  # as Lightning read it
        trainer = Trainer(
            devices=1, accelerator="cpu", logger=False, plugins=cluster_environment(devices), barebones=True
        )
        assert (trainer.world_size, trainer.global_rank, rank_zero_only.rank) == (1, 0, 0)


def test_ranks_of_a_launch(environment):
    environment(LOCAL_RANK="1")
    assert not is_nonzero_rank(2)
    with pytest.raises(UserError, match=r"LOCAL_RANK=1 .*MASTER_ADDR"):
        check_launch(2)
    environment(**LAUNCH)
    check_launch(2)
    assert is_nonzero_rank(2)
    environment(LOCAL_RANK="0")
    assert not is_nonzero_rank(2)
    environment(RANK="2")  # the second node's first process
    assert is_nonzero_rank(2)


@pytest.mark.parametrize("left", [{}, SHELL, SRUN | {"SLURM_JOB_NAME": "bash"}, SRUN | {"SLURM_NTASKS": "1"}])
def test_several_devices_without_srun_start_each_other(environment, left):
    environment(**left)
    check_launch(2)
    (kind,) = cluster_environment(2)
    assert isinstance(kind, LightningEnvironment)
    assert not is_nonzero_rank(2)


def test_several_devices_under_srun(environment):
    environment(**SRUN)
    check_launch(4)
    (kind,) = cluster_environment(4)
    assert isinstance(kind, SLURMEnvironment)
    assert is_nonzero_rank(4)
    with pytest.raises(UserError, match=r"4 tasks .*trainer.devices=2"):
        check_launch(2)
    check_launch(2, num_nodes=2)


@pytest.mark.parametrize("nodes", [5, 2, 0, -1, "two", None, 1.5])
def test_nodes_that_nobody_starts_are_refused(environment, nodes):
    for devices in (1, 2):
        with pytest.raises(UserError, match=r"trainer\.num_nodes"):
            check_launch(devices, nodes)


@pytest.mark.parametrize(
    ("started", "here", "devices", "nodes"),
    [(2, 1, 2, 1), (2, 1, 2, 2), (2, 1, 1, 1), (4, 4, 2, 2), (4, 2, [0], 2), (2, 2, "3", 1), (8, 2, 2, 2)],
)
def test_torchrun_and_the_run_must_agree(environment, started, here, devices, nodes):
    environment(**TORCHRUN | {"WORLD_SIZE": str(started), "LOCAL_WORLD_SIZE": str(here)})
    with pytest.raises(UserError, match=rf"torchrun started {started} processes, {here} of them .*trainer\.devices="):
        check_launch(devices, nodes)


@pytest.mark.parametrize(
    ("started", "here", "devices", "nodes"),
    [(2, 1, 1, 2), (2, 2, 2, 1), (4, 2, [0, 1], 2), (1, 1, 1, 1), (2, 2, "auto", 1)],
)
def test_torchrun_with_the_right_numbers(environment, started, here, devices, nodes):
    environment(**TORCHRUN | {"WORLD_SIZE": str(started), "LOCAL_WORLD_SIZE": str(here)})
    check_launch(devices, nodes)
    assert is_launched_from_outside(devices, nodes) == (started > 1)
    assert (cluster_environment(devices, nodes) == []) == (started > 1)


def test_one_device_on_each_of_two_nodes_is_several_processes(environment):
    assert is_distributed(1, 2)
    environment(**TORCHRUN | {"RANK": "1"})
    assert is_nonzero_rank(1, 2)
    assert not is_nonzero_rank(1, 1)


def test_the_rank_of_srun_is_not_that_of_an_earlier_torchrun(environment):
    environment(**SRUN, RANK="0", LOCAL_RANK="0")
    assert is_nonzero_rank(4)


@pytest.fixture
def meetings(environment):
    """Makes the meetings of some of two ranks, all in this process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def meetings(*ranks: int, seconds: float = 5) -> list[Meeting]:
        made = []
        for rank in ranks:
            environment(**TORCHRUN | {"MASTER_PORT": port, "RANK": str(rank)})
            made.append(Meeting(seconds))
        return made

    yield meetings
    Meeting._server = None


def test_all_ranks_get_the_folder_of_the_first(meetings, tmp_path):
    first, second = meetings(0, 1)
    first.wait_for_all()
    first.announce(tmp_path)
    assert second.folder() == tmp_path


def test_a_rank_that_does_not_come_is_named(meetings):
    (first,) = meetings(0, seconds=0.3)
    with pytest.raises(UserError, match=r"1 of 2 processes have not come .* within 0\.3 s: rank 1\. .*launch_timeout="):
        first.wait_for_all()


def test_a_refusal_of_the_first_rank_ends_the_others(meetings):
    first, second = meetings(0, 1)
    first.announce(None)
    with pytest.raises(UserError, match=r"rank 1 ends: rank 0 refused"):
        second.folder()


def test_a_first_rank_that_does_not_come_or_decides_nothing_is_reported(meetings):
    with pytest.raises(UserError, match=r"rank 1 cannot reach rank 0 at 127\.0\.0\.1:\d+ within 1 s"):
        meetings(1, seconds=1)
    _, second = meetings(0, 1, seconds=0.3)
    with pytest.raises(UserError, match=r"rank 1 got no run folder from rank 0"):
        second.folder()


def test_a_world_of_another_size_is_refused(environment):
    trainer = Trainer(devices=2, accelerator="cpu", strategy="ddp", logger=False, plugins=[LightningEnvironment()])
    trainer.strategy.cluster_environment.set_world_size(1)  # as of a launcher that has started one process
    with pytest.raises(UserError, match=r"the launch has 1 processes .* of 2"):
        check_run(trainer, None, None)
