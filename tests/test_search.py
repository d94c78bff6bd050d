"""A search from the command line: killed and started again, interrupted and resumed, and what it refuses."""

import json
import time

import pytest

from fmcgan.app.run_files import read_result

optuna = pytest.importorskip("optuna", reason='Optuna is not installed: pip install "fmcgan[search]"')

FD = "fd_classifier_100_test"
TINY = (
    *("-m", "experiment=smoke", "search=learning_rates", "logger=[]", "metric=[frechet]", "trainer.max_epochs=2"),
    *("callback=[metrics_logger,evaluation,checkpointing,run_info]", "callback.evaluation.n=100"),
    *("trainer.limit_train_batches=4", "hydra.sweep.dir=search", "hydra.sweeper.pruner.n_startup_trials=3"),
)


def study(folder):
    return optuna.load_study(study_name="fmcgan", storage=f"sqlite:///{folder}/search/study.db")


def wait_for(condition, process, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_twelve_trials_killed_in_the_middle_go_on_and_beat_the_first(start, command, tmp_path):
    search = [*TINY, "hydra/sweeper=optuna", f"objective={FD}", "hydra.sweeper.n_trials=12"]
    first = start("train", *search)
    interrupted = tmp_path / "search" / "trial_003"
    wait_for((interrupted / "checkpoints" / "last.ckpt").is_file, first)
    first.kill()
    first.communicate()
    before = {trial.number: trial.values for trial in study(tmp_path).trials if trial.state.is_finished()}
    assert set(before) in ({0, 1, 2}, {0, 1, 2, 3})  # it may have ended just then
    results = {
        number: (tmp_path / "search" / f"trial_00{number}" / "result.json").stat().st_mtime_ns for number in (0, 1)
    }
    told = command("train", *search)
    log = told.stdout + told.stderr
    assert ("trial_003 was interrupted: it goes on from its last checkpoint" in log) == (3 not in before)
    trials = study(tmp_path).trials
    assert [trial.number for trial in trials] == list(range(12))
    assert all(trial.state.is_finished() for trial in trials)
    assert before == {number: trials[number].values for number in before}
    for number, written in results.items():  # they are not trained again
        assert (tmp_path / "search" / f"trial_00{number}" / "result.json").stat().st_mtime_ns == written
    best = study(tmp_path).best_trial
    assert best.value < trials[0].value
    assert (
        read_result(tmp_path / "search" / f"trial_{best.number:03}" / "result.json")["scores"][FD]["value"]
        == best.value
    )
    assert f"best: trial_{best.number:03}, {FD} " in log
    for trial in trials:
        mark = tmp_path / "search" / f"trial_{trial.number:03}" / "error.json"
        assert mark.exists() == (trial.state.name == "PRUNED")
        if mark.exists():
            assert json.loads(mark.read_text(encoding="utf-8"))["status"] == "pruned"
    assert log.count("  finished     trial_") + log.count("  pruned       trial_") == 12
    again = command("train", *search)
    assert "run folder" not in again.stdout + again.stderr  # it has its twelve trials


def test_what_a_search_refuses_is_one_line(command, tmp_path):
    for given, message in (
        (
            (),
            f"error: a search needs objective=NAME, or objective=[NAME,NAME]; scores of this run: {FD}",
        ),
        (("objective=fid",), f"error: objective=fid is no score of this run; its scores: {FD}"),
    ):
        told = command("train", *TINY, *given, code=1)
        assert [line for line in told.stderr.splitlines() if line.startswith("error")] == [message]
        assert "Traceback" not in told.stderr
    assert not (tmp_path / "search").exists()
    told = command("train", *[each for each in TINY if each != "-m"], f"objective={FD}", code=1)
    assert "error: search=learning_rates is a search of several runs: add -m" in told.stderr
