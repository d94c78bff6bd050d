"""Colours with the same meaning in all figures and pages."""

import colorsys
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.typing import ColorType

REAL, GENERATED = "#0072B2", "#D55E00"
GENERATOR, DISCRIMINATOR = "#009E73", "#AA4499"
BASELINE = "#8A8A8A"
"""Real and generated images, the two networks, and baselines in all figures: safe for colour-blind readers (Okabe and
Ito, Tol)."""
MEANINGS = {
    **dict.fromkeys(("real", "real images", "real data", "real test images", "real (training)", "real (test)"), REAL),
    **dict.fromkeys(("generated", "generated images", "samples"), GENERATED),
    **{"generator": GENERATOR, "discriminator": DISCRIMINATOR},
}
"""The colour of each label that means the same in all figures."""
SERIES = ("#4433AA", "#8F8F00", "#A3123A", "#0A6565", "#E5508F", "#7A4A12", "#3F4A55")
"""Colours of recipes, arms and other curves without a meaning of their own."""
CLASS_COLOURS = (
    *("#4477AA", "#EE6677", "#228833", "#B8A125", "#66CCEE", "#AA3377", "#7A7A7A", "#EE7733", "#332288"),
    *("#A50F00", "#D278FF", "#694B00", "#3CE100", "#005A5A", "#00C3A5", "#960FFF", "#A5B4FF", "#694B4B"),
    *("#E1B4D2", "#B4C396", "#786996", "#E1B496", "#4B5A2D", "#0096A5", "#FFA50F", "#96784B", "#FF0FB4"),
)
"""Colours of up to 27 classes; two of them differ by at least 17 (CIEDE2000), and by as much from other greys.

Nine of Paul Tol's bright and muted colours, with a darker yellow; then each the most different one that is legible on
white and on black (as Glasbey et al. 2007).
"""
INK, FAINT_INK, LINE, GRID = "#222222", "#666666", "#999999", "#E3E3E3"
"""Colours of titles, remarks, axes and grid lines."""
GENERATED_INK = "#B94A00"  # `GENERATED`, darker: legible as small text on white
CARD, DARK_CARD = "#FFFFFF", "#1E2126"
"""Background of figures on a page, in light and in dark mode."""
LEGIBLE = 4.5
"""Least contrast of text (WCAG 2.2, AA)."""
_INKS = {INK: "ink", "#000000": "ink", FAINT_INK: "faint", LINE: "axis", GRID: "grid", "#FFFFFF": "card"}
_NAMES = {
    **{REAL: "real", GENERATED: "generated", BASELINE: "baseline"},
    **{GENERATOR: "generator", DISCRIMINATOR: "discriminator"},
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)},
    **{colour: f"class-{number}" for number, colour in enumerate(CLASS_COLOURS)},
}
VARIABLES = {colour.lower(): f"--{name}" for colour, name in _INKS.items()} | {
    colour.lower(): f"--chart-{name}" for colour, name in _NAMES.items()
}
"""The custom property of CSS for each colour of figures, so that pages can change them."""


def class_colours(count: int) -> list[str]:
    """Returns the colours of ``count`` classes: `CLASS_COLOURS`, then others of any hue; up to 1000 are all different.

    The eye cannot tell more than those of `CLASS_COLOURS` apart. Hue and lightness of the others follow the R2 sequence
    (Roberts 2018), so that any number of colours is spread evenly.
    """
    colours = list(CLASS_COLOURS[:count])
    for index in range(count - len(colours)):
        rgb = colorsys.hls_to_rgb(0.7548776662 * index % 1, 0.35 + 0.3 * (0.569840291 * index % 1), 0.65)
        colours.append("#" + "".join(f"{round(255 * part):02X}" for part in rgb))
    return colours


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Returns the colours of labels in a figure: those of `MEANINGS`, and of others `SERIES`, repeated, in order."""
    others = [label for label in labels if label not in MEANINGS]
    return MEANINGS | {label: series_colour(index) for index, label in enumerate(others)}


def series_colour(index: int) -> str:
    """Returns the colour of a curve without a meaning of its own, by its index; they repeat."""
    return SERIES[index % len(SERIES)]


def chart_colours(dark: bool = False) -> dict[str, str]:
    """Returns the colour of each custom property ``--chart-...`` of a page, in light or in dark mode.

    ``--chart-on-series-N`` is that of text on ``--chart-series-N``.
    """
    colours = {f"--chart-{name}": on_dark(colour) if dark else colour for colour, name in _NAMES.items()}
    inks = {f"--chart-on-series-{number}": DARK_CARD if dark else ink_on(each) for number, each in enumerate(SERIES, 1)}
    return colours | inks


def on_dark(colour: str) -> str:
    """Mixes a colour with white until it is `LEGIBLE` on `DARK_CARD`."""
    parts = np.array(to_rgb(colour))
    mixed = (to_hex((1 - white) * parts + white) for white in np.linspace(0, 1, 21))
    return next(each for each in mixed if contrast(each, DARK_CARD) >= LEGIBLE).upper()


def contrast(one: ColorType, other: ColorType) -> float:
    """Computes the contrast of two opaque colours by WCAG 2.2, from 1 (equal) to 21 (black and white)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(background: ColorType, *inks: str) -> str:
    """Returns the first ink that is `LEGIBLE` on a background, else black or white, one of which always is."""
    legible = (ink for ink in inks if contrast(ink, background) >= LEGIBLE)
    return next(legible, max("black", "white", key=lambda ink: contrast(ink, background)))


def _luminance(colour: ColorType) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
