"""HTML pages in a single file with figures, tables and maps, for use without network or server."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from fmcgan.analysis.section import Column, Picture, Section
from fmcgan.app.escaping import decodable, visible
from fmcgan.app.formatting import short_number
from fmcgan.figure.palette import chart_colours
from fmcgan.report.encoding import Encoded
from fmcgan.report.interactive import link_maps

TEMPLATES = Path(__file__).parent / "template"
NO_VALUE = "—"
SHOWN_ROWS = 30  # rows of a table that are shown expanded
SHOWN_PICTURES = 2  # pictures that are shown expanded of a section without leading ones; 3 if there are 3
_SIZE = "\ue000size of the page\ue000"  # occurs in no text


@dataclass(frozen=True)
class Cell:
    """A value of a table with its own text, instead of the format of its column.

    ``key`` is the number to sort by; ``None``: sorted by text, and last in a column of numbers. ``colour`` is that of a
    mark before the text. ``link``, if any, is a
    relative address.
    """

    text: str
    key: float | None = None
    strong: bool = False
    colour: str | None = None
    link: str = ""


def render(
    template: str,
    sections: Mapping[str, Section],
    pictures: Mapping[tuple[str, str], Encoded],
    provenance: Mapping[str, str],
    **context: object,
) -> str:
    """Renders a page.

    Args:
        template: name of a file in ``template/``, which extends ``page.html.j2``.
        sections: by name, in the order of the page.
        pictures: all pictures of the sections, by the names of section and picture.
        provenance: shown at the foot; the size of the page is added.
        context: other variables of the template; escaped unless `markupsafe.Markup`.
    """
    page = render_template(
        template,
        sections=sections,
        pictures=pictures,
        provenance={**provenance, "size of this page": _SIZE},
        linked={name: link_maps(section.maps) for name, section in sections.items() if section.maps},
        **context,
    )
    return page.replace(_SIZE, f"{len(decodable(page).encode()) / 1e6:.1f} MB")


def render_template(template: str, **context: object) -> str:
    """Renders a file of ``template/``; texts of the context are escaped unless they are `markupsafe.Markup`."""
    return _ENVIRONMENT.get_template(template).render(**context)


def cell(value: object, column: Column) -> Cell:
    """Formats a value of a table: str, int, float or ``None``; a `Cell` is returned unchanged."""
    if isinstance(value, Cell):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell(NO_VALUE)
    if column.format == "text" or not isinstance(value, Real):  # of numpy too
        return Cell(str(value))
    return Cell(_number(float(value), column), float(value))


def is_number(column: Column, rows: Sequence[Sequence[object]], index: int) -> bool:
    """Tests whether the column at an index is sorted by number and right-aligned."""
    keys = [value.key for row in rows if isinstance(value := row[index], Cell)]
    return column.format != "text" or any(key is not None for key in keys)


def in_order(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Splits the pictures of a section into expanded ones, the leading or else the first ones, and collapsed ones."""
    few = SHOWN_PICTURES if len(pictures) > SHOWN_PICTURES + 1 else len(pictures)
    shown = [each for each in pictures if each.lead] or list(pictures[:few])
    return shown, [each for each in pictures if each not in shown]


short = partial(short_number, missing=NO_VALUE)  # formats a value with four significant digits


def finalize(value: object) -> object:
    """Replaces control characters in texts of a template, before escaping."""
    return visible(value) if type(value) is str else value  # not Markup, a subclass


def breakable(text: str) -> Markup:
    """Escapes text and allows line breaks after underscores."""
    return escape(visible(text)).replace("_", Markup("_<wbr>"))


def _number(value: float, column: Column) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if column.format == "percent":
        return f"{100 * value:.{column.digits}f} %"
    return f"{value:,.{0 if column.format == 'whole' else column.digits}f}"


def _chart_style() -> str:
    """Returns the colours of charts as custom properties, for light and for dark mode."""
    light, dark = (
        "".join(f"{name}: {colour}; " for name, colour in chart_colours(dark=is_dark).items())
        for is_dark in (False, True)
    )
    return f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    finalize=finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"breakable": breakable, "short": short}
_ENVIRONMENT.globals |= {
    "cell": cell,
    "in_order": in_order,
    "is_number": is_number,
    "shown_rows": SHOWN_ROWS,
    "chart_style": Markup(_chart_style()),
    "own": lambda name: Markup((TEMPLATES / name).read_text(encoding="utf-8")),
}
