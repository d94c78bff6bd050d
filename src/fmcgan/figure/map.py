"""Figures of maps: points coloured by class or by origin, and thumbnails at their positions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fmcgan.figure.axes import PANEL_INCHES, TEXT, TITLE
from fmcgan.figure.classes import short_names
from fmcgan.figure.font import load_font
from fmcgan.figure.grid import GAP, MARGIN, NAME_SIZE, TITLE_SIZE
from fmcgan.figure.image_rows import check_pixels
from fmcgan.figure.palette import BASELINE, CLASS_COLOURS, FAINT_INK, GENERATED, INK, LINE, REAL, class_colours
from fmcgan.figure.paper import paste, sheet

WIDTH_INCHES, LEGEND_INCHES, TITLE_INCHES = 2 * PANEL_INCHES[0], 0.45, 0.6  # sizes of a figure of two panels
LEGEND_COLUMNS, LEGEND_ROW_INCHES = 5, 0.18  # of a legend of more than two rows
PANEL, FEWEST_COLUMNS = 660, 16  # usual width of a panel of thumbnails in pixels, and its least number of columns
OTHER_CLASSES = "#A0A0A0"  # of classes without a colour of their own, if there are many
_GREY = CLASS_COLOURS[6]  # not used beside it
MOST_COLOURED = len(CLASS_COLOURS) - 1  # largest number of classes with a colour beside others: the letters
BACKGROUND = "#DDDDDD"  # colour of the images that the map was fitted to
ORIGINS = LinearSegmentedColormap.from_list("origins", [to_rgba(REAL), to_rgba(BASELINE, 0.25), to_rgba(GENERATED)])
"""Colours from only real to only generated; the middle is grey, distinct from the background."""
FEW = 8
"""Least number of points in a coloured cell: 8 points of equally frequent origins have the same origin with a
probability of 2 · 2⁻⁸ = 0.8 %."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Images on a map."""

    positions: NDArray[np.float64]  # [N, 2]
    labels: NDArray[np.int64]  # [N]
    images: NDArray[np.uint8]  # [N, H, W] or [N, H, W, 3]

    def __post_init__(self) -> None:
        n = len(self.labels)
        if n == 0 or self.positions.shape != (n, 2) or len(self.images) != n:
            shapes = f"{self.positions.shape}, {self.labels.shape} and {self.images.shape}"
            raise ValueError(f"a cloud needs positions [N, 2], labels [N] and images [N, H, W], got {shapes}")
        check_pixels(self.images, "images of a cloud", "N, H, W")


def colours_by_label(labels: Sequence[int], drawn: Iterable[int]) -> dict[int, str]:
    """Returns a colour for each label; none is grey if others are drawn, whose colour is `OTHER_CLASSES`."""
    if set(drawn) <= set(labels):
        return dict(zip(labels, class_colours(len(labels)), strict=True))
    colours = [each for each in class_colours(len(labels) + 1) if each != _GREY]
    return dict(zip(labels, colours, strict=False))


