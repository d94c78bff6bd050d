"""How much memory there is, what a step needs, and one line where the two do not fit."""

import os
import re
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fmcgan.app.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_PRESENT = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "Unable to allocate",
    "Storage size calculation overflowed",
)
"""Words of torch's and numpy's errors for an allocation that failed."""

_REMEDY = "take fewer or smaller of what is asked for (such as data.batch_size, network.width, n)"


def available() -> float:
    """Bytes that this process can still allocate: of the machine, its container and its own limit."""
    bounds = (_of_machine(), _of_container(), _of_process())
    return min((bound for bound in bounds if bound is not None), default=float("inf"))


def require(need: float, what: str, remedy: str = _REMEDY) -> None:
    """Refuses what does not fit into memory, before anything of it is allocated.

    Args:
        need: bytes.
        what: needs them: the beginning of a sentence.
        remedy: what to do instead.

    Raises:
        UserError: states the need, what is there and what to do.
    """
    there = available()
    if need > there:
        raise UserError(f"{what} needs {amount(need)} of memory, {amount(there)} are available; {remedy}")


def check_training(networks: "Callable[[], Iterable[Module]]", batch_size: int, precision: str) -> None:
    """Refuses to train on the CPU what cannot fit, by a step that is not computed.

    On torch's meta device networks and tensors have shapes, but no contents. What is counted is a lower bound: weights,
    gradients, moments of Adam and the generator's average, and what the two forward passes keep for the backward one.

    Args:
        networks: builds generator and discriminator.
        batch_size: images on a device.
        precision: of the trainer; bf16 halves what is kept for the backward pass.

    Raises:
        UserError: states the need and what is there.
    """
    import torch

    kept: dict[int, Tensor] = {}
    weights = [0, 0]
    own: list[list[Tensor]] = []

    def keep(tensor: "Tensor") -> "Tensor":
        kept[tensor.untyped_storage()._cdata] = tensor  # several operations may keep the same
        return tensor

    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            generator, discriminator = networks()
            own = [list(network.parameters()) for network in (generator, discriminator)]
            weights = [sum(each.nbytes for each in parameters) for parameters in own]
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                labels = torch.zeros(batch_size, dtype=torch.int64)
                discriminator(generator(torch.empty(batch_size, cast(int, generator.latent_dim)), labels), labels)
    except Exception as error:
        if explain(error) is not None:
            raise
        # A wrong value, or a network that needs contents: building it will show. What is known so far is counted.
    for parameter in chain(*own):
        kept.pop(parameter.untyped_storage()._cdata, None)
    activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    need = 5 * weights[0] + 4 * weights[1] + activations * (0.5 if precision == "bf16-mixed" else 1)
    what = f"training networks of {amount(sum(weights))} in batches of {batch_size}"
    require(need, what, "take a smaller data.batch_size or network.width")


def explain(error: BaseException | None) -> str | None:
    """One line for an allocation that failed, or that led to this error; None for any other."""
    while error is not None and not _is_failed_allocation(error):
        error = error.__cause__
    if error is None:
        return None
    asked = re.search(r"[Tt]ried to allocate ([\d.]+ ?\w+)|Unable to allocate ([\d.]+ ?\w+)", str(error))
    size = f" for {' '.join(filter(None, asked.groups()))}" if asked else ""
    there = "" if "CUDA" in str(error) else f", {amount(available())} are available"
    return f"out of memory: there is no room{size}{there}; {_REMEDY}"


def _is_failed_allocation(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _PRESENT)


def amount(size: float) -> str:
    """Formats a number of bytes.

    Example:
        >>> amount(3_141_592_653)
        '3.1 GB'
    """
    if size >= 1e27:
        return "more than 1,000 YB"
    for unit, name in ((1e24, "YB"), (1e21, "ZB"), (1e18, "EB"), (1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1e3:,.1f} kB"


def _of_machine() -> float | None:
    text = _text("/proc/meminfo")
    if found := re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE):
        swap = re.search(r"^SwapFree:\s+(\d+) kB", text, re.MULTILINE)
        return 1024.0 * (int(found[1]) + (int(swap[1]) if swap else 0))
    try:  # elsewhere than on Linux: all there is
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return None


def _of_container() -> float | None:
    """What control groups leave, of either version; files that are only cached count as free."""
    for limit, used, statistics, cached in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        most, now = (_text(f"/sys/fs/cgroup/{name}").strip() for name in (limit, used))
        if most.isdecimal() and now.isdecimal():
            free = re.search(rf"^{cached} (\d+)", _text(f"/sys/fs/cgroup/{statistics}"), re.MULTILINE)
            return max(0.0, float(int(most) - int(now) + (int(free[1]) if free else 0)))
    return None


def _of_process() -> float | None:
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
