"""Which of several processes this one is, and who started it: Lightning, srun, torchrun or the user.

Variables of an earlier launch or of an interactive shell on a cluster may be left in the environment. They count only
for a run on several devices, and only where the whole launch is there.
"""

import os
from typing import Any

from omegaconf import ListConfig

from fmcgan.app.checks import whole_number
from fmcgan.app.errors import UserError

_LAUNCH = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE")  # set by Lightning's launcher and by torchrun
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # the global one first
_SHELLS = ("bash", "interactive")  # names of SLURM jobs that are a shell


def several(devices: Any) -> bool:
    """Whether `trainer.devices` means, or may mean, more than one; a list holds the numbers of the devices."""
    return len(devices) > 1 if isinstance(devices, ListConfig | list) else str(devices) != "1"


def is_other_rank(devices: Any) -> bool:
    """Whether this process was started beside the first one of the same run."""
    if not several(devices) or not (_launched() or _by_srun()):
        return False
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    return rank.isdigit() and int(rank) > 0


def check_launch(devices: Any, num_nodes: Any = 1) -> None:
    """Refuses what would wait for processes that nobody starts.

    Raises:
        UserError: says what is set and what is missing.
    """
    whole_number(**{"trainer.num_nodes": num_nodes})
    if num_nodes > 1 and not (several(devices) and (_by_srun() or "TORCHELASTIC_RUN_ID" in os.environ)):
        raise UserError(
            f"trainer.num_nodes={num_nodes} would wait for the other nodes: it needs trainer=ddp and a start by srun or"
            " torchrun on each of them. On one machine leave it out"
        )
    if not several(devices):
        return
    if "LOCAL_RANK" in os.environ and not _launched() and not _by_srun():
        raise UserError(
            f"LOCAL_RANK={os.environ['LOCAL_RANK']} is set without the rest of a launch ({', '.join(_LAUNCH)}): this"
            " run would wait for others. Unset LOCAL_RANK"
        )
    if _by_srun() and isinstance(devices, int) and _tasks() != devices * num_nodes:
        raise UserError(
            f"srun has started {_tasks()} tasks for trainer.devices={devices} on {num_nodes} nodes: it must start one"
            " for each device. Without srun, this program starts the others itself"
        )


def cluster_environment(devices: Any) -> list[Any]:
    """What Lightning must know of the launch: its own kind wherever nobody else has started all processes."""
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    if not several(devices):
        rank_zero_only.rank = 0  # type: ignore[attr-defined] # read from the environment when Lightning was imported
        return [LightningEnvironment()]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return []  # Lightning finds it
    if not _by_srun():
        return [LightningEnvironment()]
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(_tasks() // int(os.environ.get("SLURM_NNODES", "1"))))
    return [SLURMEnvironment()]


def _launched() -> bool:
    return all(name in os.environ for name in _LAUNCH)


def _by_srun() -> bool:
    """Whether this is one of several tasks that srun runs, and not a shell or a batch script."""
    return "SLURM_STEP_ID" in os.environ and _tasks() > 1 and os.environ.get("SLURM_JOB_NAME") not in _SHELLS


def _tasks() -> int:
    tasks = os.environ.get("SLURM_NTASKS", "1")
    return int(tasks) if tasks.isdigit() else 1
