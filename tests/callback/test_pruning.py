"""A trial of a search reports its objective and ends where the pruner says so."""

import pytest
from omegaconf import OmegaConf

from fmcgan.app import run_dir
from fmcgan.app.errors import Pruned
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.pruning import Pruning, pruning_callbacks
from fmcgan.train import _fit
from tests.callback.test_evaluation import Brightness

NAME = "brightness_50"
THREE_EPOCHS = ("trainer.max_epochs=3", "trainer.limit_train_batches=2")


class Trial:
    """Remembers what is reported, and is hopeless from an epoch on."""

    def __init__(self, hopeless_after):
        self.reported, self.hopeless_after = {}, hopeless_after

    def report(self, value, step):
        assert step not in self.reported
        self.reported[step] = value

    def should_prune(self):
        return max(self.reported) >= self.hopeless_after


def callbacks(trial, every_n_epochs=1):
    return [Evaluation({"b": Brightness()}, n=50, every_n_epochs=every_n_epochs), Pruning(trial, NAME)]


def test_a_hopeless_trial_ends_with_its_epoch_and_without_a_result(fit, tmp_path):
    trial = Trial(hopeless_after=2)
    trainer, gan = fit(*THREE_EPOCHS, extra_callbacks=callbacks(trial))
    assert (list(trial.reported), gan.images_seen) == ([1, 2], 2 * 2 * 32)
    assert (tmp_path / "run" / run_dir.LAST_CHECKPOINT).is_file()
    trainer.fit = lambda *given, **options: None
    with pytest.raises(Pruned, match=f"^pruned after epoch 2: {NAME} is worse than in the other trials$"):
        _fit(trainer, gan, None, None)


def test_a_trial_at_its_end_is_not_pruned_any_more(fit):
    trial = Trial(hopeless_after=3)
    trainer, gan = fit(*THREE_EPOCHS, extra_callbacks=callbacks(trial))
    assert (list(trial.reported), gan.images_seen) == ([1, 2, 3], 3 * 2 * 32)
    assert [each.pruned for each in trainer.callbacks if isinstance(each, Pruning)] == [None]


def test_epochs_without_an_evaluation_report_nothing_and_neither_do_restored_results(fit, tmp_path):
    first, second = Trial(9), Trial(9)
    fit("trainer.max_epochs=2", THREE_EPOCHS[1], extra_callbacks=callbacks(first, 2))
    assert list(first.reported) == [2]
    last = tmp_path / "run" / run_dir.LAST_CHECKPOINT
    fit("trainer.max_epochs=4", THREE_EPOCHS[1], extra_callbacks=callbacks(second, 2), ckpt_path=last)
    assert list(second.reported) == [4]


def test_only_a_trial_with_one_objective_is_pruned(monkeypatch):
    assert pruning_callbacks("fd") == []  # no search
    trial = Trial(1)
    monkeypatch.setattr("fmcgan.search.study.trial_of_job", lambda: trial)
    (callback,) = pruning_callbacks("fd")
    assert (callback.trial, callback.objective) == (trial, "fd")
    assert pruning_callbacks(None) == pruning_callbacks(OmegaConf.create(["fd", "recall"])) == []
