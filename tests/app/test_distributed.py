"""Variables of launchers, clusters and earlier sessions, left in the environment or meant."""

import itertools

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer

from fmcgan.app.distributed import check_launch, cluster_environment, is_distributed, is_nonzero_rank
from fmcgan.app.errors import UserError

LAUNCH = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "WORLD_SIZE": "2"}
SHELL = {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "2", "SLURM_NODEID": "0", "SLURM_JOB_ID": "123"}
SRUN = SHELL | {"SLURM_STEP_ID": "0", "SLURM_NNODES": "1"}


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", rank_zero_only.rank)
    for name in (*LAUNCH, *SRUN, "SLURM_NTASKS_PER_NODE", "SLURM_JOB_NAME", "RANK", "LOCAL_RANK"):
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
