"""A search asks, trains and tells: seeds, resuming, failed and pruned trials, several objectives, refused settings."""

import math

import pytest

from fmcgan.app.errors import Pruned, UserError
from fmcgan.app.run_lock import RunningElsewhereError, lock, unlock
from fmcgan.search.study import open_storage
from tests.search.conftest import D, G

optuna = pytest.importorskip("optuna", reason='Optuna is not installed: pip install "fmcgan[search]"')

pytestmark = pytest.mark.train  # composes and searches for seconds

FD, AGREEMENT = "fd_classifier_500_test", "label_agreement_classifier_500"
FEW = (f"objective={FD}", "hydra.sweeper.n_trials=6", "hydra.sweeper.sampler.n_startup_trials=3")


def bowl(values, number):
    """Has its lowest value, 0, at learning rates of 2e-3 and 1e-3."""
    return math.log10(values[G] / 2e-3) ** 2 + math.log10(values[D] / 1e-3) ** 2


def states(study):
    return [trial.state.name for trial in study.trials]


def test_a_search_is_better_than_chance_after_its_random_start(search):
    launcher, study = search(bowl, f"objective={FD}", "hydra.sweeper.n_trials=24")
    assert states(study) == ["COMPLETE"] * 24
    values = [trial.value for trial in study.trials]
    assert sum(values[10:]) / 14 < sum(values[:10]) / 10
    assert launcher.batches == [1] * 24
    assert study.directions == [optuna.study.StudyDirection.MINIMIZE]


def test_a_trial_gets_what_was_typed_its_values_its_folder_and_its_number(search):
    launcher, study = search(bowl, *FEW, "loss=hinge")
    typed = ["experiment=smoke", "search=learning_rates", f"objective={FD}", "loss=hinge"]
    values = [f"{key}={value}" for key, value in study.trials[4].params.items()]
    assert launcher.overrides[4] == [*typed, *values, "hydra.sweep.subdir=trial_004", "hydra.sweeper.trial=4"]
    assert [each.partition("=")[0] for each in values] == [G, D]
    assert all(2e-4 <= value <= 2e-2 for trial in study.trials for value in trial.params.values())


def test_values_depend_on_the_seed_and_not_on_interruptions(search):
    whole = search(bowl, *FEW)[1]

    def stopped(values, number):
        if number == 3:
            raise SystemExit(143)
        return bowl(values, number)

    with pytest.raises(SystemExit):
        search(stopped, *FEW, sweep="stopped")
    launcher, resumed = search(bowl, *FEW, sweep="stopped")
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in whole.trials]
    assert [trial.values for trial in resumed.trials] == [trial.values for trial in whole.trials]
    assert len(launcher.overrides) == 3  # 3, 4 and 5
    assert (
        search(bowl, *FEW, "hydra.sweeper.sampler.seed=1", sweep="other")[1].trials[0].params != whole.trials[0].params
    )
    assert search(bowl, *FEW)[0].overrides == []  # it has its six trials


@pytest.mark.parametrize("name", ["tpe", "gp", "random", "nsgaii"])
def test_every_sampler_searches(search, name):
    given = [each for each in FEW if "startup" not in each or name in ("tpe", "gp")]
    study = search(bowl, *given, f"hydra/sweeper/sampler={name}")[1]
    assert len({trial.params[G] for trial in study.trials}) == 6


def test_a_larger_number_of_trials_continues_a_study(search):
    search(bowl, *FEW)
    launcher, study = search(bowl, *FEW, "hydra.sweeper.n_trials=8")
    assert (len(study.trials), len(launcher.overrides)) == (8, 2)


