"""Interactive maps: Bokeh scatter plots that show the image of a point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from PIL import Image

from fmcgan.analysis.section import Map
from fmcgan.figure.map import OTHER_CLASSES, colours_by_label
from fmcgan.figure.palette import INK
from fmcgan.figure.png import png_bytes
from fmcgan.report.encoding import data_uri

if TYPE_CHECKING:
    from bokeh.plotting import figure

HEIGHT = 560  # height of a plot in CSS pixels; its width is that of the page
ENLARGED = 112  # side of the image under the pointer, in CSS pixels
_TOOLTIP = f"""
<div class="point"
     style="display: flex; gap: 10px; max-width: 290px; color: {INK}; font: 13px/1.4 system-ui, sans-serif">
  <img src="@image" width="{ENLARGED}" height="{ENLARGED}" alt=""
       style="image-rendering: pixelated; width: {ENLARGED}px; height: {ENLARGED}px; flex: none">
  <div><b>@class_name</b><br>@origin<br>@note</div>
</div>
"""


@dataclass(frozen=True)
class Interactive:
    """HTML of all maps of a page; empty without maps."""

    bokeh: str = ""  # script tag of Bokeh's JavaScript
    script: str = ""  # script tag that draws the maps
    divs: Mapping[tuple[str, str], str] = field(default_factory=dict)  # of each map, by the names of section and map


def draw_maps(maps: Mapping[str, Sequence[Map]]) -> Interactive:
    """Draws all maps of a page.

    Maps of one section with the same images share their data. ``page.js`` finds Bokeh's models by name:
    ``points/<section>/<i>`` is the data of the i-th set of images of a section, ``shown/<section>/<i>/real`` and
    ``.../generated`` are the filters of its visible points.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    plots: dict[tuple[str, str], figure] = {}
    for section, of_section in maps.items():
        drawn: list[_Points] = []
        for each in of_section:
            points = next((one for one in drawn if one.same_as(each)), None)
            if points is None:
                points = _Points(each, f"{section}/{len(drawn)}")
                drawn.append(points)
            plots[section, each.name] = points.plot(each)
    script, divs = components(list(plots.values()))
    return Interactive(
        # Not escaped: Bokeh's texts contain those of this project as JSON only.
        Markup(Resources(mode="inline", components=["bokeh"]).render_js()),
        Markup(script),
        {key: Markup(div) for key, div in zip(plots, divs, strict=True)},
    )


def colours_of(points: Map) -> dict[int, str]:
    """Returns the colours of the classes with a colour, by label."""
    labels = range(len(points.names)) if points.coloured is None else points.coloured
    return colours_by_label(labels, points.labels.tolist())


class _Points:
    """Bokeh data of maps with the same images; ``first`` is one of them, ``name`` the end of the models' names."""

    def __init__(self, first: Map, name: str) -> None:
        from bokeh.models import BooleanFilter, ColumnDataSource

        self._first, colours = first, colours_of(first)
        self._source = ColumnDataSource(
            {
                "image": [data_uri(png_bytes(Image.fromarray(image))) for image in first.images],
                "class_name": [first.names[label] for label in first.labels],
                "colour": [colours.get(int(label), OTHER_CLASSES) for label in first.labels],
                "label": first.labels.astype(np.int32),
                "origin": ["generated" if generated else "real" for generated in first.generated],
                "note": list(first.notes) or [""] * len(first.labels),
            },
            name=f"points/{name}",
        )
        self._shown = {
            origin: BooleanFilter(booleans=which.tolist(), name=f"shown/{name}/{origin}")
            for origin, which in (("real", ~first.generated), ("generated", first.generated))
        }
        self._maps = 0

    def same_as(self, other: Map) -> bool:
        """Tests whether a map has the same images, notes and colours in the same order."""
        first = self._first
        arrays = ((first.images, other.images), (first.labels, other.labels), (first.generated, other.generated))
        lists = ((first.notes, other.notes), (first.names, other.names), (first.coloured, other.coloured))
        return all(np.array_equal(a, b) for a, b in arrays) and all(list(a or ()) == list(b or ()) for a, b in lists)

    def plot(self, each: Map) -> "figure":
        """Draws the points at the positions of a map."""
        from bokeh.models import CDSView, HoverTool, TapTool
        from bokeh.plotting import figure

        x, y = f"x{self._maps}", f"y{self._maps}"
        self._maps += 1
        for axis, values in zip((x, y), each.positions.T, strict=True):
            self._source.add(values.astype(np.float32), axis)
        plot = figure(
            height=HEIGHT,
            sizing_mode="stretch_width",
            tools="pan,wheel_zoom,box_zoom,reset",
            active_drag=None,  # touch and wheel scroll the page until a tool is chosen
            active_scroll=None,
            toolbar_location="above",
            output_backend="canvas",
            background_fill_color=None,
            border_fill_color=None,
            outline_line_color=None,
            min_border=0,
        )
        plot.toolbar.logo = None
        plot.axis.visible = False
        plot.grid.visible = False
        plot.x_range.update(range_padding=0.03)
        plot.y_range.update(range_padding=0.03)
        real = plot.scatter(
            x, y, source=self._source, view=CDSView(filter=self._shown["real"]), marker="circle", size=6
        )
        real.glyph.update(fill_alpha=0.0, fill_color="white", line_color={"field": "colour"}, line_width=1.1)
        generated = plot.scatter(
            x, y, source=self._source, view=CDSView(filter=self._shown["generated"]), marker="triangle", size=7
        )
        generated.glyph.update(fill_alpha=0.8, fill_color={"field": "colour"}, line_color="white", line_width=0.4)
        for drawn in (real, generated):
            drawn.nonselection_glyph = None  # a selected point must not fade the others
        plot.add_tools(
            HoverTool(renderers=[real, generated], tooltips=_TOOLTIP, limit=1, visible=False),
            TapTool(renderers=[real, generated], visible=False),
        )
        return plot
