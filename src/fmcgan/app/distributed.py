"""Training on several devices: the rank of this process, its launcher (Lightning, srun, torchrun) and mean values.

Variables of an earlier launch, or of an interactive shell on a cluster, may still be in the environment. They count
only for a run on several devices, and only if the launch is complete.
"""

import os
import socket
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import ListConfig

from fmcgan.app.checks import is_int, whole_number
from fmcgan.app.errors import UserError

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments import ClusterEnvironment
    from torch import Tensor

_LAUNCH = {"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"}  # set by Lightning's launcher and by torchrun
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # the global rank first
_SHELLS = ("bash", "interactive")  # SLURM jobs of these names are shells


def is_distributed(devices: object, num_nodes: object = 1) -> bool:
    """Whether `trainer.devices` and `trainer.num_nodes` mean, or may mean, several processes.

    A list holds device indices.
    """
    if is_int(num_nodes) and num_nodes > 1:
        return True
    return len(devices) > 1 if isinstance(devices, ListConfig | list) else str(devices) != "1"


def is_nonzero_rank(devices: object, num_nodes: object = 1) -> bool:
    """Whether the launcher started this process in addition to rank 0 of the same run."""
    if not is_distributed(devices, num_nodes) or not (_is_launched() or _is_srun()):
        return False
    return rank() > 0


def is_launched_from_outside(devices: object, num_nodes: object = 1) -> bool:
    """Whether srun or torchrun started the processes of this run, which then know nothing of each other yet."""
    return is_distributed(devices, num_nodes) and (_is_srun() or _is_torchrun())


def check_launch(devices: object, num_nodes: object = 1) -> None:
    """Refuses a run that would wait for processes that no launcher starts. The `UserError` says what is missing."""
    named: dict[str, Any] = {"trainer.num_nodes": num_nodes}
    whole_number(**named)
    assert is_int(num_nodes)
    if num_nodes > 1 and not (_is_srun() or _is_torchrun()):
        raise UserError(
            f"trainer.num_nodes={num_nodes} needs trainer=ddp and a start by srun or torchrun on every node; otherwise"
            " this run waits for the other nodes. On one machine leave trainer.num_nodes out"
        )
    per_node = _count(devices)
    if _is_torchrun() and per_node is not None:
        _check_torchrun(per_node, num_nodes)
    if not is_distributed(devices, num_nodes):
        return
    if "LOCAL_RANK" in os.environ and not _is_launched() and not _is_srun():
        raise UserError(
            f"LOCAL_RANK={os.environ['LOCAL_RANK']} is set, but the other variables of a launch"
            f" ({', '.join(sorted(_LAUNCH))}) are not: this run would wait for other processes. Unset LOCAL_RANK"
        )
    if _is_srun() and per_node is not None and _tasks() != per_node * num_nodes:
        raise UserError(
            f"srun started {_tasks()} tasks for trainer.devices={per_node} on {num_nodes} nodes; start one task for"
            " each device, or start without srun: Lightning then starts the other processes"
        )


def _check_torchrun(per_node: int, num_nodes: int) -> None:
    started, here = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    if (started, here) != (per_node * num_nodes, per_node):
        raise UserError(
            f"torchrun started {started} processes, {here} of them on this node, for trainer.devices={per_node}"
            f" trainer.num_nodes={num_nodes}; give trainer=ddp trainer.devices={here}"
            f" trainer.num_nodes={max(1, started // here)}, or other --nproc-per-node and --nnodes"
        )