def class_map(
    fitted: NDArray[np.float64], real: Cloud, generated: Cloud, names: Mapping[int, str], title: str
) -> Figure:
    """Draws real images, coloured by class, beside generated ones, coloured by conditioned class.

    Behind them are faint dots at ``fitted`` [F, 2], the positions of the images that the map was fitted to. ``names``
    are those of the classes with a colour, by label; images of other classes are grey.
    """
    drawn = np.union1d(real.labels, generated.labels).tolist()
    colours = colours_by_label(list(names), drawn)
    short = dict(zip(names, short_names(list(names.values())), strict=True))
    marks = [(short[label], colours[label]) for label in drawn if label in names]
    marks += [("other classes", OTHER_CLASSES)] * any(label not in names for label in drawn)
    marks += [("training images of the fit", BACKGROUND)]
    positions = np.concatenate([fitted, real.positions, generated.positions])
    figure, panels = _two_panels(positions, title, legend_rows=-(-len(marks) // LEGEND_COLUMNS))
    for axes, cloud, name in zip(panels, (real, generated), ("real", "generated"), strict=True):
        axes.set_title(f"{name} ({len(cloud.labels):,})", loc="left", fontsize=TITLE, color=INK)
        axes.scatter(fitted[:, 0], fitted[:, 1], s=1.5, color=BACKGROUND, linewidths=0, rasterized=True)
        order = _mixed(len(cloud.labels))
        x, y = cloud.positions[order].T
        own = [colours.get(label, OTHER_CLASSES) for label in cloud.labels[order].tolist()]
        axes.scatter(x, y, s=3.5, c=own, linewidths=0, alpha=0.8, rasterized=True)
        for label in np.unique(cloud.labels).tolist():
            if label in names:
                _write_class(axes, cloud.positions[cloud.labels == label], short[label])
    _legend(figure, marks)
    return figure


def origin_map(real: Cloud, generated: Cloud, title: str) -> Figure:
    """Draws real and generated images in one panel, and the share of generated ones in each cell in another.

    There must be as many real as generated images, so that equal densities give a share of one half.
    """
    positions = np.concatenate([real.positions, generated.positions])
    is_generated = np.arange(len(positions)) >= len(real.labels)
    figure, (dots, cells) = _two_panels(positions, title)
    dots.set_title("each image", loc="left", fontsize=TITLE, color=INK)
    order = _mixed(len(positions))
    colours = [GENERATED if each else REAL for each in is_generated[order]]
    x, y = positions[order].T
    dots.scatter(x, y, s=3, c=colours, linewidths=0, alpha=0.6, rasterized=True)
    cells.set_title(f"cells of at least {FEW} images", loc="left", fontsize=TITLE, color=INK)
    x, y = positions.T
    shares = is_generated.astype(np.float64)
    cells.hexbin(x, y, C=shares, gridsize=26, mincnt=FEW, cmap=ORIGINS, vmin=0, vmax=1, linewidths=0.2)
    inset = cells.inset_axes((0.64, -0.04, 0.34, 0.02))  # below the panel: both panels have equal size
    bar = figure.colorbar(ScalarMappable(Normalize(0, 100), ORIGINS), cax=inset, orientation="horizontal")
    bar.set_ticks([0, 50, 100])
    bar.ax.tick_params(labelsize=TEXT, color=LINE, length=2)
    bar.ax.text(
        -0.04, 0.5, "% generated", transform=bar.ax.transAxes, ha="right", va="center", fontsize=TEXT, color=INK
    )
    bar.ax.spines[:].set_visible(False)
    _legend(figure, [("real", REAL), ("generated", GENERATED)])
    return figure


def thumbnail_map(real: Cloud, generated: Cloud, columns: int | None = None) -> Image.Image:
    """Draws the map as cells of thumbnails, real images left and generated ones right, in colour (PIL mode ``RGB``).

    A cell shows the image nearest to its centre. An empty cell is coloured if it has at least `FEW` images of the other
    origin; so there must be as many real as generated images. The longer side of the map has ``columns`` cells;
    ``None``: as many as are about `PANEL` pixels wide, and at least `FEWEST_COLUMNS`.
    """
    size = real.images.shape[1]
    step = size + GAP
    columns = max(FEWEST_COLUMNS, PANEL // step) if columns is None else columns
    (of_real, of_generated), (wide, high) = _cells([real.positions, generated.positions], columns)
    head = MARGIN + TITLE_SIZE + 2 * NAME_SIZE
    left, right = MARGIN, 3 * MARGIN + wide * step
    picture = sheet("RGB", (right + wide * step + MARGIN, head + high * step + MARGIN))
    draw = ImageDraw.Draw(picture)
    for x, cloud, own, others, name, other, colour in (
        (left, real, of_real, of_generated, "real", "generated", GENERATED),
        (right, generated, of_generated, of_real, "generated", "real", REAL),
    ):
        draw.text((x, MARGIN), name, fill=INK, font=load_font(TITLE_SIZE), anchor="lt")
        remark = f"coloured cell: no {name} image, at least {FEW} {other} ones"
        draw.text((x, MARGIN + TITLE_SIZE + 6), remark, fill=FAINT_INK, font=load_font(NAME_SIZE), anchor="lt")
        faint = np.rint(255 * (0.35 * np.array(to_rgb(colour)) + 0.65)).astype(int)
        cells, counts = np.unique(np.floor(others).astype(int), axis=0, return_counts=True)
        for cell_x, cell_y in ((x, head) + step * cells[counts >= FEW]).tolist():
            draw.rectangle((cell_x, cell_y, cell_x + size - 1, cell_y + size - 1), fill=tuple(faint.tolist()))
        cells = np.floor(own).astype(int)
        nearest_first = np.square(own - cells - 0.5).sum(axis=1).argsort(kind="stable")
        cells, first = np.unique(cells[nearest_first], axis=0, return_index=True)
        for (cell_x, cell_y), index in zip(((x, head) + step * cells).tolist(), nearest_first[first], strict=True):
            paste(picture, Image.fromarray(cloud.images[index]), (cell_x, cell_y))
        draw.rectangle((x - GAP, head - GAP, x + wide * step - 1, head + high * step - 1), outline=LINE)
    return picture


def _two_panels(positions: NDArray[np.float64], title: str, legend_rows: int = 1) -> tuple[Figure, Iterable[Axes]]:
    """Makes two panels of equal scale in x and y that contain all positions, above a legend."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    margin = 0.03 * max(*(high - low), 1e-6)
    (left, bottom), (right, top) = low - margin, high + margin
    panel = (WIDTH_INCHES - 0.4) / 2
    height = panel * min(max((top - bottom) / (right - left), 0.5), 1.3)
    legend = LEGEND_INCHES + LEGEND_ROW_INCHES * max(legend_rows - 2, 0)
    figure = Figure(figsize=(WIDTH_INCHES, height + legend + TITLE_INCHES), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE + 1.5, color=INK)
    panels = figure.subplots(1, 2)
    for axes in panels:
        axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_color(LINE)
    return figure, panels


def _write_class(axes: Axes, positions: NDArray[np.float64], name: str) -> None:
    """Writes the name of a class at the point nearest to its median; the median may lie between its clusters."""
    from_median = np.square(positions - np.median(positions, axis=0)).sum(axis=1)
    x, y = positions[from_median.argmin()]
    paper = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    axes.text(x, y, name, fontsize=TEXT, color=INK, ha="center", va="center", weight="bold", bbox=paper)


def _legend(figure: Figure, marks: Sequence[tuple[str, str]]) -> None:
    handles = [Line2D([], [], linestyle="", marker="o", markersize=6, color=colour) for _, colour in marks]
    texts = [text for text, _ in marks]
    figure.legend(
        handles,
        texts,
        loc="outside lower center",
        ncols=LEGEND_COLUMNS,
        frameon=False,
        fontsize=TEXT,
        handletextpad=0.1,
    )


def _mixed(n: int) -> NDArray[np.int64]:
    """Returns a random order, so that no class and no origin covers the others."""
    return np.random.default_rng(0).permutation(n)


def _cells(clouds: Sequence[NDArray[np.float64]], columns: int) -> tuple[list[NDArray[np.float64]], tuple[int, int]]:
    """Scales positions to cells of side 1, row 0 on top; also returns width and height in cells."""
    together = np.concatenate(clouds)
    low, high = together.min(axis=0), together.max(axis=0)
    side = max(*(high - low), 1e-9) / columns * (1 + 1e-9)  # so that the last point lies in the last cell
    moved = [np.stack([each[:, 0] - low[0], high[1] - each[:, 1]], axis=1) / side for each in clouds]
    wide, tall = (np.floor((high - low) / side).astype(int) + 1).tolist()
    return moved, (wide, tall)
