"""Figures of one run, from the rows of its ``metrics.jsonl``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from fmcgan.figure.curves import Panel, Series, curves_figure, running_mean, smoothing_window

Rows = Sequence[Mapping[str, float | None]]

FLOOR = "real images"  # label of the reference line
WIDE = 10  # smallest ratio of the largest to the smallest value of a metric on a logarithmic axis


def loss_figure(rows: Rows) -> Figure:
    """Draws the losses of both networks and, with a penalty, the terms of the discriminator's loss."""
    losses = {"generator": "loss/generator", "discriminator": "loss/discriminator"}
    parts = {"adversarial": "loss/adversarial", "penalty": "loss/penalty"}
    panels = [_panel("Losses", "loss", rows, losses)]
    if any(row.get("loss/penalty") for row in rows):
        panels.append(_panel("Terms of the discriminator loss", "loss", rows, parts))
    return curves_figure(panels)


def gradient_norm_figure(
    rows: Rows, generator_clip: float | None = None, discriminator_clip: float | None = None
) -> Figure:
    """Draws the gradient norms of both networks before clipping and, if one is clipped, after it.

    Clipping reduces a norm n to min(n, clip); dashed lines are at the clips (None: no clipping). Rows are means over
    several steps, so the curve after clipping is an upper bound.
    """
    norms = {"generator": "gradient_norm/generator", "discriminator": "gradient_norm/discriminator"}
    clips = dict(zip(norms.values(), (generator_clip, discriminator_clip), strict=True))
    clipped: dict[float, list[str]] = {}
    for network, key in norms.items():
        if (clip := clips[key]) is not None:
            clipped.setdefault(clip, []).append(network)
    lines = {f"{' and '.join(networks)} clipped to {clip:g} afterwards": clip for clip, networks in clipped.items()}
    before = _panel("Gradient norms", "L2 norm before clipping", rows, norms)
    panels = [replace(before, scale="log", references=lines)]
    if clipped:
        limits = {key: np.inf if clip is None else clip for key, clip in clips.items()}
        cut = [
            {key: value if value is None else min(value, limits.get(key, np.inf)) for key, value in row.items()}
            for row in rows
        ]
        panels.append(replace(_panel("After clipping", "L2 norm after clipping", cut, norms), scale="log"))
    figure = curves_figure(panels)
    for axes in figure.axes[1:]:
        axes.sharey(figure.axes[0])  # to show what was clipped
    return figure


def logit_figure(rows: Rows, has_decision_boundary: bool = True) -> Figure:
    """Draws the discriminator's logits of real and of generated images.

    Unless positive logits mean "real" (``has_decision_boundary``), the shares classified as real are left out.
    """
    logits = {"real images": "logit/real", "generated images": "logit/fake"}
    shares = {"real images": "judged_real/real", "generated images": "judged_real/fake"}
    panels = [_panel("Discriminator logits", "mean logit", rows, logits)]
    if has_decision_boundary:
        panels.append(_panel("Classified as real", "share", rows, shares))
    return curves_figure(panels)


def speed_figure(rows: Rows) -> Figure:
    """Draws the training images per second and, if they change, the learning rates."""
    panels = [_panel("Speed", "images per second", rows, {"images per second": "images_per_second"})]
    rates = [_series(rows, network, f"learning_rate/{network}", 1) for network in ("generator", "discriminator")]
    if any(len(np.unique(np.asarray(each.y))) > 1 for each in rates):
        if np.array_equal(rates[0].y, rates[1].y):  # one curve would cover the other
            rates = [replace(rates[0], label="generator and discriminator")]
        panels.append(Panel("Learning rates", "learning rate", rates))
    return curves_figure(panels)


def metric_figure(rows: Rows, titles: Mapping[str, str], shares: Collection[str]) -> Figure | None:
    """Draws one panel per metric over the images seen, with a dashed line at the value of real images.

    ``titles`` are by name of the metric without ``score/``; the result is None if there are none. ``shares`` are the
    names of metrics in 0..1, drawn over the whole range.
    """
    if not titles:
        return None
    figure = curves_figure([_metric_panel(rows, name, title, name in shares) for name, title in titles.items()])
    for axes, name in zip(figure.axes, titles, strict=False):
        if name in shares:
            axes.set_ylim(0, 1.02)
        elif axes.get_yscale() == "linear" and axes.get_ylim()[0] > 0:
            axes.set_ylim(bottom=0)
    return figure


def metric_names(rows: Rows) -> list[str]:
    """Lists the metrics in the rows, without ``score/``, in order of appearance."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [key.removeprefix("score/") for key in keys if key.startswith("score/")]


def _metric_panel(rows: Rows, name: str, title: str, is_share: bool) -> Panel:
    series = _series(rows, "generator", f"score/{name}", 1)
    floors = [floor for row in rows if (floor := row.get(f"floor/{name}")) is not None]
    heights = [float(each) for each in np.asarray(series.y) if np.isfinite(each)] + floors[-1:]
    is_wide = not is_share and min(heights, default=0) > 0 and max(heights) >= WIDE * min(heights)
    references = {FLOOR: floors[-1]} if floors else {}
    return Panel(title, "value", [series], scale="log" if is_wide else "linear", references=references)


def _panel(title: str, y_label: str, rows: Rows, keys: Mapping[str, str]) -> Panel:
    window = smoothing_window(max(sum(key in row for row in rows) for key in keys.values()))
    series = [_series(rows, label, key, window) for label, key in keys.items()]
    return Panel(f"{title} (thick: mean of {window} rows)" if window > 1 else title, y_label, series)


def _series(rows: Rows, label: str, key: str, window: int) -> Series:
    known = [row for row in rows if key in row]
    x = np.array([row["images_seen"] for row in known], dtype=np.float64)
    y = np.array([row[key] for row in known], dtype=np.float64)  # None becomes nan
    return Series(label, x, running_mean(y, window), raw=y if window > 1 else None)
