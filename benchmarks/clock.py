"""Measures the time of actions on a device, several actions in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypedDict, TypeVar

import torch

Name = TypeVar("Name")
Row = dict[str, object]  # one row of a table, by column: text, number or `Spread`


class Spread(TypedDict):
    """Summary of several measurements."""

    median: float
    quartiles: list[float]
    n: int


def synchronise(device: torch.device) -> None:
    """Waits until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """Returns the seconds of an action, including its work on the device."""
    synchronise(device)
    start = time.perf_counter()
    action()
    synchronise(device)
    return time.perf_counter() - start


def time_interleaved(
    actions: Mapping[Name, Callable[[], object]], device: torch.device, seconds: float, at_least: int = 3
) -> dict[Name, list[float]]:
    """Returns the seconds of several actions, timed in turns, so that other load affects all of them equally.

    The first round chooses kernels and allocates memory; it is not counted. There are ``at_least`` rounds, and none
    starts later than after ``seconds``.
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
    """Returns median, quartiles and number of several measurements."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "quartiles": [low, high], "n": len(values)}


def ratios(over: list[float], under: list[float]) -> Spread:
    """Divides two measurements round by round: other load on the machine affects both."""
    return spread([a / b for a, b in zip(over, under, strict=True)])


def rates(amount: float, seconds: list[float]) -> Spread:
    """Returns the amount per second of several measurements of the same amount."""
    return spread([amount / each for each in seconds])
