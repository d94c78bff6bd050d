import base64
import csv
import io
import json
import math
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from fmcgan.analysis.effect import Difference, Effect
from fmcgan.analysis.findings import adjust_effects
from fmcgan.analysis.section import Column, Picture, Section
from fmcgan.report import html
from fmcgan.report.analysis_page import Report, write_analysis
from fmcgan.report.html import NO_VALUE, SHOWN_ROWS, TEMPLATES, Cell, cell


@pytest.fixture(scope="module")
def written(small_report, tmp_path_factory):
    return write_analysis(tmp_path_factory.mktemp("report"), small_report)


@pytest.fixture
def reader(written, read_page):
    return read_page(written)


def test_a_page_is_one_file(reader):
    assert all(address.startswith("data:image/") for address in reader.values("src"))
    assert all(address == "data:," or address.startswith("#") for address in reader.values("href"))
    assert not [tag for tag, _ in reader.tags if tag in ("iframe", "object", "embed", "base")]
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert "url(" not in css
    assert "@import" not in css


def test_links_lead_somewhere(reader):
    ids = Counter(reader.values("id"))
    assert max(ids.values()) == 1
    assert {address.removeprefix("#") for address in reader.values("href") if address != "data:,"} <= ids.keys()
    assert "first-line" in ids  # where the first finding says it is best seen
    assert "#first-line" in reader.values("href")
    assert set(reader.values("for")) <= ids.keys()
    assert set(reader.values("aria-controls")) <= ids.keys()
    assert {name for names in reader.values("aria-labelledby") for name in names.split()} <= ids.keys()


def test_headings_are_in_order_and_images_have_words(reader):
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    images = [attributes for tag, attributes in reader.tags if tag == "img"]
    above = [attributes for attributes in images if attributes.get("class") == "words"]
    assert len(above) == 2  # of question and answers, which have words of their own
    assert {attributes["alt"] for attributes in above} == {""}
    images = [attributes for attributes in images if attributes not in above]
    assert len(images) == 8  # samples, question, answers, a strip, two pictures and the two frames of a film
    assert all(attributes["alt"] for attributes in images)


def test_everything_is_escaped(reader, small_report):
    for text in ("Bags are <b>wider</b> & flatter.", "What <i>was</i> done.", "A <line>.", "Analysis of <samples>"):
        assert text in reader.shown
    assert "python -m fmcgan.analyze <x>" in reader.shown
    assert not {"b", "i", "line", "samples", "x"} & {tag for tag, attributes in reader.tags if not attributes} - {"b"}
    assert 'Falls from "1" to 0.' in reader.values("aria-label", "svg")


def test_order_of_the_page(reader):
    parts = [
        "Analysis of <samples>",
        "40 images & nothing else",
        "Fréchet distance",
        "0.475 above real images",
        "n = 40",
    ]
    parts[2:2] = ["One alarm", "Rule: more than 95 %"]
    parts += ["3 differences between", "Bags are", "Boots lean.", "Trousers look", "What <i>was</i> done."]
    parts += ["A wide one.", "Figures: line, grid, moving, last", "A <line>.", "One image.", "It blinks."]
    parts += ["Many rows", "Table: few", "Few <rows>"]
    parts += ["Maps.", "Provenance command"]
    places = [reader.shown.index(part) for part in parts]  # the picture marked as the lead stands before the others
    assert places == sorted(places)
    assert "3 of 4 measured differences" in reader.shown
    assert "Nothing." not in reader.shown


def test_only_some_differences_are_called_the_largest(small_report, tmp_path, read_page):
    shown = read_page(write_analysis(tmp_path, replace(small_report, findings=small_report.findings[:2]))).shown
    assert "The 2 largest differences" in shown  # of three


