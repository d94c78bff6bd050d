"""Path of labelled points, for the trade-off of two quantities."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D, Bbox
from numpy.typing import ArrayLike, NDArray

from fmcgan.app.formatting import short_number
from fmcgan.figure.axes import PANEL_INCHES, TEXT, name_axes, round_ticks, style_axes
from fmcgan.figure.chart import add_tips
from fmcgan.figure.palette import GENERATED, REAL

FIGURE_INCHES = (PANEL_INCHES[0], 3.1)  # width and height
_LETTERS, _MARK = TEXT, 6.0  # points
_Line = NDArray[np.float64]  # points, [N, 2]
_BETWEEN = 40  # points per segment, to keep labels off the lines
_LABEL, _OUTSIDE = 20, 100  # costs of covering another label, and of leaving the axes


def path_figure(
    x: ArrayLike,
    y: ArrayLike,
    labels: Sequence[str],
    *,
    title: str,
    x_label: str,
    y_label: str,
    y_band: tuple[ArrayLike, ArrayLike],
    landmarks: Mapping[str, tuple[float, float]],
) -> Figure:
    """Draws points (x [N], y [N]) joined in order, each with its label beside it.

    ``y_band`` holds the ends of the interval of each y, [N] each; ``landmarks`` are points of real images, by label.

    Raises:
        ValueError: there is no point, or the lengths differ.
    """
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if across.ndim != 1 or across.shape != up.shape or len(labels) != len(across) or not len(across):
        raise ValueError(
            f"x, y and labels must have one length of at least 1, got {len(across)}, {len(up)} and {len(labels)}"
        )
    figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
    axes = figure.subplots()
    name_axes(axes, title, x_label, y_label)
    axes.plot(across, up, color=GENERATED, marker="o", markersize=5, linewidth=1.6)
    path = np.stack([across, up], axis=1)
    low, high = (np.asarray(end, dtype=np.float64) for end in y_band)
    axes.vlines(across, low, high, color=GENERATED, alpha=0.5)
    intervals = [np.array([[at, bottom], [at, top]]) for at, bottom, top in zip(across, low, high, strict=True)]
    for text, point in landmarks.items():
        axes.plot(*point, color=REAL, marker="*", markersize=13, linestyle="", label=text)
    axes.margins(0.12)
    style_axes(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(round_ticks())
    figure.legend(loc="outside lower center", frameon=False, fontsize=_LETTERS)
    names = [*labels, *landmarks]
    places = np.concatenate([path, np.array(list(landmarks.values())).reshape(-1, 2)])
    texts = [
        f"{text}: {short_number(a)}, {short_number(b)}" for text, (a, b) in zip(names, places.tolist(), strict=True)
    ]
    add_tips(axes, places[:, 0], places[:, 1], texts)
    _write_labels(axes, path, labels, [path, *intervals])
    return figure


def _write_labels(axes: Axes, path: _Line, labels: Sequence[str], lines: Sequence[_Line]) -> None:
    """Writes each label beside its point, with the least overlap of lines and other labels."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # for the type checker
    figure.draw_without_rendering()  # computes the layout
    points = 72 / figure.dpi
    frame = axes.get_window_extent().transformed(Affine2D().scale(points))
    positions = axes.transData.transform(path) * points
    drawn = []
    for line in lines:
        corners = axes.transData.transform(line) * points
        drawn += [np.linspace(first, second, _BETWEEN, endpoint=False) for first, second in pairwise(corners)]
        drawn.append(corners[-1:])
    taken = [Bbox.from_bounds(x - _MARK / 2, y - _MARK / 2, _MARK, _MARK) for x, y in np.concatenate(drawn)]
    for (x, y), point, text in zip(positions, path, labels, strict=True):
        width, height = 0.58 * _LETTERS * len(text), 1.25 * _LETTERS
        offsets = [
            (across, up)
            for gap in (_MARK, 3 * _MARK)  # the nearer places first
            for up in (gap / 2, -height / 2, -gap / 2 - height)
            for across in (gap, -width / 2, -gap - width)
        ]
        boxes = [Bbox.from_bounds(x + across, y + up, width, height) for across, up in offsets]
        hidden = [
            sum(map(box.overlaps, taken)) + _OUTSIDE * (Bbox.union([box, frame]).width > frame.width) for box in boxes
        ]
        best = hidden.index(min(hidden))
        taken += [boxes[best]] * _LABEL
        axes.annotate(text, tuple(point), offsets[best], textcoords="offset points", fontsize=_LETTERS, va="bottom")
