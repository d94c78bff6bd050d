"""The smallest latent change that flips the verdict, of the classifier and of the judge."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from fmcgan.analysis.base import NotApplicable, class_key
from fmcgan.analysis.effect import Difference, Effect, share_text
from fmcgan.analysis.latent.space import balanced_latents
from fmcgan.analysis.section import Column, Picture, Section, Table
from fmcgan.data.images import to_pixels
from fmcgan.figure.classes import some_classes
from fmcgan.figure.image_rows import Block, Row, Tile, rows_picture
from fmcgan.probing import latent_search
from fmcgan.probing.classifier import Classifier
from fmcgan.probing.information import SMALL
from fmcgan.probing.subject import Subject
from fmcgan.training.latent import latent_dim_of
from fmcgan.training.sampling import render

_STREAM = 154  # random stream, combined with the seed
_CANDIDATES = 10  # images of which one is chosen that both read as asked
_SHOWN = 10  # classes of the picture
_LEAST = 6  # pairs, below which nothing can be said
_LEAST_SPREAD = 0.1  # of the logarithm of a length


@dataclass(frozen=True, eq=False)
class _Flipped:
    """The images that a search ends at."""

    norms: NDArray[np.float64]  # [N], of the changes; nan where none was found
    images: Tensor  # uint8 [N, C, H, W]
    verdicts: Tensor  # int64 [N], of the classifier that is flipped
    others: Tensor  # int64 [N], of the other one: what it reads on the same image

    @property
    def found(self) -> NDArray[np.bool_]:
        """Where a change was found, [N]."""
        return np.isfinite(self.norms)

    def median(self) -> tuple[float, float, float]:
        """Returns the median length and its 95 % interval, from order statistics; nan without any."""
        known = np.sort(self.norms[self.found])
        if not len(known):
            return math.nan, math.nan, math.nan
        low = int(stats.binom.ppf(0.025, len(known), 0.5))
        return (
            float(np.median(known)),
            float(known[max(low - 1, 0)]),
            float(known[min(len(known) - low, len(known) - 1)]),
        )


def flips(subject: Subject) -> Section:
    """Searches the changes for images that both classifiers read as asked.

    Raises:
        NotApplicable: there are fewer than six such images.
    """
    assert subject.generator is not None
    latents, labels = _starts(subject)
    if len(labels) < _LEAST:
        raise NotApplicable(f"only {len(labels)} images are read as asked by both, too few to change")
    images = render(subject.generator, latents, labels)
    ours = _flipped(subject, subject.model, subject.judge, latents, labels)
    judged = _flipped(subject, subject.judge, subject.model, latents, labels)
    way = "by gradient (fast minimum-norm, Pintor et al. 2021)" if subject.model.differentiable else "by CMA-ES"
    return Section(
        "The smallest change that flips the verdict",
        f"{len(labels)} generated images that both the classifier and the judge read as asked. The shortest change of "
        f"the latent vector, with the label fixed, after which the verdict is another one: searched {way}, for both. "
        "Lengths are in standard deviations; two random latent vectors are "
        f"{math.sqrt(2 * latents.shape[1]):.0f} apart. Shorter changes may exist. The same search for the judge is the "
        "baseline; real images have no latent vectors.",
        pictures=[_picture(subject, images, labels, ours, judged)],
        tables=[_summary(subject, ours, judged, labels), _table(subject, labels, ours, judged)],
        effects=[_effect(ours, judged, labels)],
        values={"median": ours.median()[0], "judge_median": judged.median()[0]},
    )


def readings(subject: Subject) -> int:
    """Returns about how many images the classifier reads."""
    assert subject.generator is not None
    n = len(some_classes(subject.info.labels)[0]) * subject.effort.flips_per_class
    size = latent_dim_of(subject.generator)
    return n * (_CANDIDATES + 2) + latent_search.readings(n, size, _steps(subject), subject.effort.generations)


def _steps(subject: Subject) -> int | None:
    """Returns the steps by gradient; ``None`` if the classifier has none, for both, so that they are comparable."""
    return subject.effort.steps if subject.model.differentiable else None


def _starts(subject: Subject) -> tuple[Tensor, Tensor]:
    """Chooses the first latent vectors of each class whose images both read as asked; fewer where there are none."""
    assert subject.generator is not None
    classes, _ = some_classes(subject.info.labels)
    per_class = subject.effort.flips_per_class
    latents, labels = balanced_latents(
        classes, latent_dim_of(subject.generator), _CANDIDATES * per_class, subject.seed, _STREAM
    )
    images = render(subject.generator, latents, labels)
    right = (subject.model.verdicts(images) == labels) & (subject.judge.verdicts(images) == labels)
    chosen = torch.cat([((labels == label) & right).nonzero().squeeze(1)[:per_class] for label in classes])
    return latents[chosen], labels[chosen]


def _flipped(subject: Subject, of: Classifier, other: Classifier, latents: Tensor, labels: Tensor) -> _Flipped:
    assert subject.generator is not None
    changes = latent_search.smallest_changes(
        subject.generator, of, latents, labels, _steps(subject), subject.effort.generations, subject.seed
    )
    images = render(subject.generator, latents + changes.nan_to_num(), labels)
    return _Flipped(changes.double().norm(dim=1).numpy(), images, of.verdicts(images), other.verdicts(images))


def _effect(ours: _Flipped, judged: _Flipped, labels: Tensor) -> Effect:
    both = ours.found & judged.found
    same = int((ours.others == labels).numpy()[ours.found].sum())
    median, judge_median = (_in_words(each) for each in (ours, judged))
    return Effect(
        "flips/all",
        f"A smaller latent change flips the verdict than flips the judge's: {median} standard deviations (median) "
        f"against {judge_median}; the judge still reads the class on {share_text(same, int(ours.found.sum()))} of the "
        "flipped images.",
        _shorter(ours.norms[both], judged.norms[both]),
        SMALL,
        figure="pairs",
        meaning="Where the judge still reads the class, the classifier is misled by what is no change of the class.",
    )


def _shorter(norms: NDArray[np.float64], judged: NDArray[np.float64]) -> Difference:
    """Compares paired lengths by their logarithms, in standard deviations of the judge's, and Wilcoxon's test.

    Above 0 if the classifier's are shorter.
    """
    if len(norms) < _LEAST:
        return Difference(0.0, math.inf, 1.0)
    gaps = np.log(judged) - np.log(norms)
    spread = max(float(np.log(judged).std(ddof=1)), _LEAST_SPREAD)
    error = max(float(gaps.std(ddof=1)) / math.sqrt(len(gaps)) / spread, 1e-9)
    p_value = float(stats.wilcoxon(gaps).pvalue) if np.any(gaps != 0) else 1.0
    return Difference(float(gaps.mean()) / spread, error, p_value).one_sided


def _in_words(flipped: _Flipped) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*flipped.median())


def _picture(subject: Subject, images: Tensor, labels: Tensor, ours: _Flipped, judged: _Flipped) -> Picture:
    info = subject.info
    shown, note = some_classes(labels.unique().tolist(), most=_SHOWN)
    first = [int((labels == label).nonzero()[0]) for label in shown]
    names = info.class_names
    rows = [_row([Tile(image, [names[labels[at]]]) for at, image in _pixels(images, first)], "generated")]
    for name, flipped in (("classifier", ours), ("judge", judged)):
        tiles, changes = [], []
        for at, image in _pixels(flipped.images, first):
            if not flipped.found[at]:
                tiles.append(Tile(image, ["not flipped"]))
            else:
                tiles.append(Tile(image, [names[flipped.verdicts[at]], f"{flipped.norms[at]:.2f}"], marked=True))
        for _, image in _pixels(_differences(images, flipped.images), first):
            changes.append(Tile(image))
        rows += [_row(tiles, f"{name} flipped"), _row(changes, "difference")]
    caption = (
        "Top: generated images that both read as asked. Below: the image after the smallest change found, with the new "
        "verdict and the length of the change, for the classifier and for the judge, and the difference of the images "
        f"(grey: none). {note}"
    )
    text = "Generated images, the same after the smallest change that flips the verdict, and their differences."
    return Picture("pairs", rows_picture([Block("", len(first))], rows), caption.rstrip(), text, lead=True)


def _row(tiles: list[Tile], name: str) -> Row:
    return Row([tiles], name)


def _pixels(images: Tensor, at: list[int]) -> list[tuple[int, NDArray[np.uint8]]]:
    return list(zip(at, to_pixels(images[at]), strict=True))


def _differences(before: Tensor, after: Tensor) -> Tensor:
    """Returns half the difference around middle grey, uint8."""
    return (128 + (after.int() - before.int()) / 2).round().clamp(0, 255).to(torch.uint8)


def _summary(subject: Subject, ours: _Flipped, judged: _Flipped, labels: Tensor) -> Table:
    columns = [
        *(Column("reader", "reader"), Column("images", "images", "whole"), Column("flipped", "flipped", "whole")),
        *(Column("median", "median length", "number"), Column("low", "95 % from", "number")),
        *(Column("high", "to", "number"), Column("other_keeps", "the other still reads the class", "percent", 0)),
    ]
    rows = []
    for name, each in ((subject.model.name, ours), (subject.judge.name, judged)):
        keeps = (each.others == labels).numpy()[each.found]
        share = float(keeps.mean()) if len(keeps) else None
        rows.append([name, len(labels), int(each.found.sum()), *each.median(), share])
    caption = "Median length of the smallest change found; how often the other classifier still reads the class then."
    return Table("medians", caption, columns, rows, open=True)


def _table(subject: Subject, labels: Tensor, ours: _Flipped, judged: _Flipped) -> Table:
    info = subject.info
    columns = [
        *(Column("class", "class"), Column("length", "length", "number"), Column("becomes", "verdict then")),
        *(Column("judge", "judge reads"), Column("judge_length", "judge's length", "number")),
        Column("judge_becomes", "judge's verdict then"),
    ]
    rows = []
    for at, label in enumerate(labels.tolist()):
        own, judge = (
            [None, "not flipped"] if not each.found[at] else [each.norms[at], info.class_names[each.verdicts[at]]]
            for each in (ours, judged)
        )
        rows.append([class_key(info, label), *own, info.class_names[ours.others[at]], *judge])
    return Table("changes", "Every image, with its smallest changes.", columns, rows)
