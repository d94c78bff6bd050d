"""The section of a search on the page of a comparison."""

import logging
import sys

import numpy as np
import pytest
from PIL import Image

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.comparison.comparison import compare
from fmcgan.comparison.results import gather
from fmcgan.search.study import FILE, OBJECTIVES, open_storage, read_study

optuna = pytest.importorskip("optuna", reason='Optuna is not installed: pip install "fmcgan[search]"')
pytestmark = pytest.mark.usefixtures("quick_sqlite")
kinds, states = optuna.distributions, optuna.trial.TrialState

LR, LOSS = "training.generator_optimizer.lr", "loss"
SPACE = {
    LR: kinds.FloatDistribution(1e-4, 1e-2, log=True),
    "seed": kinds.IntDistribution(0, 9),
    LOSS: kinds.CategoricalDistribution(["hinge", "<wgan>"]),
}


def write_study(folder, count, objectives, value):
    """Trials with random values whose objective is ``value(lr)``; every fifth is pruned, one fails, one is not told."""
    folder.mkdir(parents=True, exist_ok=True)
    directions = ["maximize" if better == "higher" else "minimize" for _, better in objectives]
    storage = open_storage(None, folder)
    study = optuna.create_study(
        storage=storage, study_name="any", directions=directions, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.set_user_attr(OBJECTIVES, objectives)
    for number in range(count):
        trial = study.ask(SPACE)
        values = value(trial.params[LR])
        if number % 5 == 4 and len(objectives) == 1:
            trial.report(values[0], 1)
            study.tell(trial, state=states.PRUNED)
        elif number == 7:
            study.tell(trial, state=states.FAIL)
        elif number != 8:
            study.tell(trial, values)
    return study


def distance(lr):
    return [abs(np.log10(lr / 1e-3)) + 1]


@pytest.fixture
def sweep(write_run, tmp_path):
    """A study of thirty trials and the folders of three of them, one of which was pruned."""
    folder = tmp_path / "runs"
    write_study(folder, 30, [["fd", "lower"]], distance)
    for number in (0, 1):
        write_run(f"trial_00{number}", [f"{LR}=0.00{number + 1}"], [(900, 50.0, 3.0)], (1000, 3.0))
    pruned = write_run("trial_004", [f"{LR}=0.009"], [(300, 10.0, 9.0)])
    run_dir.write_json(pruned / run_dir.ERROR, {"status": "pruned", "message": "worse"})
    return folder


def test_a_study_is_read_as_it_is(sweep):
    study = read_study(sweep)
    assert [len(study.trials), study.count("COMPLETE"), study.count("PRUNED"), study.count("FAIL")] == [30, 22, 6, 1]
    assert study.keys == [LR, "seed", LOSS]
    (best,) = study.best
    finished = [trial for trial in study.trials if trial.state is states.COMPLETE]
    assert study.trials[best].value == min(trial.value for trial in finished)
    assert study.best_share == pytest.approx(5 / 22)
    assert sum(study.importances["fd"].values()) == pytest.approx(1)
    assert next(iter(study.importances["fd"])) == LR  # it alone decides
    assert study.importances["fd"][LR] > 0.5


def test_few_trials_have_no_importance_and_none_finished_no_best(tmp_path):
    write_study(tmp_path / "few", 7, [["fd", "lower"]], distance)
    assert read_study(tmp_path / "few").importances == {}
    write_study(tmp_path / "none", 0, [["fd", "lower"]], distance)
    assert read_study(tmp_path / "none").best == frozenset()


def test_the_importance_of_a_maximized_score_is_that_of_high_values(tmp_path):
    write_study(tmp_path / "low", 30, [["fd", "lower"], ["recall", "higher"]], lambda lr: [np.log(lr), -np.log(lr)])
    importances = read_study(tmp_path / "low").importances
    assert importances["fd"] == importances["recall"]  # the same trials are the best


@pytest.mark.train
def test_the_page_has_tables_and_figures_of_the_search(sweep, tmp_path, read_page):
    markdown = compare([sweep], tmp_path / "out").read_text(encoding="utf-8")
    assert "30 trials (22 finished, 6 pruned, 1 failed)" in markdown
    assert "for the lowest fd." in markdown
    assert "## Failed, pruned or unfinished" in markdown
    assert "&#60;wgan&#62;" in markdown
    for name in ("history", "settings", "importance"):
        with Image.open(tmp_path / "out" / f"search_{name}.png") as picture:
            assert min(picture.size) > 100, name
        assert f"![search_{name}](search_{name}.png)" in markdown
    assert not (tmp_path / "out" / "search_front.png").exists()
    assert "pruned" in (tmp_path / "out" / "runs.csv").read_text(encoding="utf-8")
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert 'id="search' in page
    assert "<wgan>" not in page
    assert "failed or unfinished runs" not in page.lower()  # a pruned run is none of them


@pytest.mark.train
def test_several_objectives_have_a_front(tmp_path, write_run):
    folder = tmp_path / "runs"
    study = write_study(folder, 20, [["fd", "lower"], ["density", "real"]], lambda lr: [lr, 1e-6 / lr])
    write_run("trial_000", [], [(900, 50.0, 3.0)], (1000, 3.0))
    (section,) = gather([folder]).searches
    assert [picture.name for picture in section.pictures] == [
        *("search_history", "search_settings", "search_importance", "search_front")
    ]
    assert "the lowest fd and the lowest distance of density to real data" in section.introduction
    strong = {row[0] for row in section.tables[0].rows if row[2].strong}
    assert strong == {trial.number for trial in study.best_trials}


def test_without_optuna_the_other_tables_are_made_and_the_log_says_why(sweep, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with caplog.at_level(logging.WARNING):
        assert gather([sweep]).searches == []
    assert "needs the extra \"search\": pip install 'fmcgan[search]'" in caplog.text


@pytest.mark.parametrize("content", [b"no database", b"", b"SQLite format 3\0" + bytes(200)])
def test_a_damaged_study_is_one_line(sweep, content):
    (sweep / FILE).write_bytes(content)
    with pytest.raises(UserError, match=FILE):
        gather([sweep])


def test_a_study_of_another_program_is_one_line(tmp_path):
    tmp_path.joinpath("other").mkdir()
    optuna.create_study(storage=open_storage(None, tmp_path / "other"), study_name="mine")
    with pytest.raises(UserError, match=r"is no study of a search: 'objectives'; leave it out"):
        read_study(tmp_path / "other")
