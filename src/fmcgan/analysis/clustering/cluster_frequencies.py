"""A style of a class among samples, new real images and those in which it was found: shares, words and examples."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.clustering.clusters import Styles
from fmcgan.analysis.effect import Effect, difference_of_shares, share_in_words, share_interval
from fmcgan.analysis.section import Column
from fmcgan.data.classes import CLASS_NAMES, plural
from fmcgan.figure.clusters import Share, StyleRow

SHOWN = 12
"""Images of a style, of either kind."""
MISSING, RARE, OVER_PRODUCED = 1 / 4, 2 / 3, 3 / 2
"""Shares among the samples, in multiples of the real share, below and above which a style is called so."""
SURE = 0.01
"""The p-value below which that is said; of findings, `findings.judge` asks for more."""

COLUMNS = (
    Column("class", "class"),
    Column("style", "style"),
    Column("description", "beside its class"),
    Column("real_share", "real", "percent", 1),
    Column("real_low", "from", "percent", 1),
    Column("real_high", "to", "percent", 1),
    Column("new_share", "new real (test)", "percent", 1),
    Column("new_low", "from", "percent", 1),
    Column("new_high", "to", "percent", 1),
    Column("generated_share", "generated", "percent", 1),
    Column("generated_low", "from", "percent", 1),
    Column("generated_high", "to", "percent", 1),
    Column("ratio", "generated / real", "number"),
    Column("size", "size of the difference", "number"),
    Column("p_value", "p", "number", 4),
    Column("distance", "distance to the centre / real", "number"),
    Column("mark", "mark"),
)


@dataclass(frozen=True, eq=False)
class Members:
    """Which images of a class in one set have which style."""

    images: NDArray[np.uint8]
    """uint8 [N, 28, 28]."""
    style: NDArray[np.int64]
    """[N], as `Styles.assign` gives it."""
    distance: NDArray[np.float64]
    """From the nearest centre, [N]."""

    def of(self, style: int) -> NDArray[np.bool_]:
        """Which images have a style, [N]."""
        return self.style == style

    def count(self, style: int) -> tuple[int, int]:
        """How many have a style, of how many."""
        return int(self.of(style).sum()), len(self.style)

    def share(self, style: int) -> Share:
        """The share that has a style, with its interval."""
        count, n = self.count(style)
        return count / n, *share_interval(count, n)


class Compared(NamedTuple):
    """A style, as the figures, the findings and the table have it."""

    row: StyleRow
    effect: Effect
    values: list[Any]


def compared(label: int, style: int, styles: Styles, samples: Members, new: Members, real: Members) -> Compared:
    """Compares how often samples have a style with how often real images have it.

    Args:
        label: the class.
        style: index of the style in 0..K-1, or K for images out of reach of every centre.
        styles: of the class.
        samples: generated images of the class.
        new: real images that had no part in finding the styles.
        real: those that had.
    """
    some = style < styles.number
    short, kind = (str(style + 1), plural(label)) if some else ("none", f"{plural(label)} that are near no style")
    description = styles.description(style) if some else "near no style"
    counts, new_counts, real_counts = (each.count(style) for each in (samples, new, real))
    words = f"Style {short} of {kind} ({description})" if some else kind.capitalize()
    is_are = "is" if some else "are"
    effect = Effect(
        key=f"clusters/{CLASS_NAMES[label]}/{short}",
        statement=f"{words} {is_are} {share_in_words(*real_counts)} of the real and {share_in_words(*counts)} of the "
        "generated.",
        difference=difference_of_shares(*counts, *real_counts),
        floor=difference_of_shares(*new_counts, *real_counts),
        classes=(label,),
        figure=picture_name(label),
    )
    shares = real.share(style), new.share(style), samples.share(style)
    ratio = shares[2][0] / shares[0][0] if shares[0][0] else None
    mark = _mark(ratio) if effect.beyond_floor and effect.difference.p_value < SURE else ""
    row = StyleRow(f"Style {short}" if some else "No style", description, mark, *_shown(style, real, samples), *shares)
    distance = _farther(style, samples, new) if some else None
    flat = [part for share in shares for part in share]
    size, p_value = effect.difference.size, effect.difference.p_value
    return Compared(row, effect, [CLASS_NAMES[label], short, description, *flat, ratio, size, p_value, distance, mark])


def picture_name(label: int) -> str:
    """Of the picture of a class."""
    return f"styles_{CLASS_NAMES[label].replace('-', '_')}"


def _mark(ratio: float | None) -> str:
    if ratio is not None and ratio < RARE:
        return "missing" if ratio < MISSING else "rare"
    return "over-produced" if ratio is None or ratio > OVER_PRODUCED else ""


def _shown(style: int, real: Members, samples: Members) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The real images nearest to the centre, and the first of the samples: samples chosen alike would flatter."""
    places = np.flatnonzero(real.of(style))
    nearest = places[np.argsort(real.distance[places], kind="stable")[:SHOWN]]
    return real.images[nearest], samples.images[np.flatnonzero(samples.of(style))[:SHOWN]]


def _farther(style: int, samples: Members, new: Members) -> float | None:
    """How far samples lie from the centre in multiples of how far new real images do: medians of those assigned."""
    medians = [
        float(np.median(each.distance[each.of(style)])) if each.of(style).any() else 0 for each in (samples, new)
    ]
    return medians[0] / medians[1] if all(medians) else None
