"""Names, overrides, commands and scores of a foreign run are text, wherever a comparison or an analysis shows them."""

import csv
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from PIL import Image

from fmcgan.analysis.section import Alarm, Column, Map, Picture, Section, Table
from fmcgan.app.escaping import decodable, visible
from fmcgan.comparison.comparison import compare
from fmcgan.comparison.run_list import write_run_list
from fmcgan.figure.curves import Panel, Series, curves_figure
from fmcgan.metric.results import as_markdown, by_class_as_markdown
from fmcgan.report.analysis_page import write_analysis
from fmcgan.report.encoding import encode
from fmcgan.report.home import write_home
from tests.hostile import PAYLOADS

ALLOWED = (
    "html head meta title link style body header main section nav footer script h1 h2 h3 p a ol ul li dl dt dd div"
    " span code small strong b br wbr figure figcaption img table thead tbody tr th td details summary svg path circle"
    " rect line g text tspan use defs clippath input label button noscript output"
)
IN_MARKDOWN = "h1 h2 h3 p ul li table thead tbody tr th td strong code img"


@pytest.fixture(scope="module")
def comparison(write_run_once):
    """The comparison of runs whose every text is hostile."""
    for place, text in enumerate(map(decodable, PAYLOADS.values())):  # the files of a run hold no half letters
        score = {"value": 1.0 + place, "floor": 0.5, "better": "lower", "n": 100}
        name = f"{place} {text}".encode("utf-8", "replace").decode().replace("/", "|")
        folder = write_run_once(
            name,
            [f"loss={text}", f"+{text}=1"],
            [(1000, 30.0, 5.0), (2000, 60.0, 4.0)],
            (2000, 3.0),
            hardware=text,
            scores={text: score, "fd": score, "=fd": score},
            sample=100,
        )
    write_run_once(f"unfinished {PAYLOADS['backticks']}", [f"loss={PAYLOADS['backticks']}"], [(10, 1.0, 2.0)])
    output = folder.parents[1] / "output"
    compare([folder.parent], output)
    return output


def assert_plain(reader):
    """No tag, attribute or address of a page comes from a text."""
    assert {tag for tag, _ in reader.tags} <= set(ALLOWED.split())
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for address in (attributes.get("src"), attributes.get("href")):
            assert address is None or re.match("data:image/|data:,$|#", address), address


def test_a_comparison_of_hostile_runs(comparison, read_page):
    reader = read_page(comparison / "comparison.html")
    assert_plain(reader)
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    for text in PAYLOADS.values():
        assert " ".join(visible(f"loss={text}").split()) in reader.shown


@pytest.mark.train
def test_home_pages_and_the_list_of_hostile_runs(comparison, read_page):
    runs = comparison.parent / "runs"
    folders = sorted(folder for folder in runs.iterdir() if (folder / "result.json").is_file())
    pages = [read_page(write_home(folder)) for folder in folders]
    pages.append(read_page(write_run_list(runs)))
    for reader in pages:
        assert {tag for tag, _ in reader.tags} <= set(ALLOWED.split())
        for tag, attributes in reader.tags:
            assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
            for address in (attributes.get("src"), attributes.get("href")):  # relative ones only, quoted
                own = r"data:,|#[\w-]+|(?![a-z]+:|/)[\w./%~-]+"
                assert address is None or re.fullmatch(own, address, re.ASCII), address
        assert sum(tag == "script" for tag, _ in reader.tags) == 1
    for text in PAYLOADS.values():
        assert any(" ".join(visible(f"loss={decodable(text)}").split()) in reader.shown for reader in pages[:-1]), text


def test_its_markdown_is_text(comparison, read_page, tmp_path):
    renderer = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable("table")
    written = (comparison / "comparison.md").read_text(encoding="utf-8")
    assert not re.search(r"<(?!/?code>)", written)  # also for a reader that knows no code spans
    (tmp_path / "page.html").write_text(renderer.render(written), encoding="utf-8")
    reader = read_page(tmp_path / "page.html")
    tags = {tag for tag, _ in reader.tags}
    assert tags <= set(IN_MARKDOWN.split())
    figures = {"scores.png", "loss.png", "grad_norm.png", "samples.png"}
    assert set(reader.values("src")) == figures
    for text in PAYLOADS.values():
        assert " ".join(visible(text).split()) in reader.shown
    for table in re.findall("<table>.*?</table>", renderer.render(written), flags=re.DOTALL):
        assert len({len(re.findall("<t[hd]", row)) for row in table.split("<tr>")[1:]}) == 1


