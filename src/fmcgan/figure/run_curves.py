"""The figures of one run, from the rows of its ``metrics.jsonl``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fmcgan.figure.curves import Panel, Series, curves_figure
from fmcgan.figure.png import write_png
from fmcgan.figure.curves import running_mean, smoothing_window

Rows = Sequence[Mapping[str, float | None]]

FLOOR = "real images"
"""Label of the line at what real images get."""

SCORES = {
    "fd": "Fréchet distance",
    "class_fd": "Fréchet distance within classes",
    "kd": "Kernel distance",
    "label_agreement": "Label agreement",
    "label_cross_entropy": "Label cross entropy",
    "precision": "Precision",
    "recall": "Recall",
    "density": "Density",
    "coverage": "Coverage",
    "is": "Inception score",
    "ms_ssim_within_class": "MS-SSIM within classes",
    "sliced_wasserstein": "Sliced Wasserstein distance",
    "spectrum_distance": "Distance of spectra",
    "gan_train": "GAN-train",
}
"""How the names of scores begin, and how people call them."""

SHARES = ("label_agreement", "precision", "recall", "coverage", "gan_train")
"""Scores from 0 to 1: all of that is drawn, else chance looks like a rise or a fall."""

WIDE = 10
"""Another score that is at some time so many times as large as at another is drawn on a logarithmic axis."""


def draw_loss(rows: Rows, path: Path) -> None:
    """Writes `loss_figure` of these rows as a PNG."""
    write_png(loss_figure(rows), path)


def loss_figure(rows: Rows) -> Figure:
    """Draws both networks' losses, and what the discriminator's is made of if the run has a penalty.

    Args:
        rows: of a ``metrics.jsonl``; rows without a loss are skipped.
    """
    losses = {"generator": "loss/generator", "discriminator": "loss/discriminator"}
    parts = {"adversarial part": "loss/adversarial", "penalty": "loss/penalty"}
    panels = [_panel("Losses", "loss", rows, losses)]
    if any(row.get("loss/penalty") for row in rows):
        panels.append(_panel("Parts of the discriminator's loss", "loss", rows, parts))
    return curves_figure(panels)


def draw_gradient_norm(
    rows: Rows, path: Path, generator_clip: float | None = None, discriminator_clip: float | None = None
) -> None:
    """Writes `gradient_norm_figure`, whose arguments it takes, as a PNG."""
    write_png(gradient_norm_figure(rows, generator_clip, discriminator_clip), path)


def gradient_norm_figure(
    rows: Rows, generator_clip: float | None = None, discriminator_clip: float | None = None
) -> Figure:
    """Draws both networks' gradient norms as they were before any clipping and, if one is clipped, after it.

    Clipping leaves a gradient of norm n with the norm min(n, clip). A row holds the mean norm of several steps, so what
    is drawn after clipping is at least the mean of what was applied.

    Args:
        rows: of a ``metrics.jsonl``; rows without a norm are skipped.
        generator_clip: the norm to which its gradients were clipped afterwards, a dashed line; None if they were not.
        discriminator_clip: the same for the discriminator.
    """
    norms = {"generator": "gradient_norm/generator", "discriminator": "gradient_norm/discriminator"}
    clips = dict(zip(norms.values(), (generator_clip, discriminator_clip), strict=True))
    clipped: dict[float, list[str]] = {}
    for player, key in norms.items():
        if (clip := clips[key]) is not None:
            clipped.setdefault(clip, []).append(player)
    lines = {f"{' and '.join(players)} clipped to {clip:g} afterwards": clip for clip, players in clipped.items()}
    before = _panel("Gradient norms", "L2 norm before clipping", rows, norms)
    panels = [replace(before, scale="log", references=lines)]
    if clipped:
        after = _panel("After clipping", "L2 norm after clipping", _clipped(rows, clips), norms)
        panels.append(replace(after, scale="log"))
    figure = curves_figure(panels)
    for axes in figure.axes[1:]:
        axes.sharey(figure.axes[0])  # so that what was cut off is seen
    return figure


def judgement_figure(rows: Rows, has_decision_boundary: bool = True) -> Figure:
    """Draws what the discriminator says of real and of generated images.

    Args:
        rows: of a ``metrics.jsonl``.
        has_decision_boundary: whether a positive logit means "real"; if not, the share judged real is left out.
    """
    logits = {"real images": "logit/real", "generated images": "logit/fake"}
    shares = {"real images": "judged_real/real", "generated images": "judged_real/fake"}
    panels = [_panel("Discriminator's answers", "mean logit", rows, logits)]
    if has_decision_boundary:
        panels.append(_panel("Judged real", "share", rows, shares))
    return curves_figure(panels)


def pace_figure(rows: Rows) -> Figure:
    """Draws the images learned from in a second and, if they change, the learning rates.

    Args:
        rows: of a ``metrics.jsonl``.
    """
    panels = [_panel("Speed", "images per second", rows, {"images per second": "images_per_second"})]
    rates = [_series(rows, player, f"learning_rate/{player}", 1) for player in ("generator", "discriminator")]
    if any(len(np.unique(np.asarray(each.y))) > 1 for each in rates):
        if np.array_equal(rates[0].y, rates[1].y):  # one curve would hide the other
            rates = [replace(rates[0], label="both players")]
        panels.append(Panel("Learning rates", "learning rate", rates))
    return curves_figure(panels)


def score_figure(rows: Rows) -> Figure | None:
    """Draws each score over the images seen, a panel a score, with a dashed line at what real images get.

    Args:
        rows: of a ``metrics.jsonl``; None if none holds a score.
    """
    panels = [_score_panel(rows, name) for name in score_names(rows)]
    if not panels:
        return None
    figure = curves_figure(panels)
    for axes, name in zip(figure.axes, score_names(rows), strict=False):
        if name.startswith(SHARES):
            axes.set_ylim(0, 1.02)
        elif axes.get_yscale() == "linear" and axes.get_ylim()[0] > 0:
            axes.set_ylim(bottom=0)
    return figure


def score_names(rows: Rows) -> list[str]:
    """The scores that some row holds, without ``score/``, in the order of their appearance."""
    return [key.removeprefix("score/") for key in dict.fromkeys(key for row in rows for key in row) if _is_score(key)]


def score_title(name: str) -> str:
    """A score as people call it: ``recall_k3_classifier_10k_test`` -> ``Recall (k3, classifier, 10k, test)``."""
    found = [start for start in SCORES if name == start or name.startswith(f"{start}_")]
    if not found:
        return name.replace("_", " ").capitalize()
    start = max(found, key=len)
    details = ", ".join(part for part in name.removeprefix(start).split("_") if part)
    return f"{SCORES[start]} ({details})" if details else SCORES[start]


def _is_score(key: str) -> bool:
    return key.startswith("score/")


def _score_panel(rows: Rows, name: str) -> Panel:
    series = _series(rows, "generator", f"score/{name}", 1)
    floors = [floor for row in rows if (floor := row.get(f"floor/{name}")) is not None]
    heights = [float(each) for each in np.asarray(series.y) if np.isfinite(each)] + floors[-1:]
    wide = not name.startswith(SHARES) and min(heights, default=0) > 0 and max(heights) >= WIDE * min(heights)
    return Panel(
        score_title(name),
        "score",
        [series],
        scale="log" if wide else "linear",
        references={FLOOR: floors[-1]} if floors else {},
    )


def _clipped(rows: Rows, clips: Mapping[str, float | None]) -> Rows:
    def after(key: str, value: float | None) -> float | None:
        clip = clips.get(key)
        return value if clip is None or value is None else min(value, clip)

    return [{key: after(key, value) for key, value in row.items()} for row in rows]


def _panel(title: str, y_label: str, rows: Rows, keys: Mapping[str, str]) -> Panel:
    window = smoothing_window(max(sum(key in row for row in rows) for key in keys.values()))
    series = [_series(rows, label, key, window) for label, key in keys.items()]
    return Panel(f"{title} (bold: running mean of {window} rows)" if window > 1 else title, y_label, series)


def _series(rows: Rows, label: str, key: str, window: int) -> Series:
    known = [row for row in rows if key in row]
    x = np.array([row["images_seen"] for row in known], dtype=np.float64)
    y = np.array([row[key] for row in known], dtype=np.float64)  # None becomes nan
    return Series(label, x, running_mean(y, window), raw=y if window > 1 else None)
