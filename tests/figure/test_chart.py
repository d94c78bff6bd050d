"""Charts of pages: panels, colours, legend, tips and identifiers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from fmcgan.data.garments import GARMENTS
from fmcgan.figure.axes import PANEL_INCHES, TEXT
from fmcgan.figure.chart import MOST_TIPS, add_tips, chart
from fmcgan.figure.confusions import difference_figure
from fmcgan.figure.curves import Panel, Series, curves_figure
from fmcgan.figure.files import figure_files, write_figure
from fmcgan.figure.palette import CARD, DARK_CARD, SERIES, VARIABLES, chart_colours, contrast


def curves(count=2, label="generator", y=(1.0, 3.0, 2.0)):
    series = Series(label, np.arange(3.0), list(y))
    return curves_figure([Panel(f"<title> {number}", "a & b", [series]) for number in range(count)])


@pytest.fixture(scope="module")
def two():
    return chart(curves(), "some")


def elements(content):
    return list(ElementTree.fromstring(f"<svg>{content}</svg>").iter())


def test_each_panel_is_a_drawing_with_its_title_beside_it(two):
    assert [panel.title for panel in two.panels] == ["<title> 0", "<title> 1"]
    for panel in two.panels:
        texts = [each.text for each in elements(panel.content) if each.tag == "text"]
        assert "a & b" in texts
        assert not any("title" in text for text in texts)
    assert two.width == pytest.approx(96 * PANEL_INCHES[0], rel=0.05)  # a phone shows it at this size
    assert len({panel.width for panel in two.panels}) == 1


def test_all_colours_are_those_of_the_page_and_nothing_is_white(two):
    drawn = "".join(panel.content for panel in two.panels) + "".join(each.content for each in two.legend)
    assert not re.search(r"#[0-9a-fA-F]{6}", drawn)
    assert "var(--chart-generator)" in drawn
    assert "var(--card)" not in drawn


def test_letters_are_text_of_eleven_pixels_or_more_in_the_font_of_the_page(two):
    sizes = [float(size) for panel in two.panels for size in re.findall(r"font-size: ([\d.]+)px", panel.content)]
    assert min(sizes) == TEXT
    assert TEXT * 96 / 72 > 11
    assert "DejaVu" not in two.panels[0].content


def test_identifiers_are_unique_and_lead_somewhere(two):
    other = chart(curves(), "other")
    contents = [panel.content for each in (two, other) for panel in each.panels]
    names = [each.get("id") for content in contents for each in elements(content) if each.get("id")]
    assert len(names) == len(set(names)) > 0
    for content in contents:
        own = {each.get("id") for each in elements(content)}
        assert {one or two for one, two in re.findall(r'url\(#([\w-]+)\)|href="#([\w-]+)"', content)} <= own


def test_a_tip_lies_where_its_point_is_drawn(two):
    tips = two.panels[0].tips
    assert [tip.text for tip in tips] == [
        "generator: 1 (0 training images seen)",
        "generator: 3 (1 training images seen)",
        "generator: 2 (2 training images seen)",
    ]
    (line,) = (
        each.get("d")
        for each in elements(two.panels[0].content)
        if "--chart-generator" in each.get("style", "") and each.get("clip-path")
    )
    drawn = np.array(re.findall(r"[\d.]+", line), dtype=float).reshape(-1, 2)
    np.testing.assert_allclose([(tip.x, tip.y) for tip in tips], drawn, atol=0.1)


def test_points_outside_of_the_axes_and_unknown_ones_have_no_tips():
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    add_tips(axes, [0.5, 5, np.nan], [0.5, 0.5, 0.5], ["in", "out", "unknown"])
    assert [tip.text for tip in chart(figure, "a").panels[0].tips] == ["in"]
    assert MOST_TIPS < 100


def test_the_legend_has_each_text_once_with_its_mark(two):
    (entry,) = two.legend
    assert entry.text == "generator"
    left, top, width, height = map(float, entry.view_box.split())
    (line,) = (each.get("d") for each in elements(entry.content) if each.get("d") and not each.get("id"))
    for x, y in np.array(re.findall(r"[\d.]+", line), dtype=float).reshape(-1, 2):
        assert left <= x <= left + width
        assert top <= y <= top + height


def test_a_heat_map_is_one_panel_with_its_colour_bar_and_a_tip_for_each_cell():
    counts = np.diag([90] * 10) + 1
    figure = difference_figure(counts, np.diag([100] * 10) + 2, np.zeros((10, 10), bool), names=GARMENTS.class_names)
    (panel,) = chart(figure, "a").panels
    assert len(panel.tips) == 100
    assert "percentage points" in panel.content
    assert "fill: var(--chart-real); fill-opacity: 0." in panel.content
    assert panel.width < 380  # on a phone


def test_every_colour_is_visible_in_light_and_in_dark_mode():
    light, dark = chart_colours(), chart_colours(dark=True)
    assert light.keys() == dark.keys()
    shown = [name for name in light if not name.startswith(("--chart-on-", "--chart-class-"))]
    assert min(contrast(light[name], CARD) for name in shown) >= 3
    assert min(contrast(dark[name], DARK_CARD) for name in dark if "-on-" not in name) >= 3
    for colours in (light, dark):
        for number in range(1, len(SERIES) + 1):
            assert contrast(colours[f"--chart-series-{number}"], colours[f"--chart-on-series-{number}"]) >= 4.5
    assert {name for name in VARIABLES.values() if name.startswith("--chart")} <= light.keys()


def test_every_figure_is_also_an_svg_and_a_pdf_with_equal_bytes(tmp_path):
    write_figure(curves(), tmp_path / "a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg"]
    assert {path.suffix: path.read_bytes() for path in tmp_path.iterdir()} == figure_files(curves())
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert "<text" in (tmp_path / "a.svg").read_text()