def test_files_beside_the_page(written, reader, small_report):
    names = {path.name for path in written.parent.iterdir()}
    charts = {f"first_{name}.{suffix}" for name in ("line", "wide") for suffix in ("png", "svg", "pdf")}
    assert names == charts | {
        "report.html",
        "findings.json",
        "samples.png",
        "first_grid.png",
        "first_last.png",
        "first_moving.gif",
        "first_many.csv",
        "first_few.csv",
    }
    with Image.open(written.parent / "first_grid.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(small_report.sections["first"].pictures[2].content))
    embedded = [base64.b64decode(address.partition(",")[2]) for address in reader.values("src")]
    assert (written.parent / "first_moving.gif").read_bytes() not in embedded  # it would move by itself
    assert [address.partition(";")[0] for address in reader.values("src")].count("data:image/webp") == 10
    shown = [np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in embedded]
    for name in ("samples.png", "first_grid.png"):
        with Image.open(written.parent / name) as image:
            assert any(np.array_equal(np.asarray(image.convert("RGB")), each) for each in shown), name


def test_csv_holds_all_digits(written):
    with (written.parent / "first_many.csv").open() as file:
        head, *rows = csv.reader(file)
    assert head == ["name", "count", "size", "part"]
    assert [float(row[2]) for row in rows if row[2]] == [place / 7 for place in range(40) if place != 3]
    assert rows[3] == ["row 3", "21", "", "0.075"]


def test_findings_json(written):
    found = json.loads((written.parent / "findings.json").read_text(encoding="utf-8"))
    assert [each["key"] for each in found["findings"]] == ["first/bag/<w>", "second/tilt", "second/cell"]
    first, *_, nothing = found["effects"]
    assert first["difference"] == {
        "size": -2.0,
        "low": pytest.approx(-2 - 1.959964 * 0.1),
        "high": pytest.approx(-2 + 1.959964 * 0.1),
        "p_value": 1e-9,
    }
    assert first["holds"]
    ranks = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert first["adjusted_p"] == pytest.approx(1e-9 * 4 * ranks)  # Benjamini and Yekutieli, rank 1 of 4
    assert first["classes"] == [8]
    assert not nothing["holds"]
    assert nothing["difference"]["low"] is None  # infinite, which JSON cannot say
    assert found["alarms"][0]["section"] == "first"
    assert found["values"]["first"] == {"area": 0.25, "unknown": None}
    assert found["values"]["scores"]["fd_classifier_10k_test"]["value"] == 0.5


def test_tables(reader):
    heads = [attributes.get("class") for tag, attributes in reader.tags if tag == "th" and attributes["scope"] == "col"]
    assert heads[:6] == [None, "number", "number", "number", None, "number"]
    assert len(heads) == 6 + 4  # the classes of the confusion matrix
    keys = reader.values("data-key", "td")
    assert len(keys) == 3 * 40 + 2
    assert keys[:3] == ["0.0", "0.0", "0.0"]
    assert keys[3 * 3 + 1] == ""
    assert "12,345" in reader.shown
    assert "0.857 15.0 %" in reader.shown  # 6 / 7 and 6 / 40
    # One table of the two has more rows than are shown at first, and the style sheet knows how many that are.
    assert reader.values("for") == ["reveal", "first-many-all"]
    assert f"nth-child(n + {SHOWN_ROWS + 1})" in (TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert "All 40 rows" in reader.shown


@pytest.mark.parametrize(
    ("value", "column", "shown", "key"),
    [
        (None, Column("a", "A", "whole"), NO_VALUE, None),
        (math.nan, Column("a", "A", "number"), NO_VALUE, None),
        (-math.inf, Column("a", "A", "number"), "-∞", -math.inf),
        (1234567, Column("a", "A", "whole"), "1,234,567", 1234567.0),
        (0.12345, Column("a", "A", "percent", 1), "12.3 %", 0.12345),
        (np.float32(0.5), Column("a", "A", "number", 3), "0.500", 0.5),
        ("two", Column("a", "A", "number"), "two", None),
        (7, Column("a", "A"), "7", None),
        (Cell("1 ± 2", 1.0, True), Column("a", "A"), "1 ± 2", 1.0),
    ],
)
def test_cells(value, column, shown, key):
    assert (cell(value, column).text, cell(value, column).key) == (shown, key)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.024636, "0.02464"), (12.0, "12"), (99999.4, "99,999"), (None, NO_VALUE), (math.inf, "∞"), (3e-7, "3e-07")],
)
def test_short_numbers(value, text):
    assert html.short(value) == text


def test_no_finding_is_said(tmp_path, read_page):
    effects = adjust_effects([Effect("a/b", "A.", Difference(0.1, 0.1, 0.3), Difference(0.0, 0.0, 1.0))])
    report = Report("T", "S", {}, [], effects, Image.new("L", (4, 4)), {})
    path = write_analysis(tmp_path, report)
    shown = read_page(path).shown
    assert "None of the 1 measured differences" in shown
    assert "alarm" not in shown
    assert path.stat().st_size < 30_000


def test_the_head_says_what_was_found_of_what(reader):
    assert "Alarm: the discriminator wins; largest difference: bags are <b>wider</b>." in reader.shown
    assert "run <outputs>" in reader.shown
    (answers,) = [alt for alt in reader.values("alt") if "framed" in alt]
    assert "<bag>: " in answers


