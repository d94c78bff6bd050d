import json
import subprocess
import sys

import numpy as np
import pytest

from fmcgan.app.errors import UserError
from fmcgan.comparison.runs import find_runs, read_run


def test_reads_what_was_written(write_run):
    run = read_run(write_run("0", ["loss=a", "seed=3"], [(1000, 10.0, 9.0), (2000, 21.0, 7.0)], (2000, 7.0), seed=3))
    assert run.overrides == ("loss=a", "seed=3")
    assert run.seed == 3
    assert run.finished
    assert (run.images_seen, run.seconds) == (2000, 60.0)
    images, scores = run.curve("score/fd")
    np.testing.assert_array_equal(images, [1000, 2000])
    np.testing.assert_array_equal(scores, [9, 7])
    seconds, losses = run.curve("loss/generator", "seconds")
    np.testing.assert_array_equal(seconds, [10, 21])
    np.testing.assert_array_equal(losses, [10, 20])
    assert run.curve("no/such")[0].shape == (0,)


def test_final_scores_are_an_evaluation_unless_a_row_holds_them(write_run):
    written = read_run(write_run("0", [], [(2000, 59.0, 7.0)], (2000, 7.0)))
    assert [row["images_seen"] for row in written.evaluations] == [2000]
    only_in_the_result = read_run(write_run("1", [], [(1000, 20.0, 9.0)], (2000, 7.0)))
    assert only_in_the_result.evaluations[-1] == {"images_seen": 2000, "seconds": 60.0, "score/fd": 7.0}


def test_unfinished_run(write_run):
    folder = write_run("0", ["loss=a"], [(1000, 10.0, 9.0)], seed=5)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"images_seen": 1100, "epo')  # killed while it wrote
    run = read_run(folder)
    assert (run.finished, run.result, run.seed, run.images_seen, run.seconds) == (False, None, 5, 1000, 10.0)


def test_run_that_failed_at_once(tmp_path):
    (tmp_path / "train.log").write_text("")
    run = read_run(tmp_path)
    assert (run.overrides, run.seed, run.rows, run.images_seen) == ((), None, (), 0)


def test_result_of_another_status_is_not_finished(write_run):
    folder = write_run("0", [], [], (2000, 7.0))
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    (folder / "result.json").write_text(json.dumps(result | {"status": "interrupted"}))
    assert not read_run(folder).finished


def test_null_is_nan(write_run):
    folder = write_run("0", [], rows=[{"images_seen": 5, "seconds": 1.0, "loss/generator": None}])
    assert np.isnan(read_run(folder).curve("loss/generator")[1]).tolist() == [True]


@pytest.mark.parametrize("name", ["result.json", "config.yaml"])
def test_damaged_file_is_named(write_run, name):
    folder = write_run("0", [], [], (2000, 7.0))
    (folder / name).write_text("{")
    with pytest.raises(UserError, match=name):
        read_run(folder)


def test_finds_runs_in_the_order_of_their_numbers(write_run, tmp_path):
    expected = [write_run(f"sweep/{number}_loss-a", []) for number in (0, 1, 2, 10)]
    expected += [write_run("test", [])]
    (tmp_path / "runs" / "sweep" / "notes").mkdir()
    assert find_runs(tmp_path) == expected
    assert find_runs(expected[1]) == [expected[1]]


def test_nothing_found_is_said(tmp_path):
    with pytest.raises(UserError, match=r"there is no folder .*missing"):
        find_runs(tmp_path / "missing")
    with pytest.raises(UserError, match="no run found in"):
        find_runs(tmp_path)
    with pytest.raises(UserError, match="is not a run folder"):
        read_run(tmp_path)


@pytest.mark.process
def test_neither_torch_nor_pyplot_is_imported():
    code = "import sys, fmcgan.comparison.comparison; print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