def test_its_spreadsheets_hold_no_formula(comparison):
    for name in ("comparison.csv", "runs.csv", "pairs.csv"):
        with (comparison / name).open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert cell[:1] not in set("=+@\t\r"), cell
                    assert not cell.startswith("-") or float(cell) < 0


@pytest.fixture
def hostile_report(small_report):
    """The small report with payloads for every text that may come from elsewhere."""
    text, point = " ".join(PAYLOADS.values()), small_report.sections["second"].maps[0]
    points = point.positions, point.images, point.labels, point.generated
    nearest = None if point.nearest is None else replace(point.nearest, unit=text)
    known = [f"{text} {label}" for label in range(10)], point.predicted, point.confidence, nearest
    section = Section(
        text,
        text,
        pictures=[Picture("line", curves_figure([_panel(text)]), text, text)],
        tables=[
            Table("table", text, [Column("name", text), Column("=size", text, "number")], [[text, 1.0]], open=True)
        ],
        maps=[Map("map", text, text, *points, *known)],
        alarms=[Alarm(text, text, text)],
        values={text: text},
    )
    sections = {"hostile": section, **small_report.sections}
    provenance = {text: text}
    return replace(
        small_report, title=text, subject=text, sections=sections, provenance=provenance, failed={text: text}
    )


def _panel(text):
    return Panel(text, text, [Series(text, [0, 1], [1, 2])], x_label=text, references={text: 1.5})


@pytest.mark.train
def test_an_analysis_of_hostile_texts(hostile_report, tmp_path, read_page):
    reader = read_page(write_analysis(tmp_path, hostile_report))
    assert_plain(reader)
    assert reader.shown.count("alert(1)") > 10
    with (tmp_path / "hostile_table.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["name", "'=size"]


def test_no_script_of_a_text_runs_in_a_browser(chromium, comparison, hostile_report, tmp_path):
    from selenium.webdriver.support.wait import WebDriverWait

    pages = [write_analysis(tmp_path, hostile_report), comparison / "comparison.html"]
    for page in pages:
        chromium.get_log("browser")
        chromium.get(page.as_uri())  # an alert would make all that follows fail
        WebDriverWait(chromium, 30).until(
            lambda driver: driver.execute_script("return document.readyState") == "complete"
        )
        assert (
            chromium.execute_script("return document.querySelectorAll('[onerror], [onload], [onmouseover]').length")
            == 0
        )
        assert "alert(1)" in chromium.find_element("tag name", "main").text
        assert [entry["message"] for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_a_label_is_plain_text_and_an_svg_is_xml(text):
    encoded = encode(Picture("a", curves_figure([_panel(text)]), "", ""))
    root = ElementTree.fromstring(encoded.files[".svg"])
    tags = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert tags.isdisjoint({"img", "script", "foreignObject", "a"})
    assert not [name for each in root.iter() for name in each.attrib if name.lower().startswith("on")]


def test_a_dollar_is_drawn_as_a_dollar():
    pictures = []
    for text, parse in (("$x$", None), ("$x$", False), ("x", None)):
        figure = Figure(figsize=(2, 1))
        figure.text(0.1, 0.5, text, parse_math=parse)
        pictures.append(encode(Picture("a", figure, "", "")).files[".png"])
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize("text", PAYLOADS.values(), ids=PAYLOADS)
def test_the_table_of_an_evaluation_is_text(text):
    result = {"value": 1.0, "interval": None, "baselines": {}, "better": "lower"}
    result |= {"by_class": [1.0] * 10, "floor_by_class": None}
    for table in (as_markdown({text: result}), by_class_as_markdown({text: result}, list("0123456789"))):
        assert "<" not in table
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert len(table.splitlines()) == 3


def test_a_picture_that_cannot_be_drawn_leaves_the_others(small_report, tmp_path, read_page):
    from fmcgan.app.errors import Failures

    class Broken(Figure):
        def draw(self, renderer):
            raise RuntimeError("no such <font>")

    first = small_report.sections["first"]
    pictures = [Picture("broken", Broken(), "", ""), *first.pictures]
    report = replace(small_report, sections={**small_report.sections, "first": replace(first, pictures=pictures)})
    failures = Failures()
    reader = read_page(write_analysis(tmp_path, report, failures))
    assert failures.failed == {"first, figure broken": "RuntimeError: no such <font>"}
    assert "Failed parts and figures first, figure broken. RuntimeError: no such <font>" in reader.shown
    assert (tmp_path / "first_line.png").exists()
    assert not (tmp_path / "first_broken.png").exists()
    with pytest.raises(RuntimeError, match="no such"):
        write_analysis(tmp_path, report)
    assert Image.open(tmp_path / "first_line.png").size[0] > 100
