"""The files of a leaderboard, and its page in a browser."""

import csv
import json

import pytest

from fmcgan.ranking.page import as_text, write_board
from tests.ranking.drawn import NAME, drawn_board


@pytest.fixture
def written(tmp_path):
    write_board(tmp_path, drawn_board(), {"command": "leaderboard <samples>"})
    return tmp_path


def test_the_json_holds_ranks_ties_and_reasons(written):
    record = json.loads((written / "leaderboard.json").read_text(encoding="utf-8"))
    ranks = [(each["name"], each["rank"], len(each["tied_with"])) for each in record["submissions"]]
    tied = "<script>alert(1)</script>"
    assert ranks == [("copier", None, 0), ("winner", 1, 0), ("second", 2, 1), (tied, 2, 1), ("fourth", 4, 0)]
    assert record["baselines"] == {"real": {NAME: 0.1}, "uniform noise": {NAME: 99.0}}
    assert list(record["failed"]) == ["damaged"]


def test_the_csv_holds_all_rows_in_their_order(written):
    with (written / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["", "", "1", "2", "2", "4", ""]
    assert [float(row[NAME]) for row in rows] == [0.1, 0.5, 1.0, 2.0, 2.5, 9.0, 99.0]
    assert rows[1]["copies_of_training_images"] == "100"


def test_the_terminal_has_80_columns():
    lines = as_text(drawn_board("x" * 100), 80).splitlines()
    assert max(map(len, lines)) <= 80
    (copier,) = [line for line in lines if "copier" in line]
    assert "no rank" in copier
    assert [line.split()[0] for line in lines[3:-1]][1:4] == ["1", "2=", "2="]


def test_the_page_stands_alone_and_escapes_names(written):
    html = (written / "leaderboard.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    assert "(<b>)" not in html
    assert ' src="http' not in html
    assert {each.name for each in written.iterdir()} == {f"leaderboard.{each}" for each in ("html", "csv", "json")}


def test_the_page_shows_the_ranking_on_a_phone(written, chromium):
    chromium.get((written / "leaderboard.html").as_uri())
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        assert chromium.execute_script(widths) == [390, 390]
        places = chromium.find_elements("css selector", ".places > li")
        assert [each.find_element("css selector", ".rank").text for each in places] == [
            "—",
            "—",
            "1",
            "2",
            "2",
            "4",
            "—",
        ]
        assert [each.get_attribute("class") for each in places[:3]] == ["baseline", "copies", "ranked"]
        shown = "return [...document.images].every((each) => each.complete && each.naturalWidth > 0)"
        assert chromium.execute_script(shown)
        assert [each for each in chromium.get_log("browser") if each["level"] == "SEVERE"] == []
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
