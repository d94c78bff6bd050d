import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmcgan.app.escaping import decodable, markdown, markdown_code, spreadsheet_cell, visible
from tests.hostile import PAYLOADS

anything = st.text(st.characters(codec=None), max_size=30) | st.text("`|<>&\\_*[]()$#\n\r\t ab\x1b\udcfc", max_size=30)
generated = settings(derandomize=True, max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def html():
    """Renders Markdown as GitHub does, raw HTML included."""
    renderer = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable("table")
    return renderer.render


def shown(page: str) -> str:
    from html import unescape

    assert set(re.findall(r"<(/?\w+)[^>]*>", page)) <= {"p", "/p", "code", "/code"}, page
    return unescape(re.sub("<[^>]*>", "", page)).strip()


@generated
@given(anything)
def test_markdown_shows_the_text_and_nothing_else(html, text):
    expected = visible(" ".join(text.split()))
    for written in (markdown(text), markdown_code(text)):
        assert shown(html(f"x {written} x")).split() == f"x {expected} x".split()


@generated
@given(anything)
def test_a_cell_stays_a_cell(html, text):
    page = html(f"| a | b | c |\n| --- | --- | --- |\n| {markdown(text)} | {markdown_code(text)} | last |\n")
    assert page.count("<td>") == 3
    assert page.count("<tr>") == 2
    assert "<td>last</td>" in page


def test_usual_names_stay_as_they_are():
    assert markdown("fd_classifier_10k_test") == "fd_classifier_10k_test"
    assert markdown("2 x AMD EPYC (threads)") == "2 x AMD EPYC (threads)"
    assert markdown_code("loss=wgan_gp, n_critic=5") == "`loss=wgan_gp, n_critic=5`"
    assert markdown_code("a|b") == "<code>a&#124;b</code>"


@generated
@given(anything)
def test_what_is_visible_can_be_stored_and_moves_no_cursor(text):
    seen = visible(text)
    seen.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", seen)
    assert visible(seen) == seen
    decodable(text).encode("utf-8")


def test_bytes_of_a_path_become_its_letters_again():
    assert decodable("L\udcc3\udca4ufe M\udcfcller") == "Läufe M\\xfcller"
    assert visible("\x1b[2J a\tb\n") == "\\x1b[2J a\tb\n"


@pytest.mark.parametrize("text", ["=1+1", "+a.b=1", "-x", "@x", *PAYLOADS.values()])
def test_no_cell_of_a_spreadsheet_is_a_formula(text):
    content = io.StringIO()
    csv.writer(content).writerow([spreadsheet_cell(text), spreadsheet_cell(-1.5), spreadsheet_cell(None)])
    first, number, nothing = next(csv.reader(io.StringIO(content.getvalue(), newline="")))
    assert first[:1] not in set("=+-@\t\r")
    assert first.removeprefix("'") == visible(text)
    assert (number, nothing) == ("-1.5", "")
