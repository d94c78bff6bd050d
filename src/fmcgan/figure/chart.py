"""Charts for pages: a figure as one SVG for each panel, which follows theme and width, and a legend."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

from fmcgan.figure.files import figure_files, legend_of, titles_of
from fmcgan.figure.palette import VARIABLES

COLORBAR = "<colorbar>"  # matplotlib's label of the axes of a colour bar
MOST_TIPS = 60  # of a curve; of more points, some are chosen evenly
_PAD = 3  # points around a panel
_CSS_PIXELS = 96 / 72  # per point
_SWATCH = 22, 10  # width and height of a mark in a legend, in points
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_FONT = re.compile(r"font: (?:(bold|[1-9]00) )?([\d.]+)px [^;]*")  # of older versions of matplotlib
_FAMILY = re.compile(r"font-family: [^;]*; *")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_LINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class Tip:
    """A mark of a panel, in the units of its SVG, and its numbers in words."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Panel:
    """A panel: the content of an SVG without its title, which the page shows above it."""

    title: str
    content: str
    view_box: str
    width: int  # natural width in CSS pixels, at which the smallest letters have 11 pixels
    tips: tuple[Tip, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An entry of the legend: the content of a small SVG, and its text."""

    text: str
    content: str
    view_box: str


@dataclass(frozen=True)
class Chart:
    """The panels of a figure and its legend."""

    panels: tuple[Panel, ...]
    legend: tuple[Entry, ...]

    @property
    def width(self) -> int:
        """Natural width of a panel in CSS pixels."""
        return max((each.width for each in self.panels), default=0)

    @property
    def size(self) -> int:
        """Its length on a page, in characters."""
        tips = sum(len(tip.text) + 50 for each in self.panels for tip in each.tips)
        contents = [each.content for each in self.panels] + [each.content for each in self.legend]
        return tips + sum(map(len, contents))


class Tips(Artist):
    """Marks of axes with their numbers in words, for `chart`; draws nothing.

    Args:
        x: [N] in the units of the data.
        y: [N].
        texts: of each mark.
    """

    def __init__(self, x: ArrayLike, y: ArrayLike, texts: Sequence[str]) -> None:
        super().__init__()
        x, y = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        self.points = np.stack([x[known], y[known]], axis=1)
        self.texts = [texts[index] for index in known.tolist()]
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Draws nothing."""


def add_tips(axes: Axes, x: ArrayLike, y: ArrayLike, texts: Sequence[str]) -> None:
    """Gives marks of axes their numbers in words, which a page shows by pointer, touch and keyboard."""
    axes.add_artist(Tips(x, y, texts))


def chart(figure: Figure, prefix: str, svg: bytes | None = None) -> Chart:
    """Converts a figure to SVGs for a page.

    Colours of `palette` become custom properties of CSS, background and titles are left out, and letters are text in
    the font of the page.

    Args:
        figure: the figure.
        prefix: begins all identifiers, so that those of several charts on a page differ.
        svg: its SVG by `figure_files`; ``None``: it is drawn.
    """
    drawing = _Drawing(svg or figure_files(figure, ("svg",))[".svg"], prefix)
    shown = [axes for axes in figure.axes if axes.get_visible() and axes.axison and axes.get_label() != COLORBAR]
    boxes = [_box(figure, axes) for axes in shown]
    width = max((box.width for box in boxes), default=0.0)
    panels = []
    for axes, box in zip(shown, boxes, strict=True):
        names = [f"axes-{figure.axes.index(each)}" for each in (axes, *_colorbars(figure, axes))]
        title = " ".join(" ".join(each.get_text() for each in titles_of(axes)).split())
        view = f"{box.x1 - width:.1f} {box.y0:.1f} {width:.1f} {box.height:.1f}"
        tips = tuple(_tips(figure, axes, box))
        panels.append(Panel(title, drawing.content(names), view, round(width * _CSS_PIXELS), tips))
    return Chart(tuple(panels), tuple(_entries(figure, drawing)))


def _colorbars(figure: Figure, axes: Axes) -> list[Axes]:
    """Returns the colour bars between these axes and the next ones."""
    after = figure.axes[figure.axes.index(axes) + 1 :]
    return [each for index, each in enumerate(after) if all(one.get_label() == COLORBAR for one in after[: index + 1])]


def _box(figure: Figure, axes: Axes) -> Bbox:
    """Computes the box around axes and their colour bars without titles, in the units of the SVG."""
    for title in titles_of(axes):
        title.set_visible(False)
    boxes = [box for each in (axes, *_colorbars(figure, axes)) if (box := each.get_tightbbox()) is not None]
    for title in titles_of(axes):
        title.set_visible(True)
    return _to_svg(figure, Bbox.union(boxes)).padded(_PAD)


def _to_svg(figure: Figure, box: Bbox) -> Bbox:
    points, height = 72 / figure.dpi, 72 * figure.get_figheight()
    return Bbox([[box.x0 * points, height - box.y1 * points], [box.x1 * points, height - box.y0 * points]])


def _tips(figure: Figure, axes: Axes, box: Bbox) -> Iterator[Tip]:
    points, height = 72 / figure.dpi, 72 * figure.get_figheight()
    for tips in axes.findobj(Tips, include_self=False):
        assert isinstance(tips, Tips)  # for the type checker
        places = axes.transData.transform(tips.points) * points if len(tips.points) else tips.points
        for (x, y), text in zip(places.tolist(), tips.texts, strict=True):
            if box.contains(x, height - y):
                yield Tip(round(x, 1), round(float(height - y), 1), text)


def _entries(figure: Figure, drawing: "_Drawing") -> Iterator[Entry]:
    """Yields the legend, each text once."""
    seen: set[str] = set()
    for number, (_, text) in enumerate(legend_of(figure)):
        if text not in seen:
            seen.add(text)
            x, y = drawing.middle(f"handle-{number}")
            width, height = _SWATCH
            view = f"{x - width / 2:.1f} {y - height / 2:.1f} {width} {height}"
            yield Entry(text, drawing.content([f"handle-{number}"]), view)


class _Drawing:
    """The SVG of a figure, of which parts can be taken."""

    def __init__(self, svg: bytes, prefix: str) -> None:
        self._root = ElementTree.fromstring(svg)
        self._prefix = prefix
        self._parts: dict[str, ElementTree.Element] = {}
        self._definitions: dict[str, ElementTree.Element] = {}
        self._names: dict[str, str] = {}
        self._clean(self._root)

    def content(self, names: Sequence[str]) -> str:
        """Returns the content of an SVG with some groups and what they refer to."""
        groups = "".join(self._text(self._parts[name]) for name in names if name in self._parts)
        needed: dict[str, str] = {}
        self._collect(groups, needed)
        definitions = f"<defs>{''.join(needed.values())}</defs>" if needed else ""
        return self._unique(definitions + groups, needed)

    def middle(self, name: str) -> tuple[float, float]:
        """Returns the middle of what a group draws: of the coordinates in its paths and marks."""
        numbers = [part for each in self._parts[name].iter() for part in _points(each)]
        return tuple((min(axis) + max(axis)) / 2 for axis in zip(*numbers, strict=True)) if numbers else (0.0, 0.0)

    def _clean(self, element: ElementTree.Element) -> None:
        """Notes groups and definitions by their names, and simplifies all elements."""
        for child in list(element):
            child.tag = child.tag.rpartition("}")[2]
            name = child.attrib.pop("id", "")
            if name in ("title", "background"):
                element.remove(child)
                continue
            if child.tag == "g":
                self._parts[name] = child
            elif name and child.tag in ("path", "clipPath"):
                self._definitions[name] = child
                child.set("id", name)
            _simplify(child)
            self._clean(child)
            if child.tag in ("defs", "metadata"):
                element.remove(child)

    def _text(self, element: ElementTree.Element) -> str:
        return ElementTree.tostring(element, encoding="unicode")

    def _collect(self, text: str, needed: dict[str, str]) -> None:
        for name in re.findall(r'url\(#(\w+)\)|href="#(\w+)"', text):
            name = name[0] or name[1]
            if name in self._definitions and name not in needed:
                needed[name] = self._text(self._definitions[name])
                self._collect(needed[name], needed)

    def _unique(self, text: str, needed: dict[str, str]) -> str:
        """Gives definitions names that occur once on a page: each part has its own."""
        for name in needed:
            new = f"{self._prefix}-{len(self._names)}"
            self._names[new] = name
            for before, after in (("url(#", ")"), ('href="#', '"'), ('id="', '"')):
                text = text.replace(f"{before}{name}{after}", f"{before}{new}{after}")
        return text


def _simplify(element: ElementTree.Element) -> None:
    """Rounds numbers, and replaces colours and fonts."""
    element.tail = None
    if element.tag not in ("text", "tspan"):
        element.text = None
    if _LINK in element.attrib:
        element.set("href", element.attrib.pop(_LINK))
    for key in {"d", "x", "y", "width", "height", "transform"} & element.attrib.keys():
        element.set(key, " ".join(_LONG_NUMBER.sub(_rounded, element.attrib[key]).split()))
    if "style" in element.attrib:
        element.set("style", _styled(element.attrib["style"]))


def _points(element: ElementTree.Element) -> Iterator[tuple[float, float]]:
    """Yields the points of a path or the place of a mark."""
    if element.tag == "use":
        yield float(element.get("x", 0)), float(element.get("y", 0))
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", element.get("d", ""))]
    yield from zip(numbers[::2], numbers[1::2], strict=False)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _styled(style: str) -> str:
    """Replaces the colours of figures by custom properties, and the font by that of the page."""
    style = _FONT.sub(lambda font: f"{f'font-weight: {font[1]}; ' if font[1] else ''}font-size: {font[2]}px", style)
    style = _FAMILY.sub("", style)
    return _COLOUR.sub(lambda colour: f"var({name})" if (name := VARIABLES.get(colour[0])) else colour[0], style)
