"""Training on several devices: the rank of this process, its launcher (Lightning, srun, torchrun) and mean values.

Variables of an earlier launch, or of an interactive shell on a cluster, may still be in the environment. They count
only for a run on several devices, and only if the launch is complete.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from omegaconf import ListConfig

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments import ClusterEnvironment
    from torch import Tensor

_LAUNCH = {"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"}  # set by Lightning's launcher and by torchrun
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # the global rank first
_SHELLS = ("bash", "interactive")  # SLURM jobs of these names are shells


def is_distributed(devices: object) -> bool:
    """Whether `trainer.devices` means, or may mean, several devices. A list holds device indices."""
    return len(devices) > 1 if isinstance(devices, ListConfig | list) else str(devices) != "1"


def is_nonzero_rank(devices: object) -> bool:
    """Whether the launcher started this process in addition to rank 0 of the same run."""
    if not is_distributed(devices) or not (_is_launched() or _is_srun()):
        return False
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    return rank.isdigit() and int(rank) > 0


def check_launch(devices: object, num_nodes: int = 1) -> None:
    """Refuses a run that would wait for processes that no launcher starts. The `UserError` says what is missing."""
    whole_number(**{"trainer.num_nodes": num_nodes})
    if num_nodes > 1 and not (is_distributed(devices) and (_is_srun() or "TORCHELASTIC_RUN_ID" in os.environ)):
        raise UserError(
            f"trainer.num_nodes={num_nodes} needs trainer=ddp and a start by srun or torchrun on every node; otherwise"
            " this run waits for the other nodes. On one machine leave trainer.num_nodes out"
        )
    if not is_distributed(devices):
        return
    if "LOCAL_RANK" in os.environ and not _is_launched() and not _is_srun():
        raise UserError(
            f"LOCAL_RANK={os.environ['LOCAL_RANK']} is set, but the other variables of a launch"
            f" ({', '.join(sorted(_LAUNCH))}) are not: this run would wait for other processes. Unset LOCAL_RANK"
        )
    if _is_srun() and isinstance(devices, int) and _tasks() != devices * num_nodes:
        raise UserError(
            f"srun started {_tasks()} tasks for trainer.devices={devices} on {num_nodes} nodes; start one task for each"
            " device, or start without srun: Lightning then starts the other processes"
        )


def cluster_environment(devices: object) -> Sequence["ClusterEnvironment"]:
    """Returns the Lightning plugins for the launcher of this run: one, or none where Lightning detects it."""
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    if not is_distributed(devices):
        setattr(rank_zero_only, "rank", 0)  # noqa: B010 # Lightning read it from the environment when it was imported
        return [LightningEnvironment()]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return []
    if not _is_srun():
        return [LightningEnvironment()]
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(_tasks() // int(os.environ.get("SLURM_NNODES", "1"))))
    return [SLURMEnvironment()]


def device_count() -> int:
    """Returns how many processes share a batch, one for each device."""
    import torch.distributed as dist  # here: commands start without torch

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def mean_over_devices(value: "Tensor") -> "Tensor":
    """Averages a tensor over all devices, without a gradient. In one process it returns the tensor itself."""
    if (count := device_count()) == 1:
        return value
    import torch.distributed as dist

    total = value.detach().clone()
    dist.all_reduce(total)
    return total / count


def _is_launched() -> bool:
    return os.environ.keys() >= _LAUNCH


def _is_srun() -> bool:
    """Whether this process is one of several tasks of srun, and not a shell or a batch script."""
    return "SLURM_STEP_ID" in os.environ and _tasks() > 1 and os.environ.get("SLURM_JOB_NAME") not in _SHELLS


def _tasks() -> int:
    tasks = os.environ.get("SLURM_NTASKS", "1")
    return int(tasks) if tasks.isdigit() else 1
