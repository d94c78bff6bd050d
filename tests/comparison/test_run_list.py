"""The list of runs in ``outputs/index.html``."""

import json
import os
import subprocess
import sys

import pytest

from fmcgan.app.run_dir import HOME
from fmcgan.comparison.run_list import update_run_list, write_run_list

SCORES = {
    name: {"value": value, "floor": 0.5, "better": "lower", "n": 100, "interval": None}
    for name, value in (("fd_100_test", 1.25), ("other", 7.5))
}


@pytest.fixture
def outputs(write_run, tmp_path, monkeypatch):
    """Two runs of ``outputs`` of the current folder, a job of a sweep, a failed run, and one elsewhere."""
    for name in ("day/one", "multirun/two/job", "elsewhere"):
        write_run(name, [f"loss={name[-1]}", "seed=4"], final=(1000, 2.0), seed=4, scores=SCORES)
    write_run("failed", ["loss=x"])
    (tmp_path / "runs" / "elsewhere").rename(tmp_path / "elsewhere")
    (tmp_path / "runs").rename(tmp_path / "outputs")
    outputs = tmp_path / "outputs"
    (outputs / "multirun" / "two" / "multirun.yaml").write_text("")
    (outputs / "multirun" / "two" / "comparison").mkdir()
    (outputs / "multirun" / "two" / "comparison" / "comparison.html").write_text("")
    (outputs / "failed" / "error.json").write_text(json.dumps({"status": "failed", "message": "no"}))
    monkeypatch.chdir(tmp_path)
    return outputs


def test_all_runs_are_listed_with_recipe_scores_and_state(outputs, read_page):
    (outputs / "day" / "one" / HOME).write_text("")
    reader = read_page(write_run_list(outputs))
    links = reader.values("href", "a")
    assert {"day/one/index.html", "multirun/two/job/", "failed/", "multirun/two/comparison/comparison.html"} <= set(
        links
    )
    for link in links:
        assert (outputs / link).exists(), link
    for text in ("3 runs", "loss=e", "1.25 (real 0.5)", "7.5 (real 0.5)", "FAILED", "multirun/two"):
        assert text in reader.shown, text


def test_the_newest_run_comes_first(outputs):
    os.utime(outputs / "day" / "one" / "result.json", (1, 1))
    page = write_run_list(outputs).read_text(encoding="utf-8")
    assert page.index("multirun/two/job/") < page.index("day/one/")


def test_a_run_elsewhere_leaves_the_list_and_its_own_surroundings_alone(outputs, tmp_path):
    update_run_list(tmp_path / "elsewhere")
    assert not list(tmp_path.rglob(HOME))
    update_run_list(outputs / "day" / "one")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob(HOME)] == ["outputs/index.html"]


def test_a_damaged_run_is_listed_without_its_values(outputs, caplog, read_page):
    (outputs / "day" / "one" / "result.json").write_text("{")
    reader = read_page(write_run_list(outputs))
    assert "loss=e" in reader.shown
    assert "result.json" in caplog.text


def test_a_list_that_cannot_be_written_is_one_line(outputs, caplog):
    (outputs / HOME).mkdir()
    update_run_list(outputs / "day" / "one")
    assert len(caplog.messages) == 1


FINISH = """
import shutil, sys
from pathlib import Path
from fmcgan.comparison.run_list import update_run_list

shutil.copytree("outputs/day/one", sys.argv[1])
update_run_list(Path(sys.argv[1]))
"""


@pytest.mark.process
def test_runs_that_end_together_are_all_listed(outputs):
    """Each copies a finished run, as the end of a training leaves it, and then writes the list."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    names = [f"run-{number}" for number in range(4)]
    ended = [subprocess.Popen([sys.executable, "-c", FINISH, f"outputs/{name}"], env=environment) for name in names]
    assert [each.wait(timeout=120) for each in ended] == [0] * len(names)
    page = (outputs / HOME).read_text(encoding="utf-8")
    assert all(f"{name}/" in page for name in names)
