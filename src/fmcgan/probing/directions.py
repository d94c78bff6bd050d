"""Whether the verdict changes along latent directions: those of the weights and those of attributes."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmcgan.analysis.attributes import ATTRIBUTES, attributes_of, has_black_background, measure_attributes
from fmcgan.analysis.effect import Effect, difference_of_shares, share_text
from fmcgan.analysis.latent.attribute_slopes import REACH, Slopes, attribute_slopes, class_spreads
from fmcgan.analysis.latent.sefa import affine_layers, closed_form
from fmcgan.analysis.latent.space import balanced_latents, set_coordinate
from fmcgan.analysis.section import Column, Picture, Section, Table, interval_columns
from fmcgan.figure.classes import some_classes
from fmcgan.figure.intervals import IntervalPanel, intervals_figure
from fmcgan.metric.value import wilson_interval
from fmcgan.probing.information import SMALL
from fmcgan.probing.shares import percent_line
from fmcgan.probing.subject import Subject
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.sampling import render

_MOVED, _FITTED = 152, 153  # random streams, combined with the seed
_POSITIONS = (-REACH, -1.0, 0.0, 1.0, REACH)
_READERS = {"classifier": False, "judge": True}  # whether it is the judge
_PER_DIMENSION = 20  # images for each latent dimension, for the regression of attributes


@dataclass(frozen=True, eq=False)
class _Moved:
    """Verdicts along one direction."""

    title: str
    labels: NDArray[np.int64]  # [N]
    model: NDArray[np.int64]  # [N, positions]
    judge: NDArray[np.int64]

    def changed(self, judge: bool = False) -> tuple[int, int]:
        """Counts the latent vectors whose verdict at the last position is not that at the first, and all."""
        verdicts = self.judge if judge else self.model
        return int((verdicts[:, 0] != verdicts[:, -1]).sum()), len(verdicts)

    def hits(self, at: int, judge: bool = False) -> tuple[int, int]:
        """Counts the images at a position that are read as their label, and all."""
        verdicts = self.judge if judge else self.model
        return int((verdicts[:, at] == self.labels).sum()), len(verdicts)


def directions(subject: Subject) -> Section:
    """Moves latent vectors along directions and compares the changes of the verdict with those of the judge."""
    assert subject.generator is not None
    named = _directions(subject)
    classes, note = some_classes(subject.info.labels)
    latents, labels = balanced_latents(
        classes, latent_dim_of(subject.generator), subject.effort.latents_per_class, subject.seed, _MOVED
    )
    slopes = _slopes(subject, torch.stack(list(named.values())), latents, labels)
    moved = [_moved(subject, title, direction, latents, labels) for title, direction in named.items()]
    words = [slopes.in_words(at) for at in range(len(moved))]
    return Section(
        "Along latent directions",
        f"{len(labels)} latent vectors are moved from -{REACH:g} to +{REACH:g} standard deviations along each "
        f"direction, with the label fixed. SeFa's directions change the generator's first layers most; the others are "
        f"those along which an attribute rises most, by a regression. The judge reads the same images. There is no "
        f"such measurement of real images, which have no latent vectors: see the attributes for these. {note}".rstrip(),
        pictures=[_changes_picture(moved), _positions_picture(moved)],
        tables=[_table(moved, words)],
        effects=[_effect(each, text) for each, text in zip(moved, words, strict=True)],
        values={each.title: each.changed()[0] / each.changed()[1] for each in moved},
    )


def readings(subject: Subject) -> int:
    """Returns the largest number of images that each classifier reads."""
    classes, _ = some_classes(subject.info.labels)
    count = subject.effort.directions + len(ATTRIBUTES)
    return len(classes) * subject.effort.latents_per_class * len(_POSITIONS) * count


def _directions(subject: Subject) -> dict[str, Tensor]:
    """Returns unit vectors by title: SeFa's, if layers are affine in the latent vector, and one for each attribute."""
    assert subject.generator is not None
    classes, _ = some_classes(subject.info.labels)
    named: dict[str, Tensor] = {}
    layers = affine_layers(subject.generator, classes)
    if layers.names:
        found = closed_form(layers.gram, subject.effort.directions).directions
        named |= {f"SeFa {number}": each for number, each in enumerate(found, 1)}
    size = latent_dim_of(subject.generator)
    latents, labels = balanced_latents(classes, size, -(-_PER_DIMENSION * size // len(classes)), subject.seed, _FITTED)
    values = measure_attributes(render(subject.generator, latents, labels).numpy(), _is_black(subject))
    for name, each in values.items():
        if (direction := _steepest(latents, labels, each)) is not None:
            named[f"of more {name}"] = direction
    return named


def _steepest(latents: Tensor, labels: Tensor, values: NDArray[np.float64]) -> Tensor | None:
    """Returns the direction of the least-squares slope of values [N] over latents within classes; None if constant."""
    known = np.isfinite(values)
    centred = np.where(known, values, 0.0)
    for label in labels.unique().tolist():
        members = (labels == label).numpy() & known
        if members.any():
            centred[members] -= centred[members].mean()
            centred[members] /= centred[members].std() or 1.0
    slope = np.linalg.lstsq(latents.numpy()[known].astype(np.float64), centred[known], rcond=None)[0]
    length = np.linalg.norm(slope)
    return torch.from_numpy(slope / length).float() if length > 0 else None


def _is_black(subject: Subject) -> bool:
    return has_black_background(subject.data.train)


def _slopes(subject: Subject, found: Tensor, latents: Tensor, labels: Tensor) -> Slopes:
    """Measures the changes of attributes along directions."""
    assert subject.generator is not None
    black, real = _is_black(subject), subject.real.images
    spreads = class_spreads(attributes_of(real, black), real.labels, subject.info.num_classes)
    measure = partial(measure_attributes, black=black)
    return attribute_slopes(subject.generator, found, latents, labels, spreads, measure)


def _moved(subject: Subject, title: str, direction: Tensor, latents: Tensor, labels: Tensor) -> _Moved:
    assert subject.generator is not None
    found: list[list[Tensor]] = [[], []]
    for at in _POSITIONS:
        images = render(subject.generator, set_coordinate(latents, direction, at), labels)
        for verdicts, classifier in zip(found, (subject.model, subject.judge), strict=True):
            verdicts.append(classifier.verdicts(images))
    model, judge = (torch.stack(each, dim=1).numpy() for each in found)
    return _Moved(title, labels.numpy(), model, judge)


def _effect(moved: _Moved, words: str) -> Effect:
    ours, judged = moved.changed(), moved.changed(judge=True)
    return Effect(
        f"directions/{moved.title.lower().replace(' ', '_')}",
        f"The verdict changes along the direction {moved.title} (images {words}): from -{REACH:g} to +{REACH:g}, for "
        f"{share_text(*ours)} of the latent vectors; the judge's for {share_text(*judged)}.",
        difference_of_shares(*ours, *judged).one_sided,
        SMALL,
        figure="changes",
        meaning="The label stays the same along the direction, and by the judge so does the class of more images.",
    )


def _changes_picture(moved: list[_Moved]) -> Picture:
    lines = [percent_line(name, [each.changed(judge) for each in moved]) for name, judge in _READERS.items()]
    title = f"Verdicts that change from -{REACH:g} to +{REACH:g}"
    panel = IntervalPanel(title, "percent of the latent vectors", lines, joined=False)
    figure = intervals_figure([panel], [each.title for each in moved], "direction")
    caption = "Share of the latent vectors whose verdict changes along each direction, with 95 % intervals."
    return Picture("changes", figure, caption, caption, lead=True)


def _positions_picture(moved: list[_Moved]) -> Picture:
    panels = []
    for each in moved:
        lines = [
            percent_line(name, [each.hits(at, judge) for at in range(len(_POSITIONS))])
            for name, judge in _READERS.items()
        ]
        panels.append(IntervalPanel(each.title, "read as their label, percent", lines))
    figure = intervals_figure(panels, [f"{at:+g}" for at in _POSITIONS], "position, standard deviations")
    caption = "Share of the images read as their label along each direction, with 95 % intervals."
    return Picture("positions", figure, caption, caption)


def _table(moved: list[_Moved], words: list[str]) -> Table:
    columns = [
        *(Column("direction", "direction"), Column("images", "images along it")),
        *interval_columns("changed", "verdict changes", "percent", 1),
        *interval_columns("judge_changed", "the judge's", "percent", 1),
    ]
    rows = []
    for each, text in zip(moved, words, strict=True):
        (hits, n), (judged, _) = each.changed(), each.changed(judge=True)
        rows.append([each.title, text, hits / n, *wilson_interval(hits, n), judged / n, *wilson_interval(judged, n)])
    caption = f"Share of the latent vectors whose verdict changes from -{REACH:g} to +{REACH:g} along a direction."
    return Table("directions", caption, columns, rows, open=True)
