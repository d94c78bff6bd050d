import json

import pytest

from fmcgan.app.errors import UserError
from study import results_store


def entry(arm, seed, images=1):
    return {"arm": arm, "seed": seed, "images_seen": images, "parameters": {}, "scores": {}}


def test_a_new_run_takes_the_place_of_the_old_one_and_the_order_is_that_of_the_arms():
    old = [entry("other", 1), entry("b", 10), entry("a", 2), entry("b", 2)]
    merge_entries = results_store.merge_entries(old, [entry("b", 2, images=7), entry("c", None)], ["c", "b", "a"])
    assert [(each["arm"], each["seed"]) for each in merge_entries] == [
        *(("c", None), ("b", 2), ("b", 10), ("a", 2), ("other", 1)),
    ]
    assert [each["images_seen"] for each in merge_entries] == [1, 7, 1, 1, 1]


def test_runs_are_written_beside_what_else_is_there_and_forgotten_by_arm(tmp_path):
    values = tmp_path / "docs" / "study.json"
    assert results_store.read(values) == []
    results_store.write(values, [entry("a", 1), entry("a", 2), entry("b", 1)])
    values.write_text(json.dumps(json.loads(values.read_text(encoding="utf-8")) | {"speed": {"seconds": 600}}))
    assert results_store.forget(values, ["a", "c"]) == 2
    assert results_store.read(values) == [entry("b", 1)]
    assert results_store.content(values)["speed"] == {"seconds": 600}
    assert results_store.done(results_store.read(values)) == {("b", 1)}


def test_a_kept_run_says_what_the_run_said_and_no_score_beside_the_table(tmp_path, write_run):
    from fmcgan.comparison.runs import read_run

    write_run("study-base", 4, FD=2.0, agreement=0.9)
    run = read_run(tmp_path / "runs" / "study-base" / "seed_4")
    name = "fd_classifier_10k_test"
    again = results_store.as_run(
        results_store.new_entry("study/base", run, run.result["scores"], [name, "not_measured"])
    )
    assert again.finished
    assert (again.seed, again.images_seen) == (4, 600)
    assert again.result["parameters"] == run.result["parameters"]
    assert again.result["scores"] == {name: run.result["scores"][name]}


def test_a_kept_run_says_when_on_what_and_with_what_it_was_made(tmp_path, write_run):
    from fmcgan.comparison.runs import read_run

    write_run("study-base", 4, FD=2.0)
    folder = tmp_path / "runs" / "study-base" / "seed_4"
    known = {"date": "2026-01-02T03:04:05+00:00", "hardware": "CPU Example, 1 threads", "packages": {"torch": "2.9"}}
    for git, commit in (({"commit": "0123", "changed": False}, "0123"), (None, None)):
        (folder / "environment.json").write_text(json.dumps(known | {"git": git}))
        entry = results_store.new_entry("study/base", read_run(folder), {}, [])
        made = {"date": known["date"], "hardware": known["hardware"], "commit": commit, "torch": "2.9"}
        assert (entry["made"], entry["seconds"]) == (made, 60.0)


def test_a_failure_is_kept_until_the_run_is_trained_or_forgotten(tmp_path):
    values = tmp_path / "study.json"
    failure = {"arm": "a", "seed": 3, "why": "loss is nan"}
    results_store.add_failure(values, failure | {"why": "another"})
    results_store.add_failure(values, failure)
    results_store.add_failure(values, failure | {"arm": "b"})
    results_store.write(values, [entry("a", 1)])
    assert results_store.failures(values) == [failure, failure | {"arm": "b"}]
    results_store.write(values, [entry("a", 1), entry("a", 3)])
    assert results_store.failures(values) == [failure | {"arm": "b"}]
    assert results_store.forget(values, ["b"]) == 1
    assert results_store.content(values) == {"failed": [], "runs": [entry("a", 1), entry("a", 3)]}


def test_a_damaged_file_is_named(tmp_path):
    values = tmp_path / "study.json"
    values.write_text("{")
    with pytest.raises(UserError, match=r"study\.json cannot be read"):
        results_store.read(values)
