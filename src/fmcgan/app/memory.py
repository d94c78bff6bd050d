"""Available memory, the memory of a training step, and errors for a lack of memory."""

import os
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fmcgan.app.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_ALLOCATION_ERRORS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Unable to allocate",
    "Storage size calculation overflowed",
)
"""Parts of the messages of torch and numpy for a failed allocation."""

_REMEDY = "reduce data.batch_size, network.width or n"


def available() -> float:
    """Returns the bytes that this process can still allocate: the least of machine, container and its own limit."""
    bounds = (_machine_memory(), _container_memory(), _process_memory())
    return min((bound for bound in bounds if bound is not None), default=float("inf"))


def require(need: float, what: str, remedy: str = _REMEDY) -> None:
    """Refuses an operation that does not fit into memory, before it allocates anything.

    Args:
        need: bytes.
        what: the operation, as the subject of the error's sentence.
        remedy: what to do instead.
    """
    free = available()
    if need > free:
        raise UserError(f"{what} needs {format_bytes(need)} of memory, {format_bytes(free)} are available; {remedy}")


def check_training(generator: "Module", discriminator: "Module", batch_size: int, precision: str) -> None:
    """Refuses a training on the CPU that does not fit into memory, without computing a step.

    The estimate, from tensors on torch's meta device, is a lower bound: weights, gradients, Adam's moments, the
    generator's moving average, and the activations saved for the backward pass, which bf16 halves. The networks may be
    on the meta device too.
    """
    import torch

    saved: dict[int, Tensor] = {}
    own = [list(network.parameters()) for network in (generator, discriminator)]
    weights = [sum(each.nbytes for each in parameters) for parameters in own]

    def save(tensor: "Tensor") -> "Tensor":
        saved[tensor.untyped_storage()._cdata] = tensor  # saved by several operations, counted once
        return tensor

    try:
        hooks = torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor)
        with torch.device("meta"), torch.random.fork_rng(devices=[]), hooks:
            labels = torch.zeros(batch_size, dtype=torch.int64)
            discriminator(generator(torch.empty(batch_size, cast(int, generator.latent_dim)), labels), labels)
    except Exception as error:
        if format_allocation_error(error) is not None:
            raise
        # The network needs real tensors, or has an error that training reports: what is known is counted.
    for parameter in chain(*own):
        saved.pop(parameter.untyped_storage()._cdata, None)
    activations = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    need = 5 * weights[0] + 4 * weights[1] + activations * (0.5 if precision == "bf16-mixed" else 1)
    what = f"training networks of {format_bytes(sum(weights))} in batches of {batch_size}"
    require(need, what, "reduce data.batch_size or network.width")


def format_allocation_error(error: BaseException | None) -> str | None:
    """Returns one line for an error that is, or was caused by, a failed allocation; ``None`` for other errors."""
    while error is not None and not _is_failed_allocation(error):
        error = error.__cause__
    if error is None:
        return None
    asked = re.search(r"[Tt]ried to allocate ([\d.]+ ?\w+)|Unable to allocate ([\d.]+ ?\w+)", str(error))
    size = f" for {' '.join(filter(None, asked.groups()))}" if asked else ""
    there = "" if "CUDA" in str(error) else f", {format_bytes(available())} are available"
    return f"out of memory{size}{there}; {_REMEDY}"


def _is_failed_allocation(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATION_ERRORS)


def format_bytes(size: float) -> str:
    """Formats a number of bytes, as in ``3.1 GB``."""
    if size >= 1e27:
        return "more than 1,000 YB"
    for unit, name in ((1e24, "YB"), (1e21, "ZB"), (1e18, "EB"), (1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1e3:,.1f} kB"


def _machine_memory() -> float | None:
    text = _text("/proc/meminfo")
    if found := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
        swap = re.search(r"^SwapFree:\s+(\d+) kB", text, re.MULTILINE)
        return 1024.0 * (int(found[1]) + (int(swap[1]) if swap else 0))
    try:  # not Linux: the total memory
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return None


def _container_memory() -> float | None:
    """Returns the bytes below the limit of the control group, of version 1 or 2. Cached files count as free."""
    for limit, used, statistics, cached in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        most, now = (_text(f"/sys/fs/cgroup/{name}").strip() for name in (limit, used))
        if most.isdecimal() and now.isdecimal():
            free = re.search(rf"^{cached} (\d+)", _text(f"/sys/fs/cgroup/{statistics}"), re.MULTILINE)
            return max(0.0, float(int(most) - int(now) + (int(free[1]) if free else 0)))
    return None


def _process_memory() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    size = _text("/proc/self/statm").split()
    if most == resource.RLIM_INFINITY or not size:
        return None
    return max(0.0, float(most - int(size[0]) * resource.getpagesize()))


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
