"""The same latent vector in all classes: does the verdict follow the label or the style?"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.analysis.effect import Effect, share_text
from fmcgan.analysis.latent.space import balanced_latents
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.data.images import to_pixels
from fmcgan.figure.classes import short_names, some_classes
from fmcgan.figure.heatmap import SEQUENTIAL, heatmap_figure
from fmcgan.figure.image_rows import Block, Row, Tile, rows_picture
from fmcgan.metric.value import wilson_interval
from fmcgan.probing.information import SMALL, Share, difference_of, entropy, label_share
from fmcgan.probing.subject import Subject
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.sampling import render

_STREAM = 151  # random stream, combined with the seed
_RESAMPLES = 200
_SHOWN, _COLUMNS = 4, 10  # latent vectors and classes of the picture


@dataclass(frozen=True, eq=False)
class _Read:
    """Verdicts of S latent vectors in each of K classes, int64 [S, K]."""

    verdicts: NDArray[np.int64]

    @property
    def agreement(self) -> tuple[int, int]:
        """Images read as their label, and all."""
        return int((self.verdicts == np.arange(self.verdicts.shape[1])).sum()), self.verdicts.size

    @property
    def constant(self) -> tuple[int, int]:
        """Latent vectors whose verdict is the same in all classes, and all."""
        return int((self.verdicts == self.verdicts[:, :1]).all(axis=1).sum()), len(self.verdicts)

    def style_share(self, seed: int) -> Share:
        """Returns ``H(V | Y) / H(V)``: what the label leaves open is the latent vector's, since both fix the image.

        The error is that of a bootstrap of latent vectors.
        """
        random = np.random.default_rng(seed)
        n = len(self.verdicts)
        draws = [_style(self.verdicts[random.integers(n, size=n)]) for _ in range(_RESAMPLES)]
        return Share(_style(self.verdicts), float(np.std(draws, ddof=1)))


def same_latent(subject: Subject) -> Section:
    """Shows each latent vector in all classes and divides the verdict's information into label and style."""
    assert subject.generator is not None
    info, n = subject.info, subject.effort.latents
    latents, _ = balanced_latents([0], latent_dim_of(subject.generator), n, subject.seed, _STREAM)
    read, pixels = _read(subject, latents)
    model, judge = read
    effect = _effect(subject, model, judge)
    introduction = (
        f"{n} latent vectors, each drawn in all {info.num_classes} classes: the latent vector is the style, the label "
        "is the shape. As both together fix the image, the information in the verdict divides into what the label "
        "explains and what is left to the style. On real images, what the label leaves open stands beside it."
    )
    return Section(
        "The same latent vector in all classes",
        introduction,
        pictures=[_picture(subject, pixels, model), *_matrix(subject, model, judge)],
        tables=[_table(subject, model, judge)],
        effects=[effect],
        values={
            "label_share": 1 - model.style_share(subject.seed).value,
            "judge_label_share": 1 - judge.style_share(subject.seed).value,
            "agreement": model.agreement[0] / model.agreement[1],
            "constant": model.constant[0] / model.constant[1],
        },
    )


def readings(subject: Subject) -> int:
    """Returns the number of images that each classifier reads."""
    return subject.effort.latents * subject.info.num_classes


def _read(subject: Subject, latents: Tensor) -> tuple[tuple[_Read, _Read], Tensor]:
    """Reads S latent vectors in all classes; also returns the first images, uint8 [s, K, C, H, W]."""
    assert subject.generator is not None
    found: list[list[Tensor]] = [[], []]
    first: list[Tensor] = []
    for label in subject.info.labels:
        images = render(subject.generator, latents, torch.full((len(latents),), label))
        first.append(images[:_SHOWN])
        for verdicts, classifier in zip(found, (subject.model, subject.judge), strict=True):
            verdicts.append(classifier.verdicts(images))
    model, judge = (_Read(torch.stack(each, dim=1).numpy()) for each in found)
    return (model, judge), torch.stack(first, dim=1)


def _style(verdicts: NDArray[np.int64]) -> float:
    """Computes ``H(V | Y) / H(V)`` of [S, K]; 1 for a verdict that is always the same, which no label changes."""
    num_classes = verdicts.shape[1]
    total = entropy(np.bincount(verdicts.ravel(), minlength=num_classes).astype(np.float64))
    if total == 0:
        return 1.0
    within = [entropy(np.bincount(each, minlength=num_classes).astype(np.float64)) for each in verdicts.T]
    return float(np.mean(within)) / total


