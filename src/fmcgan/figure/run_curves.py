"""The two figures of one run, from the rows of its ``metrics.jsonl``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fmcgan.figure.curves import Panel, Series, draw_curves
from fmcgan.figure.smoothing import running_mean, smoothing_window

Rows = Sequence[Mapping[str, float | None]]


def draw_loss(rows: Rows, path: Path) -> None:
    """Draws both networks' losses, and what the discriminator's is made of if the run has a penalty.

    Args:
        rows: of a ``metrics.jsonl``; rows without a loss are skipped.
        path: the PNG to write.
    """
    losses = {"generator": "loss/generator", "discriminator": "loss/discriminator"}
    parts = {"adversarial part": "loss/adversarial", "penalty": "loss/penalty"}
    panels = [_panel("Losses", "loss", rows, losses)]
    if any(row.get("loss/penalty") for row in rows):
        panels.append(_panel("Parts of the discriminator's loss", "loss", rows, parts))
    draw_curves(panels, path)


def draw_gradient_norm(
    rows: Rows, path: Path, generator_clip: float | None = None, discriminator_clip: float | None = None
) -> None:
    """Draws both networks' gradient norms, as they were before any clipping.

    Args:
        rows: of a ``metrics.jsonl``; rows without a norm are skipped.
        path: the PNG to write.
        generator_clip: the norm to which its gradients were clipped afterwards, a dashed line; None if they were not.
        discriminator_clip: the same for the discriminator.
    """
    norms = {"generator": "gradient_norm/generator", "discriminator": "gradient_norm/discriminator"}
    clipped: dict[float, list[str]] = {}
    for player, clip in zip(norms, (generator_clip, discriminator_clip), strict=True):
        if clip is not None:
            clipped.setdefault(clip, []).append(player)
    lines = {f"{' and '.join(players)} clipped to {clip:g} afterwards": clip for clip, players in clipped.items()}
    panel = _panel("Gradient norms", "L2 norm before clipping", rows, norms)
    draw_curves([replace(panel, scale="log", references=lines)], path)


def _panel(title: str, y_label: str, rows: Rows, keys: Mapping[str, str]) -> Panel:
    window = smoothing_window(max(sum(key in row for row in rows) for key in keys.values()))
    series = [_series(rows, label, key, window) for label, key in keys.items()]
    return Panel(f"{title} (bold: running mean of {window} rows)" if window > 1 else title, y_label, series)


def _series(rows: Rows, label: str, key: str, window: int) -> Series:
    known = [row for row in rows if key in row]
    x = np.array([row["images_seen"] for row in known], dtype=np.float64)
    y = np.array([row[key] for row in known], dtype=np.float64)  # None becomes nan
    return Series(label, x, running_mean(y, window), raw=y if window > 1 else None)
