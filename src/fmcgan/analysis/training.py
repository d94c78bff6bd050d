"""What the record of the training run says: its curves, its samples as they came to be, and what should not be."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from fmcgan.analysis.alarms.curves import Facts, curve_alarms
from fmcgan.analysis.alarms.run_reading import read_facts, read_frames, read_rows
from fmcgan.analysis.base import Analysis, Subject
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.app import run_dir
from fmcgan.app.checks import number, whole_number
from fmcgan.figure import run_curves
from fmcgan.figure.grid import side_by_side
from fmcgan.figure.timelapse import evenly, timelapse

Row = Mapping[str, float | None]

_MEANS = (
    (Column("generator_loss", "generator's loss", "number", 3), "loss/generator"),
    (Column("discriminator_loss", "discriminator's loss", "number", 3), "loss/discriminator"),
    (Column("generator_gradient_norm", "generator's gradient norm", "number", 3), "gradient_norm/generator"),
    (
        Column("discriminator_gradient_norm", "discriminator's gradient norm", "number", 3),
        "gradient_norm/discriminator",
    ),
)


class TrainingAnalysis(Analysis):
    """Draws what a run folder recorded and raises an alarm where its curves break a rule (`analysis.alarms.curves`).

    Args:
        most_frames: of the film of the sample grids.
        seconds_per_frame: of that film.
        most_megabytes: of its file.
    """

    def __init__(self, most_frames: int = 24, seconds_per_frame: float = 0.5, most_megabytes: float = 1.5) -> None:
        whole_number(minimum=2, maximum=1000, most_frames=most_frames)
        number(minimum=0.02, maximum=60, seconds_per_frame=seconds_per_frame)
        number(minimum=0.1, maximum=100, most_megabytes=most_megabytes)
        self.most_frames = most_frames
        self.seconds_per_frame = seconds_per_frame
        self.most_megabytes = most_megabytes

    @override
    def analyse(self, subject: Subject) -> Section:
        rows, folder = read_rows(subject.run)
        facts = read_facts(folder)
        section = Section("How it was trained", _introduction(rows, facts))
        section.pictures = [*self._samples(folder / run_dir.SAMPLES), *_curves(rows, facts)]
        section.tables = [epoch_table(rows)]
        section.alarms = curve_alarms(rows, facts)
        section.values = {
            "epochs": _largest(rows, "epoch"),
            "images_seen": int(_largest(rows, "images_seen")),
            "training_seconds": _largest(rows, "seconds"),
            "finished": facts.finished,
        }
        return section

    def _samples(self, folder: Path) -> list[Picture]:
        """The sample grids as a film, and three of them beside each other."""
        frames = read_frames(folder)
        if not frames:
            return []
        alternative = "Grids of generated garments, a row a class, at several epochs."
        caption = (
            "The same latent vectors (one a column) and classes (one a row) as training goes on, drawn by the averaged "
            "generator. What still changes at the end has not settled."
        )
        if len(frames) == 1:
            return [Picture("samples", frames[0], "The samples that the run drew.", alternative)]
        film = timelapse(
            frames,
            self.seconds_per_frame,
            last_seconds=5 * self.seconds_per_frame,
            most_frames=self.most_frames,
            most_megabytes=self.most_megabytes,
        )
        titles = ("first", "last") if len(frames) == 2 else ("first", "halfway", "last")
        stills = side_by_side(list(zip(titles, evenly(frames, len(titles)), strict=True)))
        return [
            Picture("timelapse", film, caption, alternative, lead=True),
            Picture("stills", stills, "Single frames of this film.", alternative),
        ]


def epoch_table(rows: Sequence[Row]) -> Table:
    """One row an epoch: means over it, the seconds it took, and its scores."""
    names = run_curves.score_names(rows)
    columns = [
        Column("epoch", "epoch", "whole"),
        Column("images_seen", "images seen", "whole"),
        Column("seconds", "seconds", "number", 0),
        *(column for column, _ in _MEANS),
        *(Column(name, run_curves.score_title(name), "number", 3) for name in names),
    ]
    table, before = [], 0.0
    for epoch, own in _by_epoch(rows).items():
        seconds = _largest(own, "seconds")
        means = [_mean(own, key) for _, key in _MEANS]
        scores = [_last(own, f"score/{name}") for name in names]
        table.append([epoch, int(_largest(own, "images_seen")), seconds - before, *means, *scores])
        before = seconds
    caption = "Means over each epoch and the scores at its end; seconds are those spent training."
    return Table("epochs", caption, columns, table)


def _curves(rows: Sequence[Row], facts: Facts) -> list[Picture]:
    pictures = []
    if (scores := run_curves.score_figure(rows)) is not None:
        caption = "Scores of fresh samples during training; the dashed line is what real images get."
        pictures.append(
            Picture("scores", scores, caption, "A panel a score over the images seen.", vector=True, lead=True)
        )
    norms = run_curves.gradient_norm_figure(rows, facts.generator_clip, facts.discriminator_clip)
    judgement = run_curves.judgement_figure(rows, facts.has_decision_boundary)
    return [
        *pictures,
        Picture(
            "losses",
            run_curves.loss_figure(rows),
            "Both players' losses. They measure one against the other: a falling loss does not mean better samples.",
            "Curves of the losses over the images seen.",
            lead=True,
        ),
        Picture(
            "judgement",
            judgement,
            "What the discriminator makes of real and of generated images. Curves that meet: it cannot tell them "
            "apart. Curves far apart: the generator has little to learn from.",
            "Curves of the discriminator's answers to real and to generated images.",
        ),
        Picture(
            "gradient_norms",
            norms,
            "Length of both players' gradients, before clipping and, where there is any, after it.",
            "Curves of the gradient norms over the images seen.",
            lead=True,
        ),
        Picture(
            "pace",
            run_curves.pace_figure(rows),
            "Images learned from in a second and, if they change, the learning rates.",
            "Curves of the speed and the learning rates.",
        ),
    ]


def _introduction(rows: Sequence[Row], facts: Facts) -> str:
    minutes = _largest(rows, "seconds") / 60
    text = (
        f"The record ends after epoch {_largest(rows, 'epoch'):.4g}, {_largest(rows, 'images_seen'):,.0f} images seen "
        f"and {minutes:.{0 if minutes >= 10 else 1}f} minutes of training. Curves say how it went, not why; an alarm "
        "names the rule that they break."
    )
    if facts.has_decision_boundary:
        return text
    return f"{text} With this loss, a logit of 0 does not divide real from generated: no alarm reads who wins."


def _by_epoch(rows: Sequence[Row]) -> dict[int, list[Row]]:
    """The rows of each epoch; an epoch is counted from 1 and ends with the row at its number."""
    found: dict[int, list[Row]] = {}
    before = 0.0
    for row in rows:
        seen = row["images_seen"] or 0.0
        found.setdefault(max(1, math.ceil(row.get("epoch") or 0.0)), []).append({**row, "weight": seen - before})
        before = seen
    return found


def _mean(rows: Sequence[Row], key: str) -> float | None:
    """Over the images: the last row of an epoch is a mean of fewer steps."""
    known = [(value, row["weight"] or 0.0) for row in rows if (value := row.get(key)) is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total > 0 else None


def _last(rows: Sequence[Row], key: str) -> float | None:
    return next((value for row in reversed(rows) if (value := row.get(key)) is not None), None)


def _largest(rows: Sequence[Row], key: str) -> float:
    return max((value for row in rows if (value := row.get(key)) is not None), default=0.0)