def test_failed_pruned_and_running_trials_are_recorded_and_the_search_goes_on(search, tmp_path):
    def task(values, number):
        if number in (0, 3):
            raise ValueError("no")
        if number == 1:
            raise Pruned("worse than the others")
        return {2: math.nan, 4: None}.get(number, bowl(values, number))

    launcher, study = search(task, *FEW)
    assert states(study) == ["FAIL", "PRUNED", "FAIL", "FAIL", "RUNNING", "COMPLETE"]
    launcher, study = search(bowl, *FEW)  # the process that trained number 4 has ended meanwhile
    assert states(study) == ["FAIL", "PRUNED", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert len(launcher.overrides) == 1


def test_a_search_whose_trials_all_fail_stops(search):
    def task(values, number):
        raise ValueError("no")

    with pytest.raises(UserError, match=r"^the last 3 trials failed, so the search stops: see trial_002/train.log in"):
        search(task, *FEW)


def test_trials_start_together_in_batches(search):
    launcher, study = search(bowl, *FEW, "hydra.sweeper.n_jobs=4")
    assert launcher.batches == [4, 2]
    assert len({trial.params[G] for trial in study.trials}) == 6


def test_interrupted_trials_come_first_and_one_without_values_is_given_up(search, tmp_path):
    search(bowl, *FEW)
    storage = open_storage(None, tmp_path / "sweep")
    study = optuna.load_study(study_name="fmcgan", storage=storage)
    study.ask()  # killed before it had values
    complete = study.ask(study.trials[0].distributions)
    launcher, study = search(bowl, *FEW, "hydra.sweeper.n_trials=10", "hydra.sweeper.n_jobs=3")
    assert states(study)[6:] == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert launcher.batches == [3]
    assert launcher.overrides[0][-1] == f"hydra.sweeper.trial={complete.number}"


def test_several_objectives_have_their_own_directions_and_a_front(search):
    def task(values, number):
        return [bowl(values, number), values[G]]

    study = search(task, f"objective=[{FD},{AGREEMENT}]", "hydra.sweeper.n_trials=8")[1]
    assert [each.name for each in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert 1 <= len(study.best_trials) <= 8
    highest = max(study.trials, key=lambda trial: trial.values[1])
    assert highest.number in {trial.number for trial in study.best_trials}


def test_keys_of_the_command_line_join_the_space_or_leave_it(search):
    study = search(bowl, *FEW, f"{D}=1e-3", "penalty.weight=tag(log, interval(1.0, 100.0))", "seed=1,2")[1]
    assert set(study.trials[0].params) == {G, "penalty.weight", "seed"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [],
            r"^a search needs objective=NAME, or objective=\[NAME,NAME\]; scores of this run: fd_classifier_500_test, ",
        ),
        (
            ["objective=fd"],
            r"^objective=fd is no score of this run; its scores: fd_classifier_500_test, label_agreement_",
        ),
        ([f"objective={FD}", "metric=[]"], r"is no score of this run; its scores: none"),
        ([f"objective={FD}", "callback=[metrics_logger]"], r"is no score of this run; its scores: none"),
        ([f"objective={FD}", f"{G}=1e-3", f"{D}=1e-3"], r"^a search needs values to search: search=learning_rates"),
        (
            [f"objective={FD}", "hydra.sweeper.n_trials=0"],
            r"^hydra.sweeper.n_trials must be a whole number of at least 1",
        ),
        ([f"objective={FD}", "hydra.sweeper.sampler.seed=-1"], r"^hydra.sweeper.sampler.seed must be a whole number"),
        ([f"objective={FD}", "hydra.sweeper.storage='nonsense'"], r"^cannot open the study in nonsense: "),
    ],
)
def test_a_wrong_setting_is_one_line_before_any_trial(search, tmp_path, overrides, message):
    def task(values, number):
        raise AssertionError("trained")

    with pytest.raises(UserError, match=message):
        search(task, *overrides)


def test_a_study_goes_on_with_its_own_settings_only(search):
    search(bowl, *FEW)
    for changed in ("loss=hinge", "trainer.max_epochs=7"):
        with pytest.raises(UserError, match=r"(?s)has other overrides: .*, not .*choose another hydra.sweep.dir"):
            search(bowl, *FEW, changed, "hydra.sweeper.n_trials=7")
    with pytest.raises(UserError, match=r"has other objectives: \[\['fd_classifier_500_test', 'lower'\]\]"):
        search(bowl, *FEW[1:], f"objective={AGREEMENT}")
    search(bowl, *FEW, "logger=[]")  # it changes no value


def test_other_choices_than_before_are_refused(search):
    search(bowl, *FEW, "seed=1,2")
    with pytest.raises(UserError, match=r"choose another hydra.sweep.dir for other choices"):
        search(bowl, *FEW, "seed=3,4", "hydra.sweeper.n_trials=8")


def test_a_study_that_another_process_searches_is_refused(search, tmp_path, monkeypatch):
    def task(values, number):
        monkeypatch.setattr("fmcgan.app.run_lock._held", {})  # as another process sees it
        with pytest.raises(RunningElsewhereError, match="is being written by process"):
            lock(tmp_path / "sweep")
        return 1.0

    search(task, f"objective={FD}", "hydra.sweeper.n_trials=1")
    unlock(tmp_path / "sweep")


@pytest.mark.parametrize("name", ["a {b} c", "50% off", "what?x=1", "Läufe #1"])
def test_the_study_lies_in_a_folder_of_any_name(tmp_path, name):
    (tmp_path / name).mkdir()
    storage = open_storage(None, tmp_path / name)
    optuna.create_study(storage=storage, study_name="fmcgan")
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert [each.name for each in (tmp_path / name).iterdir()] == ["study.db"]
