"""Training curves of a run, its samples over time, and alarms."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from fmcgan.analysis.alarms.curves import Facts, curve_alarms
from fmcgan.analysis.alarms.run_facts import read_facts, read_frames, read_rows
from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app import run_dir
from fmcgan.app.checks import number, whole_number
from fmcgan.figure import run_curves
from fmcgan.figure.grid import side_by_side
from fmcgan.figure.timelapse import evenly, timelapse
from fmcgan.metric.base import quantity_of

Row = Mapping[str, float | None]

_MEANS = [
    (f"{network} {quantity}", f"{quantity.replace(' ', '_')}/{network}")
    for quantity in ("loss", "gradient norm")
    for network in ("generator", "discriminator")
]
"""Titles and keys of the scalars whose means are in the table."""


class TrainingAnalysis(Analysis):
    """Draws the curves of a run folder and raises alarms (`fmcgan.analysis.alarms`).

    The animation of the sample grids has at most ``most_frames`` frames of ``seconds_per_frame`` each, and at most
    ``most_megabytes``.
    """

    def __init__(self, most_frames: int = 24, seconds_per_frame: float = 0.5, most_megabytes: float = 1.5) -> None:
        whole_number(minimum=2, maximum=1000, most_frames=most_frames)
        number(minimum=0.02, maximum=60, seconds_per_frame=seconds_per_frame)
        number(minimum=0.1, maximum=100, most_megabytes=most_megabytes)
        self.most_frames, self.seconds_per_frame, self.most_megabytes = most_frames, seconds_per_frame, most_megabytes

    @override
    def analyse(self, subject: Subject) -> Section:
        rows, folder = read_rows(subject.run)
        facts = read_facts(folder)
        epochs, seen, seconds = (max(_known(rows, key), default=0.0) for key in ("epoch", "images_seen", "seconds"))
        minutes = f"{seconds / 60:.{0 if seconds >= 600 else 1}f} minutes"
        introduction = (
            f"{epochs:.4g} {'epoch' if epochs == 1 else 'epochs'}, {seen:,.0f} images seen and {minutes} of training "
            "are recorded. Each alarm states its rule."
        )
        if not facts.has_decision_boundary:
            introduction += " The loss has no decision boundary at a logit of 0, so the discriminator raises no alarms."
        pictures = [*self._samples(folder / run_dir.SAMPLES), *_curves(rows, facts)]
        section = Section("Training", introduction, pictures, [epoch_table(rows)], alarms=curve_alarms(rows, facts))
        section.values |= {"epochs": epochs, "images_seen": int(seen)}
        section.values |= {"training_seconds": seconds, "finished": facts.finished}
        return section

    def _samples(self, folder: Path) -> list[Picture]:
        """Draws the sample grids as an animation, and three of them side by side."""
        frames = read_frames(folder)
        alternative = "Grids of generated images, one class per row, at several epochs."
        if len(frames) < 2:
            return [Picture("samples", frame, "The sample grid of the run.", alternative) for frame in frames]
        animation = timelapse(
            frames,
            self.seconds_per_frame,
            last_seconds=5 * self.seconds_per_frame,
            most_frames=self.most_frames,
            most_megabytes=self.most_megabytes,
        )
        caption = (
            "The same latent vectors (columns) and classes (rows) during training, by the averaged (EMA) generator. "
            "Changes at the end suggest that training has not converged."
        )
        titles = ("first", "last") if len(frames) == 2 else ("first", "halfway", "last")
        stills = side_by_side(list(zip(titles, evenly(frames, len(titles)), strict=True)))
        return [
            Picture("timelapse", animation, caption, alternative, lead=True),
            Picture("stills", stills, "Frames of the animation.", alternative),
        ]


def epoch_table(rows: Sequence[Row]) -> Table:
    """Makes a table with means, seconds of training and metrics of each epoch."""
    names = run_curves.metric_names(rows)
    columns = [
        Column("epoch", "epoch", "whole"),
        Column("images_seen", "images seen", "whole"),
        Column("seconds", "seconds", "number", 0),
        *(Column(title.replace(" ", "_"), title, "number", 3) for title, _ in _MEANS),
        *(Column(name, metric_title(name), "number", 3) for name in names),
    ]
    table, before = [], 0.0
    for epoch, own in _by_epoch(rows).items():
        seen, seconds = (max(_known(own, key), default=0.0) for key in ("images_seen", "seconds"))
        means = [_mean(own, key) for _, key in _MEANS]
        scores = [next(reversed(_known(own, f"score/{name}")), None) for name in names]
        table.append([epoch, int(seen), seconds - before, *means, *scores])
        before = seconds
    caption = "Means over each epoch and the metrics at its end; seconds are training time without evaluations."
    return Table("epochs", caption, columns, table)


def metric_title(name: str) -> str:
    """Formats the title of a metric: ``recall_k3_classifier_10k_test`` -> ``Recall (k3, classifier, 10k, test)``."""
    found = quantity_of(name)
    if found is None:
        return name.replace("_", " ").capitalize()
    quantity, protocol = found
    return f"{quantity.title} ({', '.join(protocol.split('_'))})" if protocol else quantity.title


def _curves(rows: Sequence[Row], facts: Facts) -> list[Picture]:
    titles = {name: metric_title(name) for name in run_curves.metric_names(rows)}
    shares = [name for name in titles if (found := quantity_of(name)) is not None and found[0].is_share]
    pictures = []
    if (metrics := run_curves.metric_figure(rows, titles, shares)) is not None:
        caption = (
            "Metrics of fresh samples during training; the dashed line is the value of as many real images. Each title "
            "names its number of samples: compare curves with their line, not with values of other numbers of samples."
        )
        text = "One panel per metric over the images seen."
        pictures.append(Picture("scores", metrics, caption, text, lead=True))
    return [
        *pictures,
        Picture(
            "losses",
            run_curves.loss_figure(rows),
            "Losses of generator and discriminator. Each depends on the other network: a falling loss does not mean "
            "better samples.",
            "Curves of the losses over the images seen.",
            lead=True,
        ),
        Picture(
            "logits",
            run_curves.logit_figure(rows, facts.has_decision_boundary),
            "Logits of the discriminator on real and on generated images. If both are equal, it does not separate "
            "them; if they are far apart, the generator gets little gradient.",
            "Curves of the discriminator's logits of real and of generated images.",
        ),
        Picture(
            "gradient_norms",
            run_curves.gradient_norm_figure(rows, facts.generator_clip, facts.discriminator_clip),
            "Gradient norms of generator and discriminator, before and, if clipped, after clipping.",
            "Curves of the gradient norms over the images seen.",
            lead=True,
        ),
        Picture(
            "speed",
            run_curves.speed_figure(rows),
            "Training images per second and, if they change, the learning rates.",
            "Curves of the speed and of the learning rates.",
        ),
    ]


def _by_epoch(rows: Sequence[Row]) -> dict[int, list[Row]]:
    """Groups rows by epoch, counted from 1; an epoch ends with the row at its number."""
    found: dict[int, list[Row]] = {}
    before = 0.0
    for row in rows:
        seen = row["images_seen"] or 0.0
        found.setdefault(max(1, math.ceil(row.get("epoch") or 0.0)), []).append({**row, "weight": seen - before})
        before = seen
    return found


def _mean(rows: Sequence[Row], key: str) -> float | None:
    """Averages a key, weighted by images: the last row of an epoch may be a mean of fewer steps."""
    known = [(value, row["weight"] or 0.0) for row in rows if (value := row.get(key)) is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total > 0 else None


def _known(rows: Sequence[Row], key: str) -> list[float]:
    return [value for row in rows if (value := row.get(key)) is not None]