def _effect(subject: Subject, model: _Read, judge: _Read) -> Effect:
    own, judged = (each.style_share(subject.seed) for each in (model, judge))
    label, of_judge = (Share(1 - each.value, each.error) for each in (own, judged))
    winner = "the style rather than the label" if label.value < 0.5 else "the style more than the judge's does"
    return Effect(
        "same_latent/all",
        f"The verdict follows {winner}: over the same latent vectors in all classes, the label explains "
        f"{label.in_words()} of the information in the verdict, of the judge's {of_judge.in_words()}; the verdict is "
        f"the label for {share_text(*model.agreement)} of the images, and the same in all classes for "
        f"{share_text(*model.constant)} of the latent vectors.",
        difference_of(own, judged).one_sided,
        SMALL,
        figure="latents",
        meaning="Images of one latent vector share brightness, width and other features of style, and differ in shape.",
    )


def _picture(subject: Subject, images: Tensor, model: _Read) -> Picture:
    names = subject.info.class_names
    shown, note = some_classes(subject.info.labels, most=_COLUMNS)
    pixels = to_pixels(images)
    rows = []
    for at in range(len(images)):
        tiles = [
            Tile(pixels[at, label], [names[model.verdicts[at, label]]], bool(model.verdicts[at, label] != label))
            for label in shown
        ]
        rows.append(Row([[tile] for tile in tiles]))
    caption = f"One latent vector per row, one class per column, with the verdict; vermilion: not the label. {note}"
    blocks = [Block(name, 1) for name in short_names([names[label] for label in shown])]
    text = "Rows of generated images, one per class, with the classifier's verdict."
    return Picture("latents", rows_picture(blocks, rows), caption.rstrip(), text, lead=True)


def _matrix(subject: Subject, model: _Read, judge: _Read) -> list[Picture]:
    info = subject.info
    shown, note = some_classes(info.labels)
    found = []
    for name, who, read in (("verdicts", "the classifier", model), ("judge_verdicts", "the judge", judge)):
        shares = [np.bincount(read.verdicts[:, label], minlength=info.num_classes) for label in shown]
        names = short_names([info.class_names[label] for label in shown])
        figure = heatmap_figure(
            100 * np.array(shares)[:, shown] / len(read.verdicts),
            names,
            names,
            formats=".0f",
            title=f"Verdicts of {who} by label",
            label="percent of the latent vectors",
            colours=SEQUENTIAL,
        )
        caption = f"Row: label. Column: verdict of {who}, in percent of the row. {note}".rstrip()
        found.append(Picture(name, figure, caption, caption))
    return found


def _table(subject: Subject, model: _Read, judge: _Read) -> Table:
    columns = [
        *(Column("reader", "reader"), Column("images", "images")),
        *interval_columns("label", "label explains", "percent", 1),
        *interval_columns("agreement", "verdict is the label", "percent", 1),
        *interval_columns("constant", "same in all classes", "percent", 1),
    ]
    rows: list[list[object]] = []
    for name, read, real in (
        (subject.model.name, model, subject.real.model),
        (subject.judge.name, judge, subject.real.judge),
    ):
        style = read.style_share(subject.seed)
        of_label = Share(1 - style.value, style.error)
        shares = [(hits / n, *wilson_interval(hits, n)) for hits, n in (read.agreement, read.constant)]
        rows.append([name, "generated", of_label.value, *of_label.interval, *shares[0], *shares[1]])
        on_real = label_share(real.numpy(), subject.real.labels, subject.info.num_classes)
        hits = int((real == subject.real.images.labels).sum())
        n = len(real)
        accuracy = hits / n, *wilson_interval(hits, n)
        rows.append([name, "real test images", on_real.value, *on_real.interval, *accuracy, None, None, None])
    caption = (
        "Share of the information in the verdict that the label explains, share of the images read as their label, and "
        f"share of the {len(model.verdicts)} latent vectors whose verdict is the same in all classes."
    )
    return Table("readers", caption, columns, rows, open=True)
