"""Curves of groups in one figure: mean and range over the runs of each group."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmcgan.comparison.grouping import DIFFERENT_LOSSES, Group, formulas_differ
from fmcgan.comparison.statistics import Table
from fmcgan.figure.curves import Panel, Series, curves_figure, running_mean, smoothing_window

Array = NDArray[np.float64]

SMOOTHING_PARTS = 20  # length of a curve divided by the width of its running mean; metrics are not smoothed
WIDE = 30  # ratio of the largest to the smallest value above which the axis is logarithmic


def losses_figure(groups: Sequence[Group]) -> Figure:
    """Draws the losses of both networks, on a symmetric logarithmic axis if their ranges differ widely.

    The title of a panel warns if the groups have different formulas of the loss.
    """
    panels = []
    for network, title in (("generator", "Generator loss"), ("discriminator", "Discriminator loss (with penalty)")):
        warning = f"\n({DIFFERENT_LOSSES})" if formulas_differ(groups, network) else ""
        panels.append(_readable(Panel(title + warning, "loss", series_of(groups, f"loss/{network}"))))
    return curves_figure(panels)


def gradient_norms_figure(groups: Sequence[Group]) -> Figure:
    """Draws the gradient norms of both networks before clipping."""
    panels = [
        Panel(
            f"{network.capitalize()} gradient norm",
            "L2 norm before clipping",
            series_of(groups, f"gradient_norm/{network}"),
            scale="log",
        )
        for network in ("generator", "discriminator")
    ]
    return curves_figure(panels)


def scores_figure(groups: Sequence[Group], names: Sequence[str], table: Table) -> Figure:
    """Draws each metric, named without ``score/``, over the images seen (left) and over the minutes trained (right)."""
    panels = []
    for name in names:
        protocol = table.protocol(name)
        title = f"{name}, {protocol.in_words}" if protocol.in_words else name
        line = {"real data": protocol.floor} if protocol.floors else {}
        for clock, x_label in (("images_seen", "training images seen"), ("seconds", "minutes of training")):
            series = series_of(groups, f"score/{name}", clock)
            panels.append(Panel(title, "value", series, x_label, _score_scale(series, list(line.values())), line))
    return curves_figure(panels)


def mean_curve(curves: Sequence[tuple[Array, Array]], lengths: Sequence[float]) -> tuple[Array, Array, Array, Array]:
    """Averages the curves of several runs at equal shares of their lengths, with linear interpolation.

    So a mean over minutes ends at the mean length, with the last value of every run: a mean at equal minutes would end
    where the quickest run does, before the last values of the others.

    Args:
        curves: x [N_i], ascending, and y [N_i] of each run; values that are not finite are left out.
        lengths: of each run, in the unit of x.

    Returns:
        x [N] and the mean, lowest and highest y [N], at every recorded share that all runs have. Without a common
        share, one point: the means of the last points.
    """
    known = [
        (x[np.isfinite(y)] / (length or 1), y[np.isfinite(y)], length)
        for (x, y), length in zip(curves, lengths, strict=True)
        if np.isfinite(y).any()
    ]
    if not known:
        empty = np.empty(0)
        return empty, empty, empty, empty
    first, last = max(x[0] for x, _, _ in known), min(x[-1] for x, _, _ in known)
    if first > last:
        grid = np.array([np.mean([x[-1] for x, _, _ in known])])
        values = np.array([[y[-1]] for _, y, _ in known])
    else:
        recorded = np.unique(np.concatenate([x for x, _, _ in known]))
        grid = recorded[(recorded >= first) & (recorded <= last)]
        values = np.array([np.interp(grid, x, y) for x, y, _ in known])
    length = np.mean([each for _, _, each in known])
    return grid * length, values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def series_of(groups: Sequence[Group], key: str, clock: str = "images_seen") -> list[Series]:
    """Makes the mean curve of each group over ``images_seen`` or ``seconds``, which are shown as minutes."""
    found = []
    for group in groups:
        curves = []
        for run in group.runs:
            x, y = run.curve(key, clock)
            smooth = running_mean(y, 1 if key.startswith("score/") else smoothing_window(len(y), SMOOTHING_PARTS))
            curves.append((x, smooth))
        x, mean, low, high = mean_curve(curves, [run.length(clock) for run in group.runs])
        x = x / 60 if clock == "seconds" else x
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