def test_a_finding_shows_its_images_meaning_and_numbers(reader):
    assert "generated: <g>" in reader.values("alt")
    assert "real <r> none" in reader.shown  # no image to show
    assert "A <wide> bag is wide." in reader.shown
    assert "Effect size 2.00 [1.80, 2.20], floor at most 0.07, adjusted p 8.3e-09" in reader.shown


@pytest.mark.train
def test_a_page_that_would_be_too_large_leaves_collapsed_pictures_to_their_files(
    small_report, written, tmp_path, monkeypatch, read_page
):
    """Noise of 400 x 400 pixels is encoded with losses; if that is not enough, it and others are left out."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400), dtype=np.uint8))
    first = small_report.sections["first"]
    pictures = [*first.pictures, Picture("noise", noise, "Much noise.", "Noise, too much.")]
    report = replace(small_report, sections={**small_report.sections, "first": replace(first, pictures=pictures)})
    usual = write_analysis(tmp_path / "usual", report).stat().st_size
    shown = {}
    for name, limit in (("lossy", usual - 10_000), ("without", usual - 200_000), ("impossible", 1)):
        monkeypatch.setattr("fmcgan.report.analysis_page.LARGEST_PAGE", limit)
        path = write_analysis(tmp_path / name, report)
        reader = read_page(path)
        shown[name] = reader.values("alt") + reader.values("aria-label", "svg")
        assert path.stat().st_size <= limit or limit == 1
        with Image.open(tmp_path / name / "first_noise.png") as image:  # the file has no losses
            np.testing.assert_array_equal(np.asarray(image), np.asarray(noise))
    assert "Noise, too much." in shown["lossy"]
    assert "Noise, too much." not in shown["without"]
    assert 'Falls from "1" to 0.' in shown["impossible"]  # a finding links to it
    assert "Falls too. <panel> 1" in shown["impossible"]  # it leads
    assert "Black, then white." not in shown["impossible"]
    assert "see the files first_moving.*" in read_page(path).shown


def test_findings_lead_to_their_points_if_there_is_a_map(written, small_report, tmp_path, read_page):
    found = [each for tag, each in read_page(written).tags if tag == "a" and "data-filter" in each]
    assert [(each["href"], each["data-filter"]) for each in found] == [
        ("#second-map", "8"),
        ("#second-map", "9"),
        ("#second-map", "1:3"),
    ]
    sections = {"first": small_report.sections["first"]}
    without = read_page(write_analysis(tmp_path / "without", replace(small_report, sections=sections)))
    assert not without.values("data-filter")
    assert len(without.values("type", "script")) == 0


def test_the_page_says_its_size(written):
    said = re.search(r"size of this page</dt>\s*<dd>([0-9.]+) MB", written.read_text(encoding="utf-8"))
    assert float(said[1]) == pytest.approx(written.stat().st_size / 1e6, abs=0.051)


@pytest.mark.train
def test_the_same_report_gives_the_same_files(small_report, tmp_path):
    first, second = (write_analysis(tmp_path / name, small_report) for name in "ab")
    for path in first.parent.iterdir():
        assert path.read_bytes() == (second.parent / path.name).read_bytes(), path.name


def test_files_of_an_earlier_analysis_are_removed_and_no_others(small_report, tmp_path):
    write_analysis(tmp_path, small_report)
    (tmp_path / "mine.png").touch()
    before = {path.name for path in tmp_path.iterdir()}
    write_analysis(tmp_path, replace(small_report, sections={}))
    assert {path.name for path in tmp_path.iterdir()} == {"samples.png", "findings.json", "report.html", "mine.png"}
    assert len(before) > 6


def test_a_section_of_words_alone(tmp_path, read_page):
    report = Report("T", "S", {"a": Section("Heading", "Introduction.")}, [], [], Image.new("L", (4, 4)), {})
    reader = read_page(write_analysis(tmp_path, report))
    assert "Heading Introduction." in reader.shown
    assert not {"figure", "table", "details"} & {tag for tag, _ in reader.tags} - {"figure"}


def test_long_names_may_be_broken_after_an_underscore():
    assert html.breakable("fd_<x>") == "fd_<wbr>&lt;x&gt;"


@pytest.mark.parametrize(
    ("leading", "order", "shown"),
    [("", "", 0), ("000", "012", 3), ("0000", "0123", 2), ("00010", "30124", 1), ("11110000", "01234567", 4)],
)
def test_many_pictures_are_folded_away(leading, order, shown):
    pictures = [Picture(str(place), b"", "", "", lead=lead == "1") for place, lead in enumerate(leading)]
    first, rest = html.in_order(pictures)
    assert "".join(each.name for each in first + rest) == order
    assert len(first) == shown
