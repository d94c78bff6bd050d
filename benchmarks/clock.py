"""Reading the clock: the one place that waits for the device, and measurements that take turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

Name = TypeVar("Name")
Spread = dict[str, Any]


def synchronise(device: torch.device) -> None:
    """Waits until the device has done all it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(action: Callable[[], Any], device: torch.device) -> float:
    """What an action takes, to the end of its work on the device."""
    synchronise(device)
    start = time.perf_counter()
    action()
    synchronise(device)
    return time.perf_counter() - start


def in_turn(
    actions: Mapping[Name, Callable[[], Any]], device: torch.device, seconds: float, at_least: int = 3
) -> dict[Name, list[float]]:
    """Times several actions in turn, so that what else the machine does meets all of them alike.

    A first round, in which kernels are chosen and memory is had, is not counted.

    Args:
        actions: by name.
        device: on which they work.
        seconds: no round begins later than this.
        at_least: rounds, however long they take.

    Returns:
        Seconds of each action in each round.
    """
    taken: dict[Name, list[float]] = {name: [] for name in actions}
    end = time.perf_counter() + seconds
    for each in actions.values():
        each()
    while min(map(len, taken.values())) < at_least or time.perf_counter() < end:
        for name, action in actions.items():
            taken[name].append(seconds_of(action, device))
    return taken


def spread(values: list[float]) -> Spread:
    """The median of several measurements, their quartiles and their number."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "quartiles": [low, high], "n": len(values)}


def ratios(over: list[float], under: list[float]) -> Spread:
    """Quotients of two measurements, round by round: what slowed a round down slowed both."""
    return spread([a / b for a, b in zip(over, under, strict=True)])


def rates(amount: float, seconds: list[float]) -> Spread:
    """Amount a second, of several measurements of the same amount."""
    return spread([amount / each for each in seconds])
