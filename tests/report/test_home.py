"""The home page of a run."""

import json
import shutil
from pathlib import Path

import pytest

from fmcgan.app.run_dir import HOME, run_name
from fmcgan.report import home
from fmcgan.report.home import commands, refresh_home, update_home, write_home

SCORE = {"value": 0.27, "floor": 0.024, "better": "lower", "n": 10_000, "interval": [0.25, 0.29], "title": "Distance"}


@pytest.fixture
def run(write_run, tmp_path, monkeypatch):
    """A finished run below ``outputs`` of the current folder, with two grids."""
    rows = [(500, 30.0, 3.0), (1000, 60.0, 2.0)]
    made = write_run("a", ["loss=hinge", "seed=3", "name=a"], rows, (1000, 2.0), sample=90, scores={"fd_<b>": SCORE})
    folder = tmp_path / "outputs" / "a b"
    folder.parent.mkdir()
    made.rename(folder)
    shutil.copy(folder / "samples" / "epoch_001.png", folder / "loss.png")
    monkeypatch.chdir(tmp_path)
    return folder


def test_every_link_leads_to_a_file_of_the_run(run, read_page):
    reader = read_page(write_home(run))
    links = {*reader.values("href", "a"), *reader.values("src", "img")}
    assert {"samples/epoch_001.png", "samples/epoch_002.png", "loss.png", "result.json"} <= links
    for link in links:
        assert (run / link).is_file(), link
    assert all(reader.values("alt", "img"))


def test_it_says_what_the_run_is_and_what_it_measured(run, read_page):
    shown = read_page(write_home(run)).shown
    for text in ("loss=hinge", "Distance (fd_<b>)", "0.27", "0.25 to 0.29", "0.024", "1,000 images in 1.0 minutes"):
        assert text in shown, text
    assert "name=a" not in shown
    assert run_name(run) == "a b"


def test_grids_are_a_film_in_the_order_of_the_epochs(run, read_page):
    shutil.copy(run / "samples" / "epoch_002.png", run / "samples" / "epoch_1000.png")
    (run / "samples" / "epoch_2000.png").mkdir()  # no picture
    (run / "samples" / "other.png").write_text("no grid")
    frames = [tag for tag in read_page(write_home(run)).tags if tag[0] == "img" and "samples" in tag[1]["src"]]
    assert [attributes["alt"] for _, attributes in frames] == ["epoch 1", "epoch 2", "epoch 1000"]
    assert ["hidden" in attributes for _, attributes in frames] == [True, True, False]


def test_pages_that_exist_are_linked_and_their_commands_come_last(run, read_page):
    assert [command.split()[2] for command, _ in commands(run)][:3] == [
        "fmcgan.generate",
        "fmcgan.analyze",
        "fmcgan.evaluate",
    ]
    assert "'run=\"outputs/a b\"'" in commands(run)[0][0]
    (run / "analysis").mkdir()
    (run / "analysis" / "report.html").write_text("")
    (run / "evaluation.json").write_text(json.dumps({"scores": {"other": SCORE}, "images_seen": 1000}))
    reader = read_page(write_home(run))
    assert "analysis/report.html" in reader.values("href", "a")
    assert "Distance (other)" in reader.shown
    assert [command.split()[2] for command, _ in commands(run)][1:3] == ["fmcgan.evaluate", "fmcgan.analyze"]


@pytest.mark.parametrize("name", ["result.json", "environment.json", ".hydra/overrides.yaml", "evaluation.json"])
def test_a_damaged_file_costs_its_own_part_alone(run, name, caplog):
    (run / name).write_text("{[")
    page = write_home(run).read_text(encoding="utf-8")
    assert "samples/epoch_002.png" in page
    assert Path(name).name in caplog.text


def test_a_page_that_cannot_be_written_is_one_line(run, caplog, monkeypatch):
    (run / HOME).mkdir()
    update_home(run)
    assert len(caplog.messages) == 1
    assert str(HOME) in caplog.text
    monkeypatch.setattr(home, "write_home", lambda folder: 1 / 0)
    update_home(run)
    assert len(caplog.messages) == 2


def test_only_a_run_folder_with_new_results_is_refreshed(run, tmp_path):
    refresh_home(run, tmp_path / "elsewhere")
    refresh_home(tmp_path, tmp_path)  # a checkpoint that lies in the folder of something else
    refresh_home(None, tmp_path)
    assert not (run / HOME).exists()
    assert not (tmp_path / HOME).exists()
    refresh_home(run, run / "analysis")
    assert (run / HOME).is_file()


@pytest.mark.train
def test_the_curves_and_an_evaluation_are_charts(run, read_page):
    score = {**SCORE, "by_class": [0.1] * 10, "floor_by_class": [0.2] * 10}
    findings = {"agreement_matrix": [[int(row == column) for column in range(10)] for row in range(10)]}
    (run / "evaluation.json").write_text(json.dumps({"scores": {"fd": score}, "findings": findings}))
    reader = read_page(write_home(run))
    names = [each["aria-label"].partition(" ")[0] for tag, each in reader.tags if tag == "svg" and "role" in each]
    assert names == ["Conditioned", "Metrics", "Losses", "Gradient"]
    assert "var(--chart-generator)" in (run / HOME).read_text(encoding="utf-8")
    findings["agreement_matrix"][0] = [1]  # not a table: costs its chart alone
    (run / "evaluation.json").write_text(json.dumps({"scores": {"fd": score}, "findings": findings}))
    assert len(read_page(write_home(run)).values("role", "svg")) == 3