def cluster_environment(devices: object, num_nodes: object = 1) -> Sequence["ClusterEnvironment"]:
    """Returns the Lightning plugins for the launcher of this run: one, or none where Lightning detects it."""
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    if not is_distributed(devices, num_nodes):
        setattr(rank_zero_only, "rank", 0)  # noqa: B010 # Lightning read it from the environment when it was imported
        return [LightningEnvironment()]
    if _is_torchrun():
        return []
    if not _is_srun():
        return [LightningEnvironment()]
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(_tasks() // int(os.environ.get("SLURM_NNODES", "1"))))
    return [SLURMEnvironment()]


class Meeting:
    """Brings the processes together that srun or torchrun started: all must come, and all get rank 0's run folder.

    Each process composes its own configuration, so a folder named by the clock would differ between them. The store is
    the one of torch's process group, which Lightning opens at the same address afterwards.

    Args:
        seconds: how long a process waits for the others.

    Raises:
        UserError: a process has not come in time. The message names the ranks, or the address of rank 0.
    """

    _server: object = None  # of rank 0; the store ends with it

    def __init__(self, seconds: float) -> None:
        import torch.distributed as dist

        self._seconds = seconds
        self._rank = rank()
        self._size = int(os.environ["WORLD_SIZE"]) if _is_torchrun() else _tasks()
        host, port = _address()
        serves = self._rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
        try:
            # Without a number of workers: their absence is reported by rank.
            server = dist.TCPStore(
                host, port, None, serves, timedelta(seconds=seconds), wait_for_workers=False, multi_tenant=True
            )
        except (RuntimeError, ValueError) as error:  # torch's own errors are RuntimeErrors
            reason = str(error).partition("\n")[0][:200]
            whom = f"rank {self._rank} cannot listen on" if serves else f"rank {self._rank} cannot reach rank 0 at"
            raise UserError(f"{whom} {host}:{port} within {seconds:g} s ({reason}). {_REMEDY}") from error
        Meeting._server = server
        # torchrun's store outlives its processes, which it may start again.
        self._store = dist.PrefixStore(f"fmcgan {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", server)
        self._address = f"{host}:{port}"
        self._store.set(f"rank {self._rank}", socket.gethostname())

    def wait_for_all(self) -> None:
        """Waits in rank 0 until all others have come."""
        deadline = time.monotonic() + self._seconds
        while missing := [each for each in range(self._size) if not self._store.check([f"rank {each}"])]:
            if time.monotonic() > deadline:
                names = ", ".join(map(str, missing[:20])) + (" ..." if missing[20:] else "")
                raise UserError(
                    f"{len(missing)} of {self._size} processes have not come to {self._address} within"
                    f" {self._seconds:g} s: rank {names}. {_REMEDY}"
                )
            time.sleep(0.1)

    def announce(self, folder: Path | None) -> None:
        """Tells the others the run folder, or ``None`` if rank 0 has refused the run."""
        self._store.set("folder", "" if folder is None else str(folder.absolute()))

    def folder(self) -> Path:
        """Waits for the run folder. Raises `UserError` if rank 0 refused the run or has ended."""
        try:
            text = self._store.get("folder").decode()
        except RuntimeError as error:
            raise UserError(
                f"rank {self._rank} got no run folder from rank 0 at {self._address} within {self._seconds:g} s: rank 0"
                " has ended, or waits for other processes. Its own message says more"
            ) from error
        if not text:
            raise UserError(f"rank {self._rank} ends: rank 0 refused the run, see its message")
        return Path(text)


_REMEDY = (
    "See the logs of the launcher, and whether the nodes reach this address;"
    " hydra.callbacks.claim_run_dir.launch_timeout=SECONDS waits longer"
)


def _address() -> tuple[str, int]:
    """Returns host and port of rank 0, where torch's process group will meet."""
    if _is_torchrun():
        return os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    from lightning.fabric.plugins.environments import SLURMEnvironment

    environment = SLURMEnvironment()
    return environment.main_address, environment.main_port


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


def _is_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and _is_launched()


def rank() -> int:
    """Returns the global rank of this process; 0 if the launcher set none."""
    names = ("SLURM_PROCID",) if _is_srun() and not _is_torchrun() else _RANKS
    found = next((os.environ[name] for name in names if name in os.environ), "0")
    return int(found) if found.isdigit() else 0


def _count(devices: object) -> int | None:
    """Returns the number of devices on a node; ``None`` if only the machine knows."""
    if isinstance(devices, ListConfig | list):
        return len(devices)
    return int(str(devices)) if str(devices).isdecimal() else None


def _is_srun() -> bool:
    """Whether this process is one of several tasks of srun, and not a shell or a batch script."""
    return "SLURM_STEP_ID" in os.environ and _tasks() > 1 and os.environ.get("SLURM_JOB_NAME") not in _SHELLS


def _tasks() -> int:
    tasks = os.environ.get("SLURM_NTASKS", "1")
    return int(tasks) if tasks.isdigit() else 1
