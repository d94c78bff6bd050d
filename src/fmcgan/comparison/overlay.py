"""Curves of groups in one figure: mean and range over the runs of each group."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmcgan.comparison.grouping import Group
from fmcgan.comparison.statistics import Table
from fmcgan.figure.curves import Panel, Series, draw_curves, running_mean, smoothing_window

Array = NDArray[np.float64]

SMOOTHING_PARTS = 20  # length of a curve divided by the width of its running mean; metrics are not smoothed
WIDE = 30  # ratio of the largest to the smallest value above which the axis is logarithmic


def draw_losses(groups: Sequence[Group], path: Path) -> None:
    """Draws the losses of both networks, on a symmetric logarithmic axis if their ranges differ widely."""
    panels = [
        Panel("Generator loss", "loss", _series(groups, "loss/generator")),
        Panel("Discriminator loss (with penalty)", "loss", _series(groups, "loss/discriminator")),
    ]
    draw_curves([_readable(panel) for panel in panels], path)


def draw_gradient_norms(groups: Sequence[Group], path: Path) -> None:
    """Draws the gradient norms of both networks before clipping."""
    panels = [
        Panel(
            f"{network.capitalize()} gradient norm",
            "L2 norm before clipping",
            _series(groups, f"gradient_norm/{network}"),
            scale="log",
        )
        for network in ("generator", "discriminator")
    ]
    draw_curves(panels, path)


def draw_scores(groups: Sequence[Group], names: Sequence[str], table: Table, path: Path) -> None:
    """Draws each metric, named without ``score/``, over the images seen (left) and over the minutes trained (right)."""
    panels = []
    for name in names:
        protocol = table.protocol(name)
        title = f"{name}, {protocol.in_words}" if protocol.in_words else name
        line = {"real data": protocol.floor} if protocol.floors else {}
        for clock, x_label in (("images_seen", "images seen"), ("seconds", "minutes of training")):
            series = _series(groups, f"score/{name}", clock)
            panels.append(Panel(title, "value", series, x_label, _score_scale(series, list(line.values())), line))
    draw_curves(panels, path)


def mean_curve(curves: Sequence[tuple[Array, Array]]) -> tuple[Array, Array, Array, Array]:
    """Averages curves that were recorded at different moments, with linear interpolation.

    Args:
        curves: x [N_i], ascending, and y [N_i] of each run; values that are not finite are left out.

    Returns:
        x [N] and the mean, lowest and highest y [N], at every recorded x within the common range. Without a common
        range, one point: the means of the last points.
    """
    known = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in curves]
    known = [(x, y) for x, y in known if len(x)]
    if not known:
        empty = np.empty(0)
        return empty, empty, empty, empty
    first, last = max(x[0] for x, _ in known), min(x[-1] for x, _ in known)
    if first > last:
        grid = np.array([np.mean([x[-1] for x, _ in known])])
        values = np.array([[y[-1]] for _, y in known])
    else:
        recorded = np.unique(np.concatenate([x for x, _ in known]))
        grid = recorded[(recorded >= first) & (recorded <= last)]
        values = np.array([np.interp(grid, x, y) for x, y in known])
    return grid, values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def _series(groups: Sequence[Group], key: str, clock: str = "images_seen") -> list[Series]:
    found = []
    for group in groups:
        curves = []
        for run in group.runs:
            x, y = run.curve(key, clock)
            smooth = running_mean(y, 1 if key.startswith("score/") else smoothing_window(len(y), SMOOTHING_PARTS))
            curves.append((x / 60 if clock == "seconds" else x, smooth))
        x, mean, low, high = mean_curve(curves)
        found.append(Series(group.label, x, mean, (low, high) if len(group.runs) > 1 else None))
    return found


def _readable(panel: Panel) -> Panel:
    """Chooses a symmetric logarithmic axis if one curve spans ten times as much as another."""
    spans = [float(np.ptp(series.y)) for series in panel.series if np.size(series.y) > 1]
    if spans and max(spans) > max(10, 10 * min(spans)):
        return replace(panel, scale="symlog", y_label="loss (logarithmic beyond ±1)")
    return panel


def _score_scale(series: Sequence[Series], others: Sequence[float]) -> str:
    values = np.concatenate([*(np.asarray(each.y) for each in series), np.asarray(others, dtype=np.float64)])
    return "log" if len(values) and values.min() > 0 and values.max() > WIDE * values.min() else "linear"
